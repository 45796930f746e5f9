"""The limits of a preset end a lane, and voice-verify quality measures a finished voice: one real, tiny training."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs/voice/prod_tts"


@dataclass(frozen=True)
class Place:
    """A work folder and a configuration whose smoke preset demands what no voice can give."""

    folder: Path
    strict: Path

    def app(self, name: str, *argv: object, **environment: object) -> subprocess.CompletedProcess[str]:
        return self._start(ROOT / f"apps/{name}/{name}.py", *argv, **environment)

    def step(self, name: str) -> subprocess.CompletedProcess[str]:
        return self._start(ROOT / "scripts/voice/prod" / name)

    def _start(self, script: Path, *argv: object, **environment: object) -> subprocess.CompletedProcess[str]:
        ours = ("PROD_TTS_", "VOICE_", "TRAIN_", "AUDIO_")
        base = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        base |= {"WORK_DIR": str(self.folder / "work"), "CACHE_DIR": str(self.folder / "cache")}
        return subprocess.run(
            [sys.executable, str(script), *map(str, argv)],
            capture_output=True,
            text=True,
            timeout=800,
            cwd=self.folder,
            check=False,
            env=base | {key: str(value) for key, value in environment.items()},
        )

    def json(self, path: str) -> dict[str, object]:
        return dict(json.loads((self.folder / "work" / path).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("quality")
    shutil.copytree(CONFIGS, folder / "strict")
    preset = folder / "strict/presets/smoke.yaml"
    asked = "evaluation: {long_sentences: false, numbers: false}"
    text = preset.read_text(encoding="utf-8")
    assert asked in text
    strict = asked.removesuffix("}") + ", limits: {max_mcd: 0.001, max_gross_pitch_error: 1}}"
    preset.write_text(text.replace(asked, strict), encoding="utf-8")
    return Place(folder, folder / "strict/nemo_fastpitch_hifigan.yaml")


@pytest.fixture(scope="module")
def refused(place: Place, short_take: tuple[Path, Path]) -> subprocess.CompletedProcess[str]:
    argv = ("--preset", "smoke", "--voice", "anna", "--audio", short_take[0], "--script", short_take[1])
    return place.app("voice-train-prod", *argv, PROD_TTS_CONFIG=place.strict)


@pytest.fixture(scope="module")
def accepted(
    place: Place, refused: subprocess.CompletedProcess[str], short_take: tuple[Path, Path]
) -> subprocess.CompletedProcess[str]:
    """The same voice under the shipped preset; the training is found again."""
    argv = ("--preset", "smoke", "--voice", "anna", "--audio", short_take[0], "--script", short_take[1])
    return place.app("voice-train-prod", *argv)


@pytest.mark.slow
def test_outside_its_limits_the_lane_ends_and_says_what_was_outside_what(
    place: Place, refused: subprocess.CompletedProcess[str]
) -> None:
    assert refused.returncode == 3, refused.stderr
    assert "[tts-prod][error] quality_outside_limits:mcd max_mcd=0.001" in refused.stderr
    assert "The voice is outside its limits: mcd " in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "status=done" not in refused.stdout
    lane = place.json("artifacts/train_status.tts_prod_train.json")
    assert (lane["state"], lane["reason"]) == ("error", "quality_outside_limits:mcd")
    training = place.json("artifacts/prod_tts_train_status.json")
    assert (training["status"], training["root_cause"]) == ("blocked", "quality_outside_limits:mcd")
    evaluation = place.json("artifacts/prod_tts_eval.json")
    assert (evaluation["status"], evaluation["root_cause"]) == ("blocked", "quality_outside_limits:mcd")
    assert [(row["name"], row["holds"]) for row in evaluation["limits"]] == [  # type: ignore[attr-defined]
        ("max_mcd", False),
        ("max_gross_pitch_error", True),
    ]
    assert evaluation["figures"]["mcd"]["value"] > 0.001  # type: ignore[index]
    report = (place.folder / "work/reports/anna.html").read_text(encoding="utf-8")
    assert "outside its limits and was not bundled: Mel-cepstral distortion" in report
    assert not (place.folder / "work/bundles").exists()
    assert not (place.folder / "work/checkpoints/prod_tts_voice_bundle").exists()


@pytest.mark.slow
def test_a_voice_inside_its_limits_goes_on_from_the_same_training(
    place: Place, accepted: subprocess.CompletedProcess[str]
) -> None:
    assert accepted.returncode == 0, accepted.stderr
    assert "trained already" in accepted.stderr
    assert place.json("artifacts/prod_tts_eval.json")["status"] == "ok"


@pytest.mark.slow
def test_quality_measures_the_graph_that_ships_and_agrees_with_the_evaluation(
    place: Place, accepted: subprocess.CompletedProcess[str]
) -> None:
    done = place.app("voice-verify", "quality", "anna", "--dataset", "anna", "--preset", "smoke", "--json")
    assert done.returncode == 0, done.stderr
    report, evaluation = json.loads(done.stdout), place.json("artifacts/prod_tts_eval.json")
    again = report["figures"]
    vocoders: list[dict[str, Any]] = evaluation["vocoders"]  # type: ignore[assignment]
    # The graph speaks with its watermark, 31 dB below the speech; the evaluation of the training had neither.
    before = next(row["figures"] for row in vocoders if row["name"] == report["chosen_vocoder"])
    assert report["chosen_vocoder"] == "istft"
    tolerances = {"mcd": 0.5, "f0_rmse": 5.0, "speaker_similarity": 0.03, "dnsmos_p808": 0.15, "duration_ratio": 1e-3}
    for name, tolerance in tolerances.items():
        assert again[name]["value"] == pytest.approx(before[name]["value"], abs=tolerance), name
        assert again[name]["samples"] == before[name]["samples"], name
    assert "through voice.onnx" in report["vocoders"][0]["description"]
    assert again["copy_mcd"]["value"] is None
    assert again["long_cer"]["not_measured"] == "The preset leaves this test out."
    assert -1 <= again["speaker_similarity"]["value"] <= again["speaker_similarity_real"]["value"]
    strict = place.app(
        "voice-verify", "quality", "anna", "--dataset", "anna", "--preset", "smoke", PROD_TTS_CONFIG=place.strict
    )
    assert strict.returncode == 3
    assert "quality_outside_limits:mcd" in strict.stderr
    assert "Mel-cepstral distortion" in strict.stdout
    assert "OUTSIDE  mcd " in strict.stdout


@pytest.mark.slow
def test_the_evaluation_step_alone_refuses_too_and_nothing_is_bundled_after_it(
    place: Place, accepted: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    shutil.copytree(place.folder / "work", tmp_path / "work")
    config = tmp_path / "work/checkpoints/prod_tts/anna/config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings["evaluation"]["limits"]["min_f0_correlation"] = 1.0
    config.write_text(json.dumps(settings), encoding="utf-8")
    here = Place(tmp_path, place.strict)
    done = here.step("eval_nemo_tts.py")
    assert done.returncode == 3, done.stderr
    assert "quality_outside_limits:f0_correlation min_f0_correlation=1" in done.stderr
    evaluation = here.json("artifacts/prod_tts_eval.json")
    assert evaluation["root_cause"] == "quality_outside_limits:f0_correlation"
    assert evaluation["figures"]["mcd"]["value"] is not None  # type: ignore[index]
    shutil.rmtree(tmp_path / "work/checkpoints/prod_tts_voice_bundle")
    assert here.step("build_voice_bundle.py").returncode == 2
    assert not (tmp_path / "work/checkpoints/prod_tts_voice_bundle").exists()


@pytest.mark.slow
def test_quality_without_recordings_measures_what_needs_none(
    place: Place, accepted: subprocess.CompletedProcess[str]
) -> None:
    bundle = place.folder / "work/bundles/anna/voice_bundle"
    done = place.app("voice-verify", "quality", bundle, "--preset", "smoke", "--json", PROD_TTS_CONFIG=place.strict)
    assert done.returncode == 0, done.stderr  # the limit of a figure that needs recordings does not count
    found = json.loads(done.stdout)
    assert found["figures"]["mcd"]["not_measured"] == "No recordings were given to compare with."
    assert found["figures"]["cer"]["value"] > 0
    assert found["figures"]["cer"]["samples"] == 10
    assert {row["kind"] for row in found["trials"]} == {"plain"}


@pytest.mark.parametrize(
    ("argv", "code", "reason"),
    [
        (["nobody"], 1, "bundle_not_found"),
        (["nobody", "--dataset", "none"], 1, "dataset_not_found"),
        (["../x"], 1, "bundle_not_found"),
        (["nobody", "--preset", "huge"], 2, "unknown_preset"),
        ([], 1, "bad_usage"),
    ],
)
def test_what_cannot_be_measured_is_refused(place: Place, argv: list[str], code: int, reason: str) -> None:
    done = place.app("voice-verify", "quality", *argv)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert f"[voice-verify][error] {reason}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_changed_bundle_is_not_loaded(place: Place, tmp_path: Path) -> None:
    (tmp_path / "voice_bundle").mkdir()
    done = place.app("voice-verify", "quality", tmp_path / "voice_bundle")
    assert done.returncode == 3
    assert "verification_failed" in done.stderr
