"""The apps in containers, for real: results and their owner, caches, signals, resume, refusals, Compose."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import SENTENCES, Checkout, Compose, files_below

PROTOCOL = ("PROGRESS ", "STATS ", "ARTIFACT ", "[tts-prod] ")


def stats(stdout: str, key: str) -> dict[str, object]:
    """The last STATS line that has this key."""
    found = [json.loads(line[6:]) for line in stdout.splitlines() if line.startswith("STATS ")]
    return next(each for each in reversed(found) if key in each)


def belongs(checkout: Checkout, folder: Path) -> None:
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in files_below(folder)}
    assert owners == {(checkout.uid, checkout.uid)}


def containers(checkout: Checkout) -> str:
    return checkout.run("docker", "ps", "--all", "--quiet", "--filter", "ancestor=voicemill:cpu").stdout


@pytest.fixture(scope="module")
def prepared(checkout: Checkout, image: str, take: Path) -> subprocess.CompletedProcess[str]:
    """`./run voice-prep` on a recording outside the checkout, its text beside it."""
    return checkout.run("./run", "voice-prep", "--voice", "anna", "--audio", str(take))


def test_prep_makes_a_dataset_that_belongs_to_the_caller(
    checkout: Checkout, prepared: subprocess.CompletedProcess[str], take: Path
) -> None:
    assert prepared.returncode == 0, prepared.stderr
    assert all(line.startswith(PROTOCOL) for line in prepared.stdout.splitlines())
    assert f"[run] mounted read-only: {take} is /in/1/{take.name} in the container" in prepared.stderr
    assert stats(prepared.stdout, "cache_hit")["cache_hit"] is False
    artifacts = [line[9:] for line in prepared.stdout.splitlines() if line.startswith("ARTIFACT ")]
    assert artifacts[0] == "work/datasets/anna/manifest.jsonl"
    for each in artifacts:
        assert (checkout.root / each).is_file()
    belongs(checkout, checkout.root / "work")
    belongs(checkout, checkout.root / "cache")
    description = json.loads((checkout.root / "work/datasets/anna/dataset.json").read_text())
    assert take.name in json.dumps(description, ensure_ascii=False)
    assert "/in/" not in json.dumps(description)


def test_a_second_run_finds_everything_there(
    checkout: Checkout, prepared: subprocess.CompletedProcess[str], take: Path
) -> None:
    launcher = str(checkout.root / "run")
    again = checkout.run(launcher, "voice-prep", "--voice", "anna", f"--audio={take.name}", cwd=take.parent)
    assert again.returncode == 0, again.stderr
    assert stats(again.stdout, "cache_hit") == stats(prepared.stdout, "cache_hit") | {"cache_hit": True}
    # From elsewhere the paths are whole, and true on this machine.
    assert f"ARTIFACT {checkout.root}/work/datasets/anna/manifest.jsonl" in again.stdout
    assert "mounted read-only" in again.stderr


def wait_for(child: subprocess.Popen[str], text: str) -> str:
    seen = []
    assert child.stdout is not None
    for line in child.stdout:
        seen.append(line)
        if text in line:
            return "".join(seen)
    _, err = child.communicate()
    raise AssertionError(f"{text!r} was not printed: {err}")


@pytest.fixture(scope="module")
def trained(
    checkout: Checkout, prepared: subprocess.CompletedProcess[str], take: Path
) -> tuple[subprocess.CompletedProcess[str], int, dict[str, object]]:
    """The whole job, interrupted in the middle of training as Ctrl-C does it, then gone on with."""
    argv = ["./run", "voice-train-prod", "--preset", "smoke", "--voice", "anna", "--audio", str(take)]
    with checkout.start(*argv) as child:
        wait_for(child, '"model":"FastPitch"')
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=200)
    assert "interrupted:sigint" in err, err
    status = json.loads((checkout.root / "work/artifacts/train_status.tts_prod_train.json").read_text())
    assert containers(checkout) == ""
    assert list((checkout.root / "work/checkpoints/prod_tts/anna/acoustic").glob("*.checkpoint"))
    return checkout.run(*argv, "--resume"), child.returncode, status


def test_ctrl_c_writes_the_checkpoint_and_a_final_status(
    trained: tuple[subprocess.CompletedProcess[str], int, dict[str, object]],
) -> None:
    _, code, status = trained
    assert code == 130
    assert (status["state"], status["reason"]) == ("error", "interrupted:sigint")


def test_resume_ends_the_job_and_all_belongs_to_the_caller(
    checkout: Checkout, trained: tuple[subprocess.CompletedProcess[str], int, dict[str, object]]
) -> None:
    done, _, status = trained
    before = status["stats"]
    assert isinstance(before, dict)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert all(line.startswith(PROTOCOL) for line in lines)
    assert lines[0] == f"[tts-prod] head={checkout.commit[:8]}"
    assert lines[-1] == "[tts-prod] status=done backend=local"
    steps = [json.loads(line[6:])["step"] for line in lines if '"model":"FastPitch"' in line]
    assert steps[0] > before["step"]  # it went on, and did not begin again
    work = checkout.root / "work"
    belongs(checkout, work)
    belongs(checkout, checkout.root / "cache")
    assert (work / "bundles/anna/voice_bundle/sample.wav").stat().st_size > 1000
    manifest = json.loads((work / "bundles/anna/voice_bundle/manifest.json").read_text())
    assert checkout.commit in json.dumps(manifest)
    for path in (work / "artifacts").glob("*.json"):
        assert str(checkout.root) not in path.read_text(), path


def test_verify_accepts_the_bundle_wherever_it_lies(
    checkout: Checkout, trained: tuple[subprocess.CompletedProcess[str], int, dict[str, object]], place: Path
) -> None:
    below = checkout.run("./run", "voice-verify", "bundle", "work/bundles/anna/voice_bundle")
    assert below.returncode == 0, below.stdout + below.stderr
    moved = place / "brought, by: mail ü"
    copied = checkout.run("cp", "-r", "work/bundles/anna/voice_bundle", str(place / "home" / moved.name))
    assert copied.returncode == 0
    elsewhere = checkout.run("./run", "voice-verify", "bundle", "--json", str(place / "home" / moved.name))
    assert elsewhere.returncode == 0, elsewhere.stdout + elsewhere.stderr
    assert json.loads(elsewhere.stdout)
    (place / "home" / moved.name / "sample.wav").write_bytes(b"RIFF")
    assert checkout.run("./run", "voice-verify", "bundle", str(place / "home" / moved.name)).returncode == 3


def test_sigterm_stops_the_container_and_is_the_exit_code(checkout: Checkout, image: str, take: Path) -> None:
    argv = ["./run", "voice-prep", "--voice", "bert", "--force", "--audio", str(take)]
    with checkout.start(*argv) as child:
        wait_for(child, "PROGRESS 1 ")
        child.terminate()
        _, err = child.communicate(timeout=100)
    assert child.returncode == 143, err
    assert "interrupted:sigterm" in err
    assert containers(checkout) == ""
    assert not (checkout.root / "work/datasets/bert").exists()


def test_a_terminal_is_passed_on_and_ctrl_c_typed_there_works(checkout: Checkout, image: str, take: Path) -> None:
    ours, theirs = pty.openpty()
    argv = ["./run", "voice-prep", "--voice", "carl", "--force", "--audio", str(take)]
    with subprocess.Popen(
        checkout.argv(*argv), cwd=checkout.root, stdin=theirs, stdout=theirs, stderr=theirs,
        env=checkout.environment | {"TERM": "xterm"}, start_new_session=True,
    ) as child:  # fmt: skip
        os.close(theirs)
        seen = b""
        typed = False
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            seen += chunk
            if not typed and b"PROGRESS 1 " in seen:
                os.write(ours, b"\x03")
                typed = True
        code = child.wait(timeout=100)
    os.close(ours)
    assert typed, seen
    assert b"\x1b[" in seen  # the app saw a terminal and drew on it
    assert code == 130, seen[-2000:]
    assert containers(checkout) == ""


@pytest.mark.parametrize(
    ("argv", "code", "reason"),
    [
        (["voice-train-prod", "--audio", "/nowhere/take.wav"], 1, "missing_audio_path"),
        (["voice-train-prod", "--preset", "huge"], 2, "unknown_preset"),
        (["voice-verify", "archive", "README.md"], 2, "unsafe_archive"),
        (["voice-prep", "--no-such-option"], 1, "bad_usage"),
    ],
)
def test_refusals_and_exit_codes_of_the_apps_pass_through(
    checkout: Checkout, image: str, place: Path, argv: list[str], code: int, reason: str
) -> None:
    done = checkout.run("./run", *argv, WORK_DIR=str(place / "home" / "refused"))
    assert done.returncode == code, done.stderr
    program = "tts-prod" if argv[0] == "voice-train-prod" else argv[0]
    assert f"[{program}][error] {reason}" in done.stderr


def test_a_container_that_cannot_be_made_is_one_sentence(checkout: Checkout, image: str) -> None:
    done = checkout.run("./run", "voice-verify", "--help", VOICEMILL_NETWORK="container:there-is-none")
    assert (done.returncode, done.stdout) == (1, "")
    assert "[run][error] docker_run_failed" in done.stderr
    assert "could not start the container" in done.stderr


def test_no_permission_on_the_socket_is_one_sentence(checkout: Checkout, image: str) -> None:
    if checkout.uid == os.getuid():
        pytest.skip("only root can become somebody without permission")
    stranger = dataclasses.replace(checkout, groups=())
    done = stranger.run("./run", "voice-verify", "--help", TOOLBOX_RUNTIME="docker")
    assert (done.returncode, done.stdout) == (1, "")
    reason, sentence = done.stderr.strip().splitlines()
    assert reason == "[run][error] container_engine_unavailable"
    assert sentence.startswith("You may not talk to docker's socket: join its group")


def test_a_daemon_that_is_down_is_one_sentence(checkout: Checkout, image: str, place: Path) -> None:
    done = checkout.run(
        "./run", "voice-verify", "--help", TOOLBOX_RUNTIME="docker", DOCKER_HOST=f"unix://{place}/none.sock"
    )
    assert (done.returncode, done.stdout) == (1, "")
    reason, sentence = done.stderr.strip().splitlines()
    assert reason == "[run][error] container_engine_unavailable"
    assert sentence.startswith("docker is installed but does not answer: start it")


def test_a_gpu_that_the_engine_cannot_give_is_one_sentence(checkout: Checkout, image: str) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU")
    done = checkout.run("./run", "voice-verify", "--help", TOOLBOX_VARIANT="gpu", VOICEMILL_IMAGE=image)
    assert done.returncode == 1
    assert "[run][error] gpu_unavailable" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2


def test_outputs_outside_the_work_folder_are_written_there(
    checkout: Checkout, trained: tuple[subprocess.CompletedProcess[str], int, dict[str, object]], place: Path
) -> None:
    shelf = place / "home" / "shelf, of: voices"
    done = checkout.run("./run", "voice-bundle", "promote", "--voice", "anna", PROMOTED_BUNDLE_ROOT=str(shelf))
    assert done.returncode == 0, done.stderr
    assert f"ARTIFACT {shelf}/anna/voice_bundle/manifest.json" in done.stdout
    built = checkout.run("./run", "voice-bundle", "build", "--output", str(place / "home" / "made" / "bundle"))
    assert built.returncode == 0, built.stderr
    again = checkout.run("./run", "voice-bundle", "build", "--output", str(place / "home" / "made" / "bundle"))
    assert again.returncode == 0, again.stderr  # it replaces the first as a whole
    belongs(checkout, shelf)
    belongs(checkout, place / "home" / "made")


def test_an_archive_for_the_current_folder_arrives_in_it(
    checkout: Checkout, prepared: subprocess.CompletedProcess[str], place: Path
) -> None:
    here = place / "home" / "over, there"
    here.mkdir()
    checkout.own(here)
    done = checkout.run(str(checkout.root / "run"), "voice-prep", "export", "anna", cwd=here)
    assert done.returncode == 0, done.stderr
    (archive,) = here.iterdir()
    assert archive.stat().st_size > 10_000
    belongs(checkout, here)


def test_the_container_of_a_command_is_read_only_except_for_its_mounts(checkout: Checkout, image: str) -> None:
    """As root, who could write everywhere else."""
    options = checkout.run("bash", "-c", '. docker/engine.sh; write_options; printf "%s\\n" "${WRITE_OPTIONS[@]}"')
    script = "for folder in /app / /usr/lib /var/tmp; do ! touch $folder/x 2>/dev/null || echo $folder; done; touch /tmp/x ~/x"
    done = checkout.run(
        *("docker", "run", "--rm", "--user", "0:0", *options.stdout.splitlines(), image, "bash", "-c", script)
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert checkout.run("docker", "volume", "ls", "--quiet").stdout == ""  # /tmp went with its container


def test_a_plain_docker_run_as_root_gives_results_to_the_folders_owner(
    checkout: Checkout, image: str, place: Path
) -> None:
    folder = place / "home" / "plain"
    folder.mkdir()
    checkout.own(folder)
    done = checkout.run(
        *("docker", "run", "--rm", "--volume", f"{folder}:/work", image),
        *("voice-train-prod", "--preset", "smoke", "--voice", "dora", "--dry-run"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"[tts-prod] head={checkout.commit[:8]}\n")
    assert len(files_below(folder)) > 1
    belongs(checkout, folder)


def test_a_container_that_runs_out_of_memory_is_one_sentence(checkout: Checkout, image: str, take: Path) -> None:
    """The kernel ends it with SIGKILL, which is what the engine is asked to send here."""
    with checkout.start("./run", "voice-prep", "--voice", "fred", "--force", "--audio", str(take)) as child:
        wait_for(child, "PROGRESS 1 ")
        (name,) = containers(checkout).split()
        assert checkout.run("docker", "kill", "--signal", "KILL", name).returncode == 0
        _, err = child.communicate(timeout=300)
    assert child.returncode == 137
    reason, sentence = err.splitlines()[-2:]
    assert reason == "[run][error] container_killed"
    assert "give the engine more memory" in sentence


def test_make_shell_is_a_shell_with_both_folders(checkout: Checkout, image: str) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        checkout.argv("bash", "scripts/shell.sh"), cwd=checkout.root, stdin=theirs, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=checkout.environment | {"TERM": "xterm"}, start_new_session=True,
    ) as child:  # fmt: skip
        os.write(ours, b"touch /work/from-a-shell /cache/from-a-shell; python3 -c 'import torch'; exit 7\n")
        out, _ = child.communicate(timeout=600)
    os.close(ours)
    os.close(theirs)
    assert child.returncode == 7, out
    for folder in ("work", "cache"):
        made = checkout.root / folder / "from-a-shell"
        assert made.stat().st_uid == checkout.uid
        made.unlink()


def in_compose(compose: Compose, checkout: Checkout, *argv: str) -> subprocess.CompletedProcess[str]:
    """As the user of this process, often root: Compose has no way to pass on who is calling."""
    return compose(checkout.root, checkout.environment, "run", "--rm", "-T", "voicemill", *argv)


def test_compose_runs_the_apps_and_the_results_belong_to_the_checkouts_owner(
    compose: Compose, checkout: Checkout, prepared: subprocess.CompletedProcess[str], take: Path
) -> None:
    (checkout.root / "work/takes").mkdir(exist_ok=True)
    for each in (take, take.with_suffix(".txt")):
        (checkout.root / "work/takes" / each.name).write_bytes(each.read_bytes())
    checkout.own(checkout.root / "work/takes")

    voice = f"emil{len(compose.command)}"
    done = in_compose(compose, checkout, "voice-prep", "--voice", voice, "--audio", f"work/takes/{take.name}")
    assert done.returncode == 0, done.stderr
    assert f"pitch: {SENTENCES} of {SENTENCES} clips from the cache" in done.stderr  # what ./run has left in ./cache
    assert f"ARTIFACT work/datasets/{voice}/manifest.jsonl" in done.stdout
    dry = in_compose(compose, checkout, "voice-train-prod", "--preset", "smoke", "--voice", "dora", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.startswith(f"[tts-prod] head={checkout.commit[:8]}\n")
    belongs(checkout, checkout.root / "work")
    assert in_compose(compose, checkout, "voice-train-prod", "--preset", "huge").returncode == 2


def test_compose_runs_what_is_in_the_checkout_with_the_packages_that_it_pins(
    compose: Compose, checkout: Checkout, image: str
) -> None:
    code, pin = checkout.root / "lib/voicemill/__init__.py", checkout.root / "locks/torch.txt"
    before = code.read_bytes(), pin.read_bytes()
    try:
        code.write_bytes(before[0] + b'\nraise SystemExit("this is the code of the checkout")\n')
        shown = in_compose(compose, checkout, "voice-verify", "status", "work")
        assert "this is the code of the checkout" in shown.stderr
        pin.write_text("torch==0.1\n")
        refused = in_compose(compose, checkout, "voice-verify", "--help")
    finally:
        code.write_bytes(before[0])
        pin.write_bytes(before[1])
    assert refused.returncode == 1
    assert "[run][error] image_outdated" in refused.stderr


def test_compose_and_run_agree(compose: Compose, checkout: Checkout, building: dict[str, str]) -> None:
    def service(*files: str) -> dict[str, Any]:
        arguments = [part for name in files for part in ("-f", name)]
        shown = compose(checkout.root, building, *arguments, "config")
        assert shown.returncode == 0, shown.stderr
        found: dict[str, Any] = yaml.safe_load(shown.stdout)["services"]["voicemill"]
        return found

    cpu = service("docker-compose.yml")
    gpu = service("docker-compose.yml", "docker-compose.gpu.yml")
    assert cpu["image"] == "voicemill:cpu"
    assert str(cpu["shm_size"]) in ("1gb", str(2**30))
    assert gpu["image"] == "voicemill:cuda"
    assert str(gpu["shm_size"]) in ("8gb", str(8 * 2**30))
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device["count"] in ("all", -1)
    assert gpu["build"]["dockerfile"] == "docker/Dockerfile"  # built by itself, without an image that no registry has
    assert gpu["build"]["args"]["COMPUTE"] == "cu130"
    assert gpu["environment"]["TORCH_DEVICE"] == "cuda"


def test_compose_needs_no_folders_for_results(compose: Compose, checkout: Checkout, image: str) -> None:
    """In a checkout without work and cache: Compose 2 does not mount a folder that is not there."""
    moved = [name for name in ("work", "cache") if (checkout.root / name).exists()]
    for name in moved:
        (checkout.root / name).rename(checkout.root / f"{name}.kept")
    try:
        done = in_compose(compose, checkout, "voice-train-prod", "--preset", "smoke", "--voice", "dora", "--dry-run")
        assert done.returncode == 0, done.stderr
        belongs(checkout, checkout.root / "work")
    finally:
        for name in moved:
            shutil.rmtree(checkout.root / name, ignore_errors=True)
            (checkout.root / f"{name}.kept").rename(checkout.root / name)


def test_an_image_as_new_as_the_checkout_is_used_as_it_is(checkout: Checkout, image: str) -> None:
    identity = checkout.run("docker", "image", "inspect", "--format", "{{.Id}}", image).stdout
    done = checkout.run("./run", "voice-verify", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert checkout.run("docker", "image", "inspect", "--format", "{{.Id}}", image).stdout == identity
