"""Machines, connections and clients that break off. In every case the ledger shows nothing left running."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    Person = Vast = Any

LONG = "!mkdir -p work && echo kept > work/early; trap 'echo stopped > work/checkpoint; exit 143' TERM; echo begun; while :; do sleep 0.05; done\n"


def test_a_machine_that_never_runs(person: Person, vast: Vast) -> None:
    vast.starts = False
    code, out, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"), VAST_WAIT_SECONDS="1")
    assert code == 2
    assert "[vast][error] rental_never_ran" in said
    assert "pulling the image" in said
    assert (len(vast.made), vast.running, person.leases) == (1, {}, [])
    assert person.report(out)["how"] == "rental_never_ran"


def test_a_machine_that_is_not_listed_is_destroyed_by_its_number(person: Person, vast: Vast) -> None:
    vast.hidden = True
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"), VAST_WAIT_SECONDS="1")
    assert code == 2
    assert "it is not listed" in said
    assert (len(vast.made), vast.running, person.leases) == (1, {}, [])


def test_ssh_that_refuses_then_works(person: Person, vast: Vast) -> None:
    vast.ssh_after = 2.0
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"))
    assert code == 0, said
    assert vast.running == {}


def test_ssh_that_never_works(person: Person, vast: Vast) -> None:
    vast.ssh_after = 3600.0
    try:
        code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"), VAST_WAIT_SECONDS="1")
    finally:
        vast.late.cancel()
    assert code == 2
    assert "[vast][error] ssh_unreachable" in said
    assert vast.running == {}


def test_a_connection_that_drops_midway_costs_nothing(person: Person, vast: Vast) -> None:
    """The task goes on there, each line comes once, and the results arrive."""
    go = person.home / "go"
    line = f"!for i in 1 2 3; do echo tick $i; done; until [ -e '{go}' ]; do sleep 0.05; done; echo tock\n"
    process = person.start("run", "--yes", "--tasks", person.tasks(line))
    person.until("tick 3")
    vast.sshd.drop()
    person.until("The connection is lost")
    go.touch()
    assert process.communicate(timeout=90) is not None
    said = person.log.read_text()
    assert process.returncode == 0, said
    assert [said.count(f"\n[1] {what}\n") for what in ("tick 1", "tick 2", "tick 3", "tock")] == [1, 1, 1, 1]
    assert (vast.running, person.leases) == ({}, [])


def test_a_connection_that_is_lost_for_good(person: Person, vast: Vast) -> None:
    process = person.start("run", "--yes", "--tasks", person.tasks(LONG), VAST_RECONNECT_SECONDS="1")
    person.until("[1] begun")
    vast.sshd.stop()
    process.communicate(timeout=90)
    assert process.returncode == 2
    assert "[vast][error] rental_connection_lost" in person.log.read_text()
    assert (vast.running, person.leases) == ({}, [])


def test_another_host_key_after_the_first_contact(person: Person, vast: Vast) -> None:
    process = person.start("run", "--yes", "--tasks", person.tasks(LONG))
    person.until("[1] begun")
    vast.sshd.stop()
    vast.sshd.new_host_key()
    vast.sshd.start()
    process.communicate(timeout=90)
    assert process.returncode == 3
    assert "[vast][error] ssh_host_key_changed" in person.log.read_text()
    assert vast.running == {}


def test_a_machine_that_is_no_image_of_ours(person: Person, vast: Vast) -> None:
    (vast.sshd.root / "workspace").write_text("in the way")
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"))
    assert code == 2
    assert "[vast][error] rental_command_failed" in said
    assert vast.running == {}


STAGES = {
    "ordering": ("Best value", "create"),
    "waiting for the machine": ("loading", "start"),
    "waiting for ssh": ("running (", "ssh"),
    "sending": ("Sending the code", ""),
    "running": ("[1] begun", ""),
}


def begin(person: Person, vast: Vast, stage: str) -> Any:
    """A run that has come to a stage, and stays there where it can be held."""
    mark, held = STAGES[stage]
    if held == "create":
        vast.answer_create.clear()
    vast.starts = held != "start"
    vast.ssh_after = 3600.0 if held == "ssh" else 0.0
    process = person.start("run", "--yes", "--tasks", person.tasks(LONG))
    person.until(mark)
    if held == "create":
        assert vast.create_asked.wait(60)
    return process


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_at_each_stage(person: Person, vast: Vast, stage: str) -> None:
    process = begin(person, vast, stage)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    vast.answer_create.set()
    process.communicate(timeout=90)
    vast.late.cancel()
    said = person.log.read_text()
    assert process.returncode == 130, said
    assert "[vast][error] interrupted:sigint" in said
    assert (vast.running, person.leases) == ({}, []), said
    if stage == "running":
        newest = max(person.checkout.glob("work_remote/*/checkpoint"), key=lambda path: path.stat().st_mtime)
        assert newest.read_text() == "stopped\n"
        assert (newest.parent / "early").read_text() == "kept\n"


@pytest.mark.parametrize("stage", STAGES)
def test_a_client_that_is_killed_leaves_a_lease_and_the_next_start_destroys(
    person: Person, vast: Vast, stage: str
) -> None:
    process = begin(person, vast, stage)
    process.kill()
    process.communicate(timeout=60)
    vast.answer_create.set()
    end = time.monotonic() + 30
    while not vast.running and time.monotonic() < end:
        time.sleep(0.05)
    assert len(vast.running) == 1
    assert len(person.leases) == 1
    code, _, said = person.run("status")
    vast.late.cancel()
    assert code == 0, said
    assert "was cut off; destroying" in said
    assert (vast.running, person.leases) == ({}, [])


def test_a_closed_terminal_destroys_too(person: Person, vast: Vast) -> None:
    process = begin(person, vast, "running")
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=90)
    assert process.returncode == 129
    assert (vast.running, person.leases) == ({}, [])


def test_an_order_whose_answer_is_lost_is_looked_for(person: Person, vast: Vast) -> None:
    vast.fail_create = True
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"))
    assert code == 2
    assert "[vast][error] vast_api_failed" in said
    assert (len(vast.made), vast.running) == (1, {}), "it was made all the same, and destroyed by its label"


def test_vast_that_is_out_of_order_at_the_end(person: Person, vast: Vast) -> None:
    process = person.start("run", "--yes", "--tasks", person.tasks("!true; sleep 1\n"), VAST_RECONNECT_SECONDS="2")
    person.until("The tasks are running")
    vast.down = True
    process.communicate(timeout=90)
    said = person.log.read_text()
    assert process.returncode == 2, said
    assert "[vast][error] rental_not_destroyed" in said
    assert "may GO ON COSTING MONEY" in said
    assert len(person.leases) == 1
    vast.down = False
    assert person.run("status")[0] == 0
    assert (vast.running, person.leases) == ({}, [])


def test_one_run_at_a_time(person: Person, vast: Vast) -> None:
    process = begin(person, vast, "running")
    first = person.log
    person.log = person.home / "second"
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"))
    assert (code, len(vast.made)) == (1, 1)
    assert "[vast][error] rental_busy:" in said
    assert person.run("status")[0] == 0
    assert len(vast.running) == 1, "a run that is alive is no orphan"
    person.log = first
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=90)
    assert process.returncode == 143
    assert vast.running == {}


def test_no_link_is_followed_in_the_state_folder(person: Person, vast: Vast) -> None:
    victim = person.home / "victim"
    victim.write_text("precious")
    person.state.mkdir(parents=True, mode=0o700)
    (person.state / "vast.lock").symlink_to(victim)
    code, _, said = person.run("status")
    assert code == 1
    assert f"[vast][error] state_unsafe:{person.state}/vast.lock" in said
    assert victim.read_text() == "precious"
    (person.state / "vast.lock").unlink()
    (person.state / "leases").mkdir(exist_ok=True)
    (person.state / "leases/x.json").symlink_to(victim)
    assert "state_unsafe" in person.run("status")[2]
    (person.state / "leases/x.json").unlink()
    person.state.chmod(0o777)
    assert "state_unsafe" in person.run("status")[2]
    person.state.chmod(0o700)
    assert person.run("status")[0] == 0


def test_a_client_that_is_damaged(person: Person, vast: Vast, tmp_path: Path) -> None:
    venv = tmp_path / "damaged"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to("/bin/false")
    stamp = Path(person.environment["VOICEMILL_VAST_VENV"]) / ".voicemill"
    (venv / ".voicemill").write_bytes(stamp.read_bytes())
    code, _, said = person.run("status", VOICEMILL_VAST_VENV=str(venv))
    assert code == 2
    assert "[vast][error] vast_client_missing" in said


LIE = '[[ "$*" {how} ]] && {{ cat >/dev/null; printf \'%064d  ./x\\0\' 1; exit; }}\nexec /usr/bin/sha256sum "$@"'


def test_code_that_arrives_as_something_else(person: Person, vast: Vast) -> None:
    vast.sshd.command("sha256sum", LIE.format(how="!= *zero*"))
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"))
    assert code == 2
    assert "[vast][error] rental_upload_failed" in said
    assert vast.running == {}


def test_results_that_are_not_what_they_are_said_to_be(person: Person, vast: Vast) -> None:
    vast.sshd.command("sha256sum", LIE.format(how="== *zero*"))
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!mkdir -p work && echo y > work/x\n"))
    assert code == 3
    assert "[vast][error] rental_results_differ" in said
    assert vast.running == {}


def test_a_link_on_the_machine_stays_there(person: Person, vast: Vast) -> None:
    tasks = person.tasks("!mkdir -p work && ln -s /etc/passwd work/link && echo y > work/plain\n")
    code, out, said = person.run("run", "--yes", "--tasks", tasks)
    assert code == 0, said
    folder = Path(person.report(out)["results"])
    assert (folder / "plain").read_text() == "y\n"
    assert not (folder / "link").is_symlink()
    assert not (folder / "link").exists()


def test_tasks_that_cannot_be_started(person: Person, vast: Vast) -> None:
    vast.sshd.command("setsid", "exit 1")
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"))
    assert code == 2, said
    assert "[vast][error] rental_command_failed" in said
    assert "did not start" in said
    assert vast.running == {}


def test_an_exit_code_that_is_none(person: Person, vast: Vast) -> None:
    vast.sshd.command("cat", '[[ "$*" == */rc ]] && { echo nonsense; exit; }\nexec /usr/bin/cat "$@"')
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"))
    assert code == 3, said
    assert "[vast][error] batch_failed:exit_code=137" in said
    assert vast.running == {}


def test_half_a_result_never_has_its_name(person: Person, vast: Vast) -> None:
    vast.sshd.command("rsync", '/usr/bin/rsync "$@" | { dd bs=1 count=300000 status=none; kill -9 0; }')
    line = "!mkdir -p work && head -c 3000000 /dev/urandom > work/sound.wav\n"
    code, out, said = person.run("run", "--yes", "--tasks", person.tasks(line))
    assert code == 2, said
    assert "[vast][error] rental_connection_lost" in said
    (path,) = [line.removeprefix("ARTIFACT ") for line in out.splitlines() if line.startswith("ARTIFACT ")]
    assert not (person.checkout / path).with_name("sound.wav").exists()
    assert vast.running == {}
