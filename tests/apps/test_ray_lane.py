"""TRAIN_BACKEND=ray: a lane on a real Ray cluster of two nodes; its lines are those of every other lane."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ray_cluster import Cluster, two_nodes

from .conftest import Run
from .test_entry_points import progress, protocol_only

LANE = "train_production_voice.sh"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with two_nodes() as started:
        yield started


def test_a_dry_run_says_where_it_would_train(run: Run) -> None:
    done = run(LANE, TRAIN_BACKEND="ray", PROD_TTS_DRY_RUN=1, PROD_TTS_NODES=3, RAY_ADDRESS="head:6379")
    assert done.returncode == 0, done.stderr
    assert "Ray cluster at head:6379, in 3 process(es)" in done.stderr
    assert done.stdout.splitlines()[-1] == "[tts-prod] status=done backend=ray"


@pytest.mark.exhaustive
def test_a_voice_is_prepared_and_trained_on_the_cluster(
    run: Run, cluster: Cluster, tmp_path: Path, short_take: tuple[Path, Path]
) -> None:
    asked = {
        "TRAIN_BACKEND": "ray",
        "PROD_TTS_BASE_WEIGHTS_ID": "voicemill/from-scratch",
        "PROD_TTS_PRESET": "smoke",
        "PROD_TTS_MAX_STEPS": 4,
        "PROD_TTS_NODES": 2,
        "AUDIO_PATH": short_take[0],
        "VOICE_PROFILE_ID": "anna",
    } | {name: value for name, value in cluster.environment.items() if name.startswith("RAY_")}
    absent = run(LANE, **asked, RAY_ADDRESS="127.0.0.1:1")
    assert absent.returncode == 2, absent.stderr
    assert "[tts-prod] status=blocked reason=ray_unreachable:127.0.0.1:1" in absent.stdout

    done = run("prod/train_nemo_tts.py", **asked, RAY_ADDRESS=cluster.address)  # what follows runs here as ever
    assert done.returncode == 0, done.stderr[-4000:]
    lines = protocol_only(done.stdout)
    numbers = [int(line.split()[1]) for line in progress(done.stdout)]
    assert (numbers[0], numbers[-1]) == (0, 100)
    assert numbers == sorted(set(numbers))
    stats = [json.loads(line.removeprefix("STATS ")) for line in lines if line.startswith("STATS ")]
    for model in ("FastPitch", "HiFi-GAN"):
        assert [each["step"] for each in stats if each.get("model") == model] == [1, 2, 3, 4]
    artifacts = [line.removeprefix("ARTIFACT ") for line in lines if line.startswith("ARTIFACT ")]
    assert artifacts[-1] == "artifacts/prod_tts_train_status.json"
    assert all((tmp_path / path).is_file() for path in artifacts)
    status = json.loads((tmp_path / artifacts[-1]).read_text())
    assert (status["status"], status["metrics"]["steps"], status["settings"]["nodes"]) == ("ok", 4, 2)
    assert done.stderr.count("Training on the Ray cluster") == 2
