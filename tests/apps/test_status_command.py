"""voice-verify status: lanes that run, have ended, and died."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from voicemill.lane_status import StatusFile

HOLD = """
import sys, time
from pathlib import Path
from voicemill.lane_status import StatusFile

StatusFile(Path(sys.argv[1]), "tts_prod_train").update(progress=(40, 100))
print("written", flush=True)
time.sleep(60)
"""


def verify(repository: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(repository / "apps/voice-verify/voice-verify.py"), "status", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def test_running_then_dead_then_replaced(run, repository, tmp_path):
    path = tmp_path / "artifacts/train_status.tts_prod_train.json"
    argv = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        argv, env={"PYTHONPATH": str(repository / "lib")}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        done = verify(repository, tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"tts_prod_train: running (40 of 100, process {process.pid} on ")
        process.kill()
    done = verify(repository, tmp_path, "--json")
    assert done.returncode == 3
    assert done.stderr.startswith("[voice-verify][error] lane_dead:train_status.tts_prod_train.json\n")
    (lane,) = json.loads(done.stdout)["lanes"]
    assert (lane["liveness"], lane["state"], lane["pid"]) == ("dead", "running", process.pid)

    again = run("train_production_tts.py", PROD_TTS_DRY_RUN=1)
    assert again.returncode == 0, again.stderr
    assert (
        f"The lane before this one is dead: its process ended without a result (40 of 100, process {process.pid} "
        in (again.stderr)
    )
    done = verify(repository, path)
    assert (done.returncode, done.stdout) == (0, "tts_prod_train: completed\n")


def test_the_status_of_a_blocked_lane(run, repository, tmp_path):
    run("train_production_tts.py", PROD_TTS_DRY_RUN=1, PROD_TTS_BASE_WEIGHTS_ID="nobody/nothing")
    done = verify(repository, tmp_path)
    assert done.stdout == "tts_prod_train: blocked (allowlist_rejected:selected_weights_not_listed)\n"
    assert done.returncode == 0


def test_places_without_a_status_are_refused(repository, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in ("empty", "nowhere"):
        done = verify(repository, tmp_path / place)
        assert done.returncode == 1
        assert done.stderr.startswith("[voice-verify][error] missing_input_file\n")
    StatusFile(tmp_path / "train_status.job.json", "job")
    (tmp_path / "train_status.other.json").write_text('{"state": "fine"}')
    done = verify(repository, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("[voice-verify][error] lane_status_invalid:train_status.other.json\n")
