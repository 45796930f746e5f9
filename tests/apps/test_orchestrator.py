"""train_production_voice.sh: gates, reasons, exit codes, and what is asked of the engine.

The engine here is a stand-in that records how it is called and fails when told to; tests/docker has the real one.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

LANE = "train_production_voice.sh"
STATUS = "artifacts/train_status.tts_prod_train.json"
LOG = "artifacts/voice_train_prod.orchestrator.log"

ENGINE = """#!{python}
import json, os, pathlib, signal, sys, time
here = pathlib.Path(__file__).resolve().parent
with (here / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
verb = sys.argv[1]
if verb == "--version":
    print("Docker version 20.10.24, build 0")
elif verb == "info":
    print("{{}}")
elif verb == "build":
    print("step 1 of the build")
    if os.environ.get("FAIL_BUILD"):
        print("E: no such package", file=sys.stderr)
        raise SystemExit(17)
elif verb in ("run", "start") :
    mounts = dict(
        (part.split("target=")[1].split(",")[0].rstrip('"'), part.split("source=")[1].split(",target=")[0].rstrip('"'))
        for flag, part in zip(sys.argv, sys.argv[1:]) if flag == "--mount" and "source=" in part
    )
    status = pathlib.Path(mounts["/work/artifacts"]) / "train_status.tts_prod_train.json"
    say = lambda line: print(line, flush=True)
    say("[tts-prod] head=cafecafe")
    say("PROGRESS 0 100")
    final = os.environ.get("FINAL", "completed")
    if os.environ.get("WAIT"):
        def stop(signum, frame):
            final = dict(state="error", status="error", reason="interrupted:sigterm")
            final |= dict(job_type="tts_prod_train", progress=dict(current=7, total=100), stats={{}}, artifacts=[])
            status.write_text(json.dumps(final))
            raise SystemExit(128 + signum)
        signal.signal(signal.SIGTERM, stop); signal.signal(signal.SIGINT, stop)
        say('STATS {{"waiting":true}}')
        time.sleep(60)
    if final != "none":
        reason = None if final == "completed" else "missing_transcript"
        status.write_text(json.dumps(dict(job_type="tts_prod_train", status=final, state=final, reason=reason,
            progress=dict(current=9, total=100), stats=dict(a=1), artifacts=[])))
    print("a person reads this", file=sys.stderr)
    say("PROGRESS 100 100")
    say("[tts-prod] status=done backend=local")
    say("=== DOCKER PROD TRAIN REPORT ===")
    say("outcome=" + ("success" if final == "completed" else "failed"))
    raise SystemExit(int(os.environ.get("RUN_CODE", "0")))
"""


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A folder for PATH with a stand-in `docker`."""
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / "docker").write_text(ENGINE.format(python=sys.executable))
    (folder / "docker").chmod(0o755)
    return folder


@pytest.fixture
def path(engine: Path) -> str:
    return f"{engine}{os.pathsep}{os.environ['PATH']}"


def calls(engine: Path, verb: str) -> list[list[str]]:
    lines = (engine / "calls.jsonl").read_text().splitlines()
    return [call for call in map(json.loads, lines) if call[0] == verb]


def status(folder: Path, name: str = STATUS) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / name).read_text())
    return found


@pytest.mark.parametrize("python", ["ours", "bare"])
def test_a_managed_job_is_blocked_with_a_status_file(run, tmp_path, head, bare_python, python):
    chosen = {"VOICEMILL_PYTHON": bare_python} if python == "bare" else {}
    done = run(LANE, TRAIN_BACKEND="managed_job", **chosen)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        f"[tts-prod] head={head[:8]}",
        'STATS {"reason":"managed_job_not_implemented","status":"blocked"}',
        f"ARTIFACT {STATUS}",
        "[tts-prod] status=blocked reason=managed_job_not_implemented",
    ]
    assert (status(tmp_path)["state"], status(tmp_path)["reason"]) == ("blocked", "managed_job_not_implemented")
    assert (tmp_path / LOG).exists()


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"EXPECTED_HEAD": "deadbeef"}, "deterministic_head_mismatch got={head} expected=deadbeef"),
        ({"AUDIO_PATH": "no such.flac"}, "missing_audio_path path=no such.flac"),
        ({"AUDIO_PATH": "empty.flac"}, "audio_too_small"),
        ({"AUDIO_PATH": "pointer.flac"}, "audio_lfs_pointer"),
        ({"WEIGHTS_MANIFEST_PATH": "none.json"}, "invalid_weights_manifest path=none.json"),
        ({"WEIGHTS_MANIFEST_PATH": "bad.json"}, "invalid_weights_manifest path=bad.json"),
        ({"TRAIN_LANE": "musicgen"}, "invalid_lane lane=musicgen"),
        ({"TRAIN_BACKEND": "cloud"}, "invalid_backend backend=cloud"),
        ({"TOOLBOX_RUNTIME": "direct"}, "container_engine_unavailable"),
    ],
)
def test_gates_refuse_with_one_line_and_a_next_step(run, tmp_path, head, environment, line):
    (tmp_path / "empty.flac").touch()
    (tmp_path / "pointer.flac").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n" * 3)
    (tmp_path / "bad.json").write_text('{"model_id": "a"}')
    done = run(LANE, **environment)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0] == f"[tts-prod] head={head[:8]}"
    assert done.stderr.splitlines()[0] == "[tts-prod][error] " + line.format(head=head[:8])
    assert 2 <= len(done.stderr.splitlines()) <= 4
    found = status(tmp_path)
    assert (found["state"], str(found["reason"])) == ("error", line.split()[0])


def test_the_first_reason_is_the_contracts(run):
    """Everything is wrong at once; each mended gate shows the next one."""
    wrong = {
        "EXPECTED_HEAD": "deadbeef",
        "AUDIO_PATH": "none.flac",
        "WEIGHTS_MANIFEST_PATH": "none.json",
        "TRAIN_BACKEND": "cloud",
        "TOOLBOX_RUNTIME": "direct",
    }
    reasons = []
    for name in list(wrong):
        reasons.append(run(LANE, **wrong).stderr.split()[1])
        del wrong[name]
    assert reasons == [
        "deterministic_head_mismatch",
        "missing_audio_path",
        "invalid_weights_manifest",
        "invalid_backend",
        "container_engine_unavailable",
    ]


def test_expected_head_that_fits_and_a_good_manifest_let_the_run_go_on(run, tmp_path, checkout, head, path):
    manifest = checkout / "configs/voice/weights-manifest.example.json"
    done = run(LANE, EXPECTED_HEAD=head[:8], WEIGHTS_MANIFEST_PATH=manifest, PATH=path)
    assert done.returncode == 0, done.stderr
    assert "[weights-manifest] status=ok" in done.stdout.splitlines()


@pytest.mark.parametrize("python", ["ours", "bare"])
def test_build_and_run_and_only_the_protocol_on_stdout(run, tmp_path, head, engine, path, bare_python, python):
    chosen = {"VOICEMILL_PYTHON": bare_python} if python == "bare" else {}
    take = tmp_path / "takes, 2024/take one.flac"
    take.parent.mkdir()
    take.write_bytes(b"x" * 200)
    done = run(
        LANE,
        PATH=path,
        AUDIO_PATH=take.relative_to(tmp_path),
        IMAGE_TAG="me/voice:1",
        VOICE_PROFILE_ID="anna",
        PROD_TTS_DRY_RUN=1,
        PROD_TTS_ALLOWLIST=tmp_path / "list/allow.json",
        PROMOTED_BUNDLE_ROOT=tmp_path / "elsewhere/voices",
        PROD_TTS_EVAL_PATH="artifacts/my eval.json",
        **chosen,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"[tts-prod] head={head[:8]}",
        "PROGRESS 0 100",
        "PROGRESS 100 100",
        "=== DOCKER PROD TRAIN REPORT ===",
        "outcome=success",
        'STATS {"reason":null,"status":"completed"}',
        f"ARTIFACT {STATUS}",
        "[tts-prod] status=done backend=local_docker",
    ]
    assert "a person reads this" in done.stderr
    (built,) = calls(engine, "build")
    assert built[built.index("--tag") + 1] == "me/voice:1"
    (ran,) = calls(engine, "run")
    assert ran[-3:] == ["me/voice:1", "python3", "/app/scripts/voice/container_prod_train.py"]
    assert ran[ran.index("--user") + 1] == f"{os.getuid()}:{os.getgid()}"
    mounts = [value for flag, value in itertools.pairwise(ran) if flag == "--mount"]
    for name in ("artifacts", "checkpoints", "bundles", "datasets", "reports"):
        assert f"type=bind,source={tmp_path}/{name},target=/work/{name}" in mounts
        assert (tmp_path / name).is_dir()
    assert f'type=bind,"source={take.parent}",target=/inputs/0,readonly' in mounts
    given = dict(value.split("=", 1) for flag, value in itertools.pairwise(ran) if flag == "--env")
    assert given["AUDIO_PATH"] == "/inputs/0/take one.flac"
    assert given["PROD_TTS_ALLOWLIST"] == "/inputs/1/allow.json"
    assert given["PROD_TTS_EVAL_PATH"] == "/work/artifacts/my eval.json"
    assert given["PROMOTED_BUNDLE_ROOT"] == "/results/0"
    assert f"type=bind,source={tmp_path}/elsewhere/voices,target=/results/0" in mounts
    assert (given["VOICE_PROFILE_ID"], given["PROD_TTS_DRY_RUN"], given["PROD_TTS_COMMIT"]) == ("anna", "1", head)
    log = (tmp_path / LOG).read_text()
    for said in ("step 1 of the build", "[tts-prod] head=cafecafe", "a person reads this"):
        assert said in log
    assert status(tmp_path)["state"] == "completed"


def test_the_demo_lies_in_the_image_with_its_script(run, engine, path, checkout):
    assert run(LANE, PATH=path, AUDIO_PATH=checkout / "data/demo/demo.flac").returncode == 0
    assert not [value for value in calls(engine, "run")[0] if value.startswith("AUDIO_PATH=")]


def test_dockerfile_log_path_and_gpu_reach_the_engine(run, tmp_path, engine, path):
    (tmp_path / "My.Dockerfile").touch()
    done = run(LANE, PATH=path, DOCKERFILE="My.Dockerfile", LOG_PATH="logs/my.log")
    assert done.returncode == 0, done.stderr
    (built,) = calls(engine, "build")
    assert built[built.index("--file") + 1] == "My.Dockerfile"
    assert "step 1 of the build" in (tmp_path / "logs/my.log").read_text()
    (engine / "calls.jsonl").unlink()
    assert run(LANE, PATH=path, TOOLBOX_VARIANT="gpu").returncode == 0
    assert [call[call.index("--tag") + 1] for call in calls(engine, "build")] == [
        "voicemill:cuda-base",
        "voicemill:cuda",
    ]
    (ran,) = calls(engine, "run")
    assert ran[ran.index("--gpus") + 1] == "all"


def test_a_build_that_fails_shows_the_end_of_the_log(run, tmp_path, engine, path):
    done = run(LANE, PATH=path, FAIL_BUILD=1)
    assert done.returncode == 1
    assert f"[tts-prod][error] docker_build_failed exit_code=17 image=voicemill:cpu log={LOG}" in done.stderr.replace(
        f"{tmp_path}/", ""
    )
    assert "E: no such package" in done.stderr
    assert "status=done" not in done.stdout
    assert not calls(engine, "run")
    assert (status(tmp_path)["state"], status(tmp_path)["reason"]) == ("error", "docker_build_failed")


def test_a_container_that_fails_keeps_the_lanes_own_reason(run, tmp_path, path):
    done = run(LANE, PATH=path, RUN_CODE=2, FINAL="blocked")
    assert done.returncode == 1
    assert "[tts-prod][error] docker_run_failed exit_code=2 log=" in done.stderr
    assert "--- the last lines of" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[-4:] == [
        "=== DOCKER PROD TRAIN REPORT ===",
        "outcome=failed",
        'STATS {"reason":"missing_transcript","status":"blocked"}',
        f"ARTIFACT {STATUS}",
    ]
    found = status(tmp_path)
    assert (found["state"], found["reason"], found["stats"]) == ("blocked", "missing_transcript", {"a": 1})


@pytest.mark.parametrize("code", [0, 137])
def test_a_container_that_leaves_no_result_is_a_failure(run, tmp_path, path, code):
    done = run(LANE, PATH=path, RUN_CODE=code, FINAL="none")
    assert done.returncode == 1
    assert f"docker_run_failed exit_code={code}" in done.stderr
    assert (status(tmp_path)["state"], status(tmp_path)["reason"]) == ("error", "docker_run_failed")


def test_without_pydantic_the_host_judges_the_weights_manifest(run, tmp_path, checkout, engine, path, bare_python):
    (tmp_path / "weights.json").write_text("{}")
    given = {"PATH": path, "VOICEMILL_PYTHON": bare_python}
    done = run(LANE, **given, WEIGHTS_MANIFEST_PATH="weights.json")
    assert done.returncode == 1
    assert "[tts-prod][error] invalid_weights_manifest path=weights.json" in done.stderr
    assert "[weights-manifest] error=missing_field field=model_id" in done.stdout.splitlines()
    assert not (engine / "calls.jsonl").exists()
    done = run(LANE, **given, WEIGHTS_MANIFEST_PATH=checkout / "configs/voice/weights-manifest.example.json")
    assert done.returncode == 0, done.stderr
    assert "[weights-manifest] status=ok" in done.stdout.splitlines()
    assert len(calls(engine, "run")) == 1


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_reaches_the_container_and_is_the_exit_code(checkout, tmp_path, path, signum, code):
    base = {name: value for name, value in os.environ.items() if not name.startswith("TOOLBOX_")}
    environment = {**base, "PATH": path, "WAIT": "1", "VOICEMILL_PYTHON": sys.executable}
    with subprocess.Popen(
        ["bash", str(checkout / "scripts/voice" / LANE)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        for line in child.stdout or ():
            if line.startswith("STATS"):
                os.killpg(child.pid, signum) if signum == signal.SIGINT else child.send_signal(signum)
                break
        _, err = child.communicate(timeout=60)
    assert child.returncode == code, err
    assert f"[tts-prod][error] interrupted:{signal.Signals(signum).name.lower()}" in err
    assert status(tmp_path)["reason"] == "interrupted:sigterm", "the lane in the container had the last word"


@pytest.mark.slow
def test_the_nemo_lane_runs_directly_and_always_writes_its_status(run, tmp_path, engine, path, head):
    name = "artifacts/train_status.tts_prod_train_nemo.json"
    done = run(LANE, PATH=path, TRAIN_LANE="tts_prod_train_nemo", PROD_TTS_DRY_RUN=1)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == (f"[tts-prod] head={head[:8]}", "[tts-prod] status=done backend=local")
    assert lines.count(lines[0]) == 1
    assert not (engine / "calls.jsonl").exists()
    assert status(tmp_path, name)["state"] == "completed"
    blocked = run(LANE, TRAIN_LANE="tts_prod_train_nemo")
    assert blocked.returncode == 2
    assert "[tts-prod] status=blocked reason=weights_unavailable:nvidia/nemo-tts-fastpitch-en" in blocked.stdout
    assert status(tmp_path, name)["state"] == "blocked"
    refused = run(LANE, TRAIN_LANE="tts_prod_train_nemo", EXPECTED_HEAD="deadbeef")
    assert (refused.returncode, status(tmp_path, name)["reason"]) == (1, "deterministic_head_mismatch")


@pytest.mark.slow
def test_the_nemo_lane_on_a_bare_python_is_blocked(run, tmp_path, bare_python):
    done = run(LANE, TRAIN_LANE="tts_prod_train_nemo", VOICEMILL_PYTHON=bare_python, EXPECTED_HEAD="")
    # The child runs on the same interpreter, whose packages this test cannot take away: what counts is that it ended well
    # or blocked, with a status file, and never with a traceback.
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert status(tmp_path, "artifacts/train_status.tts_prod_train_nemo.json")["state"] == "blocked"


def test_the_local_backend_is_the_main_lane_on_this_python(run, tmp_path):
    done = run(LANE, TRAIN_BACKEND="local", PROD_TTS_DRY_RUN=1)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[tts-prod] status=done backend=local"
    assert "PROGRESS 4 4" in (tmp_path / LOG).read_text()


def test_a_lane_that_dies_is_recorded(run, tmp_path):
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub/sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "if any('train_production_' in part for part in getattr(sys, 'orig_argv', [])): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = run(LANE, TRAIN_BACKEND="local", PYTHONPATH=tmp_path / "stub")
    assert done.returncode == 1
    assert "[tts-prod][error] lane_died:exit_code=137" in done.stderr
    assert status(tmp_path)["reason"] == "lane_died:exit_code=137"


def test_no_python_is_one_sentence(checkout, tmp_path):
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "dirname"):
        source = next(Path(folder) / tool for folder in ("/usr/bin", "/bin") if (Path(folder) / tool).exists())
        (tmp_path / "bin" / tool).symlink_to(source)
    done = subprocess.run(
        ["bash", str(checkout / "scripts/voice" / LANE)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": str(tmp_path / "bin")},
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("[tts-prod][error] runtime_dependency_missing:python3\n")


def test_work_that_cannot_be_written_is_one_sentence(run, tmp_path):
    (tmp_path / "artifacts").write_text("a file")
    done = run(LANE, TRAIN_BACKEND="managed_job")
    assert done.returncode == 2
    assert "[tts-prod][error] not_writable" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("script", [LANE, "colab_run_prod_tts_once.sh"])
def test_arguments_are_bad_usage_and_help_helps(run, tmp_path, script):
    done = run(script, "--audio", "take.flac")
    assert (done.returncode, done.stdout) == (1, "")
    assert "[tts-prod][error] bad_usage" in done.stderr
    assert not (tmp_path / "artifacts").exists()
    helped = run(script, "--help")
    assert helped.returncode == 0
    assert "environment" in helped.stdout
