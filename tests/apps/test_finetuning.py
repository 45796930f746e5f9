"""The whole lane from somebody's checkpoint: downloaded in pieces, gated, learned from, credited; and from a voice of
before.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.unit.training.conftest import tiny_config, write_dataset
from tests.weights_server import FileServer, serving

from voicemill import files
from voicemill.training.train_fastpitch import train_acoustic
from voicemill.weights.allowlist import SHIPPED

from .conftest import OURS

pytestmark = pytest.mark.slow
BASE = "somebody/tiny-fastpitch"
PRESET = {
    "acoustic": {
        "base_weights": BASE,
        "alignment": "forced_prior",
        "optimiser": {"learning_rate": 2.0e-4, "schedule": "constant", "warmup_steps": 0},
        "max_steps": 6,
        "batch_size": 8,
        "bias_from_data": False,
    },
    "vocoder": {"max_steps": 2, "batch_size": 2},
    "evaluation": {"long_sentences": False, "numbers": False},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    """Serves a small FastPitch that has learned tones; its dictionary knows four words."""
    folder = tmp_path_factory.mktemp("base")
    base = train_acoustic(tiny_config(max_steps=3), write_dataset(folder / "tones"), folder).nemo_path
    if base is None:
        pytest.fail("the base was not trained")
    with serving(folder, base.read_bytes()) as running:
        yield running


@pytest.fixture(scope="module")
def studio(checkout: Path, server: FileServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose allowlist pins the base, and whose preset `finetune` starts from it."""
    root = tmp_path_factory.mktemp("studio") / "repository"
    shutil.copytree(checkout, root, symlinks=True)
    listed = files.read_json(root / SHIPPED)
    listed["weights"].append(
        {
            "id": BASE,
            "provider": "Somebody",
            "kind": "fastpitch",
            "weights_license": "CC-BY-4.0",
            "code_license": "Apache-2.0",
            "commercial_use_allowed": True,
            "redistribution_allowed": True,
            "attribution_required": True,
            "license_url": "https://creativecommons.org/licenses/by/4.0/",
            "attribution": "Made by Somebody out of tones.",
            "files": [
                {
                    "path": "base.nemo",
                    "url": server.url,
                    "sha256": files.sha256_bytes(server.data),
                    "bytes": len(server.data),
                }
            ],
        }
    )
    files.write_json(root / SHIPPED, listed)
    (root / "configs/voice/prod_tts/presets/finetune.yaml").write_text(yaml.safe_dump(PRESET))
    return root


def lane(studio: Path, server: FileServer, take: tuple[Path, Path], *more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment |= {
        "WORK_DIR": str(studio / "work"),
        "CACHE_DIR": str(studio / "cache"),
        "SSL_CERT_FILE": str(server.certificate),
    }
    argv = [sys.executable, str(studio / "apps/voice-train-prod/voice-train-prod.py")]
    argv += ["--preset", "finetune", "--audio", str(take[0]), "--script", str(take[1]), *more]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=1500, check=False, env=environment, cwd=studio.parent
    )


@pytest.fixture(scope="module")
def finetuned(studio: Path, server: FileServer, short_take: tuple[Path, Path]) -> subprocess.CompletedProcess[str]:
    """The lane after a download that broke off for good and one that broke off once."""
    third = len(server.data) // 3
    server.breaks = [third, 0]
    refused = lane(studio, server, short_take, "--voice", "anna")
    assert refused.returncode == 2, refused.stderr
    assert f"[tts-prod] status=blocked reason=weights_unavailable:{BASE}" in refused.stdout
    assert "Traceback" not in refused.stderr
    (part,) = (studio / "cache/weights" / BASE).iterdir()
    assert part.stat().st_size == third
    server.breaks = [third]
    return lane(studio, server, short_take, "--voice", "anna", "--find-learning-rate")


def test_the_download_goes_on_where_it_broke_off(
    finetuned: subprocess.CompletedProcess[str], studio: Path, server: FileServer
) -> None:
    assert finetuned.returncode == 0, finetuned.stderr
    third = len(server.data) // 3
    assert server.ranges == [None, f"bytes={third}-", f"bytes={third}-", f"bytes={2 * third}-"]
    assert (studio / "cache/weights" / BASE / "base.nemo").read_bytes() == server.data
    assert f"download {BASE}" in finetuned.stderr
    assert "MB" in finetuned.stderr


def test_the_voice_says_what_it_began_with(finetuned: subprocess.CompletedProcess[str], studio: Path) -> None:
    assert finetuned.returncode == 0, finetuned.stderr
    status = json.loads((studio / "work/artifacts/prod_tts_train_status.json").read_text())
    assert (status["selected_weights_id"], status["init_from"]) == (BASE, None)
    assert (status["metrics"]["steps"], status["metrics"]["vocoder_steps"]) == (6, 2)
    bundle = studio / "work/bundles/anna/voice_bundle"
    assert "Made by Somebody out of tones." in (bundle / "ATTRIBUTION.txt").read_text()
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["provenance"]["source_weights_refs"]["id"] == BASE
    assert list((studio / "work/checkpoints/prod_tts/anna/vocoder/aligned_mels").glob("*.npy"))


def test_the_rate_that_was_found_stands_in_the_settings(
    finetuned: subprocess.CompletedProcess[str], studio: Path
) -> None:
    assert finetuned.returncode == 0, finetuned.stderr
    found = json.loads((studio / "work/checkpoints/prod_tts/anna/acoustic/learning_rate.json").read_text())
    status = json.loads((studio / "work/artifacts/prod_tts_train_status.json").read_text())
    config = json.loads((studio / "work/checkpoints/prod_tts/anna/config.json").read_text())
    for settings in (status["settings"], config):
        optimiser = settings["acoustic"]["optimiser"]
        assert (optimiser["find_learning_rate"], optimiser["learning_rate"]) == (True, found["learning_rate"])
    assert "The learning-rate finder" in finetuned.stderr
    assert "The learning-rate finder does not apply to HiFi-GAN" in finetuned.stderr


def test_the_base_s_tokenizer_and_dictionary_are_kept_and_the_pitch_is_the_speaker_s(
    finetuned: subprocess.CompletedProcess[str], studio: Path
) -> None:
    from voicemill.training.runtime import nemo_runtime, restore_fastpitch

    assert finetuned.returncode == 0, finetuned.stderr
    facts = json.loads((studio / "work/datasets/anna/dataset.json").read_text())
    with nemo_runtime():
        base = restore_fastpitch(studio / "cache/weights" / BASE / "base.nemo")
        voice = restore_fastpitch(studio / "work/bundles/anna/voice_bundle/fastpitch.nemo")
    assert voice.vocab.g2p.phoneme_dict == base.vocab.g2p.phoneme_dict
    assert voice.vocab.tokens == base.vocab.tokens
    assert float(voice.fastpitch.pitch_mean) == pytest.approx(facts["pitch_mean"], rel=1e-5)
    assert float(voice.fastpitch.pitch_mean) != pytest.approx(float(base.fastpitch.pitch_mean), rel=1e-3)


def test_an_earlier_voice_is_a_start_whose_licence_is_inherited_by_two_processes_too(
    finetuned: subprocess.CompletedProcess[str], studio: Path, server: FileServer, short_take: tuple[Path, Path]
) -> None:
    assert finetuned.returncode == 0, finetuned.stderr
    asked = len(server.ranges)
    start = studio / "work/bundles/anna/voice_bundle/fastpitch.nemo"
    both = lane(studio, server, short_take, "--init-from", str(start), "--base-weights", BASE)
    assert both.returncode == 1
    assert "two starts" in both.stderr
    done = lane(
        studio, server, short_take, "--voice", "bea", "--init-from", str(start), "--max-steps", "2", "--devices", "2"
    )
    assert done.returncode == 0, done.stderr
    assert len(server.ranges) == asked, "nothing is fetched again"
    status = json.loads((studio / "work/artifacts/prod_tts_train_status.json").read_text())
    assert status["selected_weights_id"] == BASE
    assert (status["init_from"]["voice"], status["init_from"]["sha256"]) == ("anna", files.sha256_file(start))
    assert "torchrun" not in done.stdout
    assert (status["metrics"]["steps"], status["settings"]["devices"]) == (2, 2)
    said = (studio / "work/bundles/bea/voice_bundle/ATTRIBUTION.txt").read_text()
    assert said.count("Made by Somebody out of tones.") == 2, "as its own base, and among the notices of anna"
