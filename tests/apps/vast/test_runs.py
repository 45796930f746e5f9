"""A rented run from search to destruction. In every case the ledger shows nothing left running."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    Person = Vast = Any

TASKS = "# a batch\nvoice-verify --help\n!mkdir -p work/out && echo sound > 'work/out/a b.wav' && echo 'ARTIFACT work/out/a b.wav'\n"


def test_the_whole_way(person: Person, vast: Vast) -> None:
    code, out, said = person.run("run", "--tasks", person.tasks(TASKS), "--yes")
    assert code == 0, said
    assert (vast.running, len(vast.made), person.leases) == ({}, 1, [])
    made = vast.made[0]
    assert made["image"] == "registry.example/me/voicemill:cuda"
    assert made["image_login"] == "-u me -p ghp-secret-token-2 registry.example"
    assert made["runtype"] == "ssh_direc ssh_proxy"
    assert "PROGRESS 2 2" in out.splitlines()
    assert "[3] ARTIFACT work/out/a b.wav" in said
    assert "so far" in said
    report = person.report(out)
    assert (report["how"], report["destroyed"], report["instance"]) == ("done", True, 7001)
    assert report["dollars_per_hour"] == 0.04
    assert report["dollars"] == pytest.approx(0.04 * report["seconds"] / 3600, abs=1e-6)
    rows = report["tasks"]
    assert [(row["line"], row["exit_code"]) for row in rows] == [(2, 0), (3, 0)]
    (artifact,) = rows[1]["artifacts"]
    assert (person.checkout / artifact).read_text() == "sound\n"
    assert "Usage: voice-verify" in (person.checkout / rows[0]["log"]).read_text()


def test_tasks_that_fail_bring_their_logs_and_destroy_the_machine(person: Person, vast: Vast) -> None:
    code, out, said = person.run(
        "run", "--fail-fast", "--yes", "--tasks", person.tasks("!echo why; exit 9\n!touch never\n")
    )
    assert code == 3, said
    assert "[vast][error] batch_failed" in said
    assert (vast.running, person.leases) == ({}, [])
    report = person.report(out)
    assert [(row["state"], row["exit_code"]) for row in report["tasks"]] == [("failed", 9), ("not_run", None)]
    assert "why" in (person.checkout / report["tasks"][0]["log"]).read_text()


def test_one_app_from_the_command_line(person: Person, vast: Vast) -> None:
    code, out, said = person.run("run", "--yes", "--", "voice-verify", "bundle", "no such folder")
    assert code == 3, said
    assert "bundle_not_found" in said
    (row,) = person.report(out)["tasks"]
    assert row["task"] == "voice-verify bundle 'no such folder'"
    assert vast.running == {}


def test_what_is_pushed_arrives_without_secrets_and_is_asked_about(person: Person, vast: Vast) -> None:
    work = person.home / "work"
    (work / "takes").mkdir(parents=True)
    (work / "takes/a ü.txt").write_text("take")
    (work / "signing.pem").write_text("secret")
    tasks = person.tasks("!cat 'work/takes/a ü.txt'; test ! -e work/signing.pem\n")
    code, _, said = person.run("run", "--push-work", "--tasks", tasks)
    assert (code, vast.made) == (1, [])
    assert "[vast][error] confirmation_needed" in said
    assert "Recordings leave this machine" in said
    code, _, said = person.run("run", "--push-work", "--tasks", tasks, "--yes")
    assert code == 0, said
    assert said.index("Recordings leave this machine") < said.index("is ordered")
    assert "[1] take" in said
    assert vast.running == {}


def test_an_input_that_would_be_missing_there_costs_nothing(person: Person, vast: Vast) -> None:
    take = person.home / "take.flac"
    take.write_bytes(b"x")
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks(f"voice-prep --voice a --audio {take}\n"))
    assert (code, vast.requests) == (1, [])
    assert said.startswith("[vast][error] rental_input_not_sent\nLine 1 names")


@pytest.mark.parametrize(("text", "where"), [(b"voice-sing\n", 1), (b"\xef\xbb\xbf!true\r\nvoice-prep 'open\r\n", 2)])
def test_a_task_file_is_judged_before_anything_is_rented(person: Person, vast: Vast, text: bytes, where: int) -> None:
    path = person.home / "jobs.txt"
    path.write_bytes(text)
    code, _, said = person.run("run", "--yes", "--tasks", str(path))
    assert (code, vast.requests) == (1, [])
    assert said.startswith(f"[vast][error] tasks_invalid:{path}:{where}\n"), said


def test_a_dry_run_says_every_step_and_touches_nothing(person: Person, vast: Vast) -> None:
    before = sorted(person.home.rglob("*"))
    code, out, said = person.run("run", "--dry-run", "--tasks", person.tasks(TASKS))
    assert code == 0, said
    assert (vast.requests, person.state.exists()) == ([], False)
    assert sorted(path for path in person.home.rglob("*") if path.name not in ("jobs.txt", "stderr")) == before
    for step in (
        "search",
        "ask if",
        "order it",
        "log in",
        "pin its ssh host key",
        "send the code",
        "run voice-verify",
        "destroy the instance",
    ):
        assert step in out, step
    assert "secret" not in out + said
    (person.home / "work").mkdir()
    code, out, said = person.run("run", "--dry-run", "--push-work", "--tasks", person.tasks(TASKS))
    assert code == 0, said
    assert 0 < out.index("ask whether recordings") < out.index("order it") < out.index("send the code")


def test_no_offer(person: Person, vast: Vast) -> None:
    vast.offers = [{**vast.offers[0], "gpu_ram": 8000}, {**vast.offers[1], "compute_cap": 1200}]
    for command in (["search"], ["run", "--yes", "--tasks", person.tasks("!true\n")]):
        code, _, said = person.run(*command)
        assert code == 1
        assert "[vast][error] rental_no_offer" in said
    assert vast.made == []


def test_the_best_value_is_taken_and_the_next_when_it_is_gone(person: Person, vast: Vast) -> None:
    vast.offers.append({**vast.offers[1], "id": 13, "dph_total": 0.03, "dlperf_per_dphtotal": 300.0, "gpu_name": "A10"})
    vast.gone = {12}
    code, out, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"))
    assert code == 0, said
    assert "Offer 12 is gone." in said
    report = person.report(out)
    assert (report["dollars_per_hour"], report["gpu"], report["image"]) == (0.03, "A10", vast.made[0]["image"])
    code, _, said = person.run("search")
    assert code == 0
    assert said.index("        12 ") < said.index("        13 ") < said.index("        11 ")


def test_another_image_for_newer_gpus(person: Person, vast: Vast) -> None:
    vast.offers = [{**vast.offers[1], "compute_cap": 1200}]
    code, _, said = person.run(
        "run", "--yes", "--tasks", person.tasks("!true\n"), VAST_QUERY="compute_cap >= 1200", VAST_IMAGE_BLACKWELL="r.example/v:cuda128"
    )  # fmt: skip
    assert code == 0, said
    assert vast.made[0]["image"] == "r.example/v:cuda128"


def test_a_price_above_the_ceiling_is_asked_about(person: Person, vast: Vast) -> None:
    tasks = person.tasks("!true\n")
    code, _, said = person.run("run", "--tasks", tasks, VAST_MAX_MONTHLY_PRICE="10")
    assert (code, vast.made) == (1, [])
    assert "[vast][error] rental_price_too_high" in said
    assert "$29.20 a month is above VAST_MAX_MONTHLY_PRICE ($10.00)" in said
    code, _, said = person.run("run", "--tasks", tasks, "--yes", VAST_MAX_MONTHLY_PRICE="10")
    assert code == 0, said


def test_what_is_missing_here_is_said_before_anything_is_paid_for(person: Person, vast: Vast) -> None:
    tasks = person.tasks("!true\n")
    for environment, reason, exit_code in (
        ({"VAST_API_KEY": ""}, "vast_key_missing", 1),
        ({"VAST_API_KEY": "expired-key"}, "vast_key_refused", 1),
        ({"VAST_SSH_KEY": "/nowhere"}, "ssh_key_missing", 1),
        ({"VAST_IMAGE": ""}, "rental_image_missing", 1),
        ({"VAST_MAX_MONTHLY_PRICE": "cheap"}, "bad_usage", 1),
    ):
        code, _, said = person.run("run", "--yes", "--tasks", tasks, **environment)
        assert (code, vast.made) == (exit_code, []), said
        assert f"[vast][error] {reason}\n" in said, said
        assert "expired-key" not in said


def test_keys_come_from_the_env_file_and_are_seen_nowhere(person: Person, vast: Vast) -> None:
    """Not in the output, the report, the command lines of any process, nor on the machine."""
    env = person.checkout / ".env"
    env.write_text("# keys\nexport VAST_API_KEY='vast-secret-key-1'\nGHCR_TOKEN=ghp-secret-token-2\n")
    try:
        tasks = person.tasks("!for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done 2>/dev/null; env\n")
        code, out, said = person.run("run", "--yes", "--tasks", tasks, VAST_API_KEY="", GHCR_TOKEN="")
        assert code == 0, said
        assert "vast.py run" in said, "the client's own command line is among them"
        report = json.dumps(person.report(out))
        found = [path for path in person.home.rglob("*") if path.is_file()] + [
            path for path in vast.sshd.root.rglob("*") if path.is_file()
        ]
        texts = [out, said, report, *(path.read_text("utf-8", "replace") for path in found if path.suffix != ".tar")]
        assert not any("vast-secret" in text or "ghp-secret" in text for text in texts)
        env.write_text("this is no setting\n")
        code, _, said = person.run("status")
        assert code == 1
        assert said.startswith("[vast][error] env_invalid\nLine 1 of ")
    finally:
        env.unlink()


def test_a_dirty_tree_is_refused_unless_told(person: Person, vast: Vast) -> None:
    changed, untracked = person.checkout / "apps/voice-verify/README.md", person.checkout / "untracked"
    before = changed.read_text()
    try:
        changed.write_text("changed\n")
        untracked.touch()
        tasks = person.tasks("!cat apps/voice-verify/README.md; test ! -e untracked\n")
        code, _, said = person.run("run", "--yes", "--tasks", tasks)
        assert (code, vast.requests) == (1, [])
        assert "[vast][error] dirty_tree" in said
        code, out, said = person.run("run", "--yes", "--tasks", tasks, "--allow-dirty")
        assert code == 0, said
        assert "[1] changed" in said
        assert person.report(out)["commit"] == "unknown"
    finally:
        changed.write_text(before)
        untracked.unlink()


def test_a_file_of_keys_in_git_is_noticed(person: Person, vast: Vast) -> None:
    (person.checkout / ".env").write_text("A=b\n")
    try:
        subprocess.run(["git", "-C", str(person.checkout), "add", "-f", ".env"], check=True)
        code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"))
        assert (code, vast.requests) == (1, [])
        assert "[vast][error] secret_in_git" in said
    finally:
        subprocess.run(["git", "-C", str(person.checkout), "rm", "-qf", ".env"], check=True)


def test_keep_is_loud_and_what_is_kept_can_be_used_pulled_and_destroyed(person: Person, vast: Vast) -> None:
    tasks = person.tasks("!mkdir -p work/a && echo one > work/a/x\n")
    code, _, said = person.run("run", "--yes", "--keep", "--tasks", tasks)
    assert code == 0, said
    assert "GOES ON COSTING $0.040 an hour" in said
    assert list(vast.running) == [7001]
    code, _, said = person.run("status")
    assert code == 0
    assert "(kept)" in said
    assert list(vast.running) == [7001], "the next start leaves it alone"
    code, _, said = person.run("run", "--yes", "--tasks", tasks)
    assert (code, len(vast.made)) == (1, 1)
    assert "[vast][error] rental_already_running:7001" in said
    code, _, said = person.run("pull", "7001")
    assert code == 0, said
    (pulled,) = [
        path for path in person.checkout.glob("work_remote/*/a/x") if vast.made[0]["label"].endswith(path.parts[-3])
    ]
    assert pulled.read_text() == "one\n"
    code, _, said = person.run("run", "--yes", "--instance", "7001", "--tasks", tasks)
    assert code == 0, said
    assert (len(vast.made), vast.running, person.leases) == (1, {}, [])
    code, _, said = person.run("destroy", "7001")
    assert code == 1
    assert "[vast][error] rental_not_found:7001" in said


def test_destroy(person: Person, vast: Vast) -> None:
    assert person.run("run", "--yes", "--keep", "--tasks", person.tasks("!true\n"))[0] == 0
    code, _, said = person.run("destroy", "7001")
    assert code == 0, said
    assert (vast.running, person.leases) == ({}, [])
    assert "nothing costs money" in person.run("status")[2]


def test_destroy_sees_that_the_machine_is_gone(person: Person, vast: Vast) -> None:
    number, vast.deaf = vast.somebodys(), 1
    code, _, said = person.run("destroy", str(number))
    assert code == 0, said
    assert (vast.running, person.leases) == ({}, [])
    number, vast.deaf = vast.somebodys(), 1000
    code, _, said = person.run("destroy", str(number), VAST_RECONNECT_SECONDS="1")
    assert code == 2, said
    assert "[vast][error] rental_not_destroyed" in said
    assert len(person.leases) == 1
    vast.deaf = 0
    assert person.run("status")[0] == 0
    assert (vast.running, person.leases) == ({}, []), "the next start has destroyed it"


def test_a_machine_whose_beginning_is_not_known_has_no_cost_yet(person: Person, vast: Vast) -> None:
    number = vast.somebodys(born=None)
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"))
    assert code == 1
    assert f"[vast][error] rental_already_running:{number}" in said
    assert "$0.0000 so far" in said


def test_work_may_be_a_link(person: Person, vast: Vast) -> None:
    (person.home / "work").mkdir()
    (person.home / "work/take.flac").write_bytes(b"x")
    link = person.home / "link"
    link.symlink_to("work")
    tasks = person.tasks(f"voice-prep --voice a --audio {link}/take.flac\n")
    code, _, said = person.run("run", "--dry-run", "--tasks", tasks, WORK_DIR=str(link))
    assert code == 0, said
    assert "what is there now is not sent without --push-work" in said


def test_a_tool_that_is_missing_here_is_said_before_anything_is_paid_for(person: Person, vast: Vast) -> None:
    tools = person.home / "bin"
    tools.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for tool in Path(folder).iterdir():
            if tool.name != "rsync" and not (tools / tool.name).is_symlink():
                (tools / tool.name).symlink_to(tool)
    code, _, said = person.run("run", "--yes", "--tasks", person.tasks("!true\n"), PATH=str(tools))
    assert (code, vast.requests) == (2, []), said
    assert said.startswith("[vast][error] runtime_dependency_missing:rsync\n")


def test_results_that_would_have_no_place_here_cost_nothing(person: Person, vast: Vast) -> None:
    place, aside = person.checkout / "work_remote", person.checkout.parent / "aside"
    there = place.exists()
    if there:
        place.rename(aside)
    place.touch()
    try:
        code, _, said = person.run("run", "--yes", "--allow-dirty", "--tasks", person.tasks("!true\n"))
    finally:
        place.unlink()
        if there:
            aside.rename(place)
    assert (code, vast.made) == (2, []), said
    assert "[vast][error] not_writable:" in said


def typed(person: Person, *arguments: str, lines: str, after: str = "") -> tuple[int, str]:
    """A command at a terminal, where somebody types; exit code and what it said."""
    ours, its = os.openpty()
    process = person.start(*arguments, stdin=its)
    os.close(its)
    if after:
        person.until(after)
    os.write(ours, lines.encode())
    process.communicate(timeout=90)
    os.close(ours)
    return process.returncode, person.log.read_text()


def test_a_question_at_a_terminal(person: Person, vast: Vast) -> None:
    (person.home / "work").mkdir()
    tasks = person.tasks("!true\n")
    code, said = typed(person, "run", "--push-work", "--tasks", tasks, lines="n\n")
    assert (code, vast.made) == (1, []), said
    assert "[vast][error] declined" in said
    code, said = typed(person, "run", "--push-work", "--tasks", tasks, lines="y\n")
    assert code == 0, said
    assert vast.running == {}


def test_a_shell_on_a_machine_that_is_rented_for_it(person: Person, vast: Vast) -> None:
    code, said = typed(
        person, "shell", "--yes", lines="mkdir -p work; pwd > work/where; exit 5\n", after="A shell on the rented machine"
    )  # fmt: skip
    assert code == 0, said
    assert (vast.running, person.leases) == ({}, [])
    (where,) = [
        path for path in person.checkout.glob("work_remote/*/where") if vast.made[0]["label"].endswith(path.parent.name)
    ]
    assert where.read_text().strip() == str(Path(vast.sshd.root) / "workspace/voicemill")


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["rent"], ["run"], ["destroy"], ["destroy", "x"], ["run", "--tasks", "a", "--parallel", "0"], ["run", "--tasks", "a", "--", "voice-prep"],
        ["status", "--", "voice-prep"], ["shell", "--dry-run", "--", "voice-prep"], ["shell", "--id", "7", "--dry-run"], ["shell", "--id", "7", "--push-work"],
    ],
)  # fmt: skip
def test_bad_usage(person: Person, vast: Vast, arguments: list[str]) -> None:
    code, _, said = person.run(*arguments)
    assert (code, vast.requests) == (1, [])
    assert said.startswith("[vast][error] bad_usage\n")


def test_what_is_pushed_has_a_place_there(person: Person, vast: Vast) -> None:
    (person.home / "elsewhere").mkdir()
    for option, path in (("--push", "elsewhere"), ("--push-work", "elsewhere"), ("--push", "nothing")):
        code, _, said = person.run("run", "--yes", option, str(person.home / path), "--tasks", person.tasks("!true\n"))
        assert (code, vast.requests) == (1, [])
        assert said.startswith("[vast][error] bad_usage\n")
    (person.checkout / "work_remote/takes").mkdir(parents=True, exist_ok=True)
    (person.checkout / "work_remote/takes/x.lab").write_text("pushed")
    line = "!cat work_remote/takes/x.lab\n"
    code, _, said = person.run("run", "--yes", "--push", "work_remote/takes", "--tasks", person.tasks(line))
    assert code == 0, said
    assert "[1] pushed" in said
