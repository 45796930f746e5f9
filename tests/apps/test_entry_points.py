"""The files below scripts/voice/ as an operator, a notebook or a job server starts them (operator contract, section 2)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voicemill.training_status import TrainingStatus
from voicemill.verify.schemas import FORMATS, schema

KEYS = (
    "objective_status",
    "root_cause",
    "gpu_available",
    "status_json",
    "status_json_content",
    "bundle_path",
    "promoted_bundle_path",
    "pipeline_rc",
    "failed_step",
    "bundle_hash",
    "promoted_bundle_hash",
    "next_unblock_action",
)
STATUS = "artifacts/prod_tts_train_status.json"


def report(stdout: str) -> dict[str, str]:
    """The block at the end, whose keys and order are fixed."""
    lines = stdout.splitlines()
    block = lines[lines.index("=== PROD TTS TRAIN REPORT ===") + 1 :]
    assert tuple(line.partition("=")[0] for line in block) == KEYS
    return dict(line.split("=", 1) for line in block)


def protocol_only(stdout: str) -> list[str]:
    lines = stdout.splitlines()
    for line in lines:
        if line.startswith("==="):
            break
        assert line.startswith(("PROGRESS ", "STATS {", "ARTIFACT ", "[tts-prod] ")), line
    return lines


def progress(stdout: str) -> list[str]:
    return [line for line in stdout.splitlines() if line.startswith("PROGRESS ")]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


FOUR = [f"PROGRESS {done} 4" for done in range(5)]


@pytest.mark.parametrize("lane", ["tts", "nemo"])
def test_a_lane_as_a_job_server_starts_it(run, tmp_path, head, lane):
    job = {"tts": "tts_prod_train", "nemo": "tts_prod_train_nemo"}[lane]
    done = run(f"train_production_{lane}.py", PROD_TTS_DRY_RUN=1)
    assert done.returncode == 0, done.stderr
    lines = protocol_only(done.stdout)
    assert (lines[0], lines[-1]) == (f"[tts-prod] head={head[:8]}", "[tts-prod] status=done backend=local")
    assert progress(done.stdout) == FOUR
    artifacts = [line.removeprefix("ARTIFACT ") for line in lines if line.startswith("ARTIFACT ")]
    assert "bundles/dottie_default/voice_bundle/manifest.json" in artifacts
    assert all((tmp_path / path).is_file() for path in artifacts)
    status = json.loads((tmp_path / f"artifacts/train_status.{job}.json").read_text())
    assert (status["job_type"], status["state"], status["status"]) == (job, "completed", "completed")
    assert json.loads((tmp_path / STATUS).read_text())["commit"] == head


def test_the_lanes_differ_in_what_they_start_from(run, tmp_path):
    for lane, weights in (("tts", "voicemill/base-en-people-fastpitch"), ("nemo", "nvidia/nemo-tts-fastpitch-en")):
        assert run(f"train_production_{lane}.py", PROD_TTS_DRY_RUN=1, TORCH_DEVICE="cpu").returncode == 0
        assert json.loads((tmp_path / STATUS).read_text())["selected_weights_id"] == weights


def test_job_name_and_status_path_follow_the_environment(run, tmp_path):
    done = run(
        "train_production_nemo.py",
        PROD_TTS_DRY_RUN=1,
        TRAIN_JOB_TYPE="my_job",
        TRAIN_STATUS_PATH="out/my status.json",
        PROD_TTS_ARTIFACTS_DIR="out/artifacts",
        PROD_TTS_CHECKPOINTS_DIR=tmp_path.parent / f"{tmp_path.name}-checkpoints",
        PROD_TTS_BUNDLE_DIR="out/bundle",
        PROMOTED_BUNDLE_ROOT="out/voices",
        VOICE_PROFILE_ID="anna",
        VOICE_DISPLAY_NAME="Anna Ω",
        PROD_TTS_COMMIT="abc123",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out/my status.json").read_text())["job_type"] == "my_job"
    promoted = json.loads((tmp_path / "out/voices/anna/voice_bundle/manifest.json").read_text())
    assert (promoted["display_name"], promoted["provenance"]["source_commit"]) == ("Anna Ω", "abc123")
    assert json.loads((tmp_path / "out/artifacts/prod_tts_train_status.json").read_text())["commit"] == "abc123"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "reason", "code"),
    [
        ({"PROD_TTS_BASE_WEIGHTS_ID": "some/model"}, "allowlist_rejected:selected_weights_not_listed", 2),
        ({"PROD_TTS_ALLOWLIST": "none.json"}, "allowlist_missing:none.json", 2),
        ({"PROD_TTS_CONFIG": "none.yaml"}, "config_missing:none.yaml", 2),
        (
            {"PROD_TTS_DRY_RUN": "0", "PROD_TTS_DATASET_MANIFEST": "none.jsonl"},
            "dataset_manifest_missing:none.jsonl",
            2,
        ),
        ({"PROD_TTS_DRY_RUN": "0"}, "weights_unavailable:nvidia/nemo-tts-fastpitch-en", 2),
        ({"EXPECTED_HEAD": "deadbeef"}, "deterministic_head_mismatch", 1),
        ({"AUDIO_PATH": "none.flac"}, "missing_audio_path", 1),
    ],
)
def test_a_refused_lane_is_recorded_in_every_status_file(run, tmp_path, environment, reason, code):
    done = run("train_production_nemo.py", **{"PROD_TTS_DRY_RUN": 1, **environment})
    assert done.returncode == code, done.stderr
    assert f"[tts-prod][error] {reason}" in done.stderr
    assert "Traceback" not in done.stderr
    protocol_only(done.stdout)
    assert (f"[tts-prod] status=blocked reason={reason}" in done.stdout) == (code == 2)
    status = json.loads((tmp_path / "artifacts/train_status.tts_prod_train_nemo.json").read_text())
    assert (status["state"], status["reason"]) == ("blocked" if code == 2 else "error", reason)
    training = json.loads((tmp_path / STATUS).read_text())
    assert (training["status"], training["root_cause"]) == ("blocked", reason)


def test_a_dry_run_generates_a_missing_dataset(run, tmp_path):
    done = run("train_production_nemo.py", PROD_TTS_DRY_RUN=1, PROD_TTS_DATASET_MANIFEST="none.jsonl")
    assert done.returncode == 0, done.stderr
    made = tmp_path / "artifacts/prod_tts_dataset_dry_run.jsonl"
    assert json.loads((tmp_path / STATUS).read_text())["dataset_sha256"] == sha256(made)


BROKEN = {
    "nothing of it": ("raise ModuleNotFoundError(\"No module named 'nemo'\", name='nemo')", "nemo_runtime_unavailable"),
    "a part of it": ("raise ImportError('libthing.so: no such file', name='nemo.core')", "nemo_runtime_unavailable"),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", list(BROKEN))
def test_nemo_that_cannot_be_imported_blocks_the_lane(run, tmp_path, short_take, how):
    """It is found, and breaks when the gate imports it in another process; nothing is prepared."""
    broken, reason = BROKEN[how]
    (tmp_path / "stub/nemo").mkdir(parents=True)
    (tmp_path / "stub/nemo/__init__.py").write_text(broken)
    done = run(
        "train_production_nemo.py",
        PYTHONPATH=tmp_path / "stub",
        PROD_TTS_BASE_WEIGHTS_ID="voicemill/from-scratch",
        PROD_TTS_PRESET="smoke",
        AUDIO_PATH=short_take[0],
    )
    assert done.returncode == 2, done.stderr
    assert f"[tts-prod] status=blocked reason={reason}" in done.stdout
    assert "Traceback" not in done.stderr
    assert "NVIDIA NeMo cannot be imported" in done.stderr
    assert broken.partition("'")[2].partition("'")[0] in done.stderr or "No module named" in done.stderr
    assert not (tmp_path / "datasets").exists()
    status = json.loads((tmp_path / "artifacts/train_status.tts_prod_train_nemo.json").read_text())
    assert (status["state"], status["reason"]) == ("blocked", reason)


NO_NUMBERS = """
import importlib.util, sys
WITHOUT = ("numpy", "soundfile", "torch", "scipy", "numba", "soxr", "nemo", "lightning")
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name.partition(".")[0] in WITHOUT else real(name, package)
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in WITHOUT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""


@pytest.mark.parametrize("script", ["train_production_tts.py", "train_production_nemo.py", "prod/train_nemo_tts.py"])
def test_a_python_without_numpy_is_named_whole_and_every_status_is_written(run, tmp_path, script):
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub/sitecustomize.py").write_text(NO_NUMBERS)
    done = run(script, PYTHONPATH=tmp_path / "stub", PROD_TTS_BASE_WEIGHTS_ID="voicemill/from-scratch")
    reason = "runtime_dependency_missing:numpy,soundfile,torch"
    assert done.returncode == 2, done.stderr
    assert f"[tts-prod] status=blocked reason={reason}" in done.stdout
    assert json.loads((tmp_path / STATUS).read_text())["root_cause"] == reason
    dry = run(script, PYTHONPATH=tmp_path / "stub", PROD_TTS_DRY_RUN=1)
    assert dry.returncode == 0, dry.stderr


def test_a_manifest_without_recordings_is_refused_before_a_checkpoint_is_looked_for(run, tmp_path):
    (tmp_path / "train.jsonl").write_text('{"audio_filepath": "gone.wav", "text": "Hello.", "duration": 1.0}\n')
    done = run("train_production_nemo.py", PROD_TTS_DATASET_MANIFEST=tmp_path / "train.jsonl")
    assert done.returncode == 2, done.stderr
    assert "[tts-prod] status=blocked reason=dataset_no_valid_audio" in done.stdout


@pytest.mark.parametrize("given", ["out/status.json", "{tmp}/elsewhere/status.json"])
@pytest.mark.parametrize("weights", ["nvidia/nemo-tts-fastpitch-en", "a/b"])
def test_the_status_names_its_path_as_it_was_given(run, tmp_path, given, weights):
    given = given.format(tmp=tmp_path)
    run("prod/train_nemo_tts.py", PROD_TTS_DRY_RUN=1, PROD_TTS_STATUS_PATH=given, PROD_TTS_BASE_WEIGHTS_ID=weights)
    assert json.loads((tmp_path / given).read_text())["status_json"] == given


def test_without_torch_the_lane_is_blocked_before_anything_is_made(run, tmp_path):
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub/sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name in ('torch', 'soundfile') else real(name, package)\n"
    )
    done = run(
        "train_production_nemo.py", PYTHONPATH=tmp_path / "stub", PROD_TTS_BASE_WEIGHTS_ID="voicemill/from-scratch"
    )
    assert done.returncode == 2, done.stderr
    assert "[tts-prod] status=blocked reason=runtime_dependency_missing:soundfile,torch" in done.stdout
    assert not (tmp_path / "datasets").exists()


def test_without_the_light_dependencies_the_lane_is_blocked(run, tmp_path, checkout, bare_python):
    script = checkout / "scripts/voice/train_production_nemo.py"
    done = subprocess.run(
        [str(bare_python), str(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
        # No environment of ./run-direct, in which the lane would go on.
        env={name: value for name, value in os.environ.items() if name != "VOICEMILL_VENV"}
        | {"PROD_TTS_BASE_WEIGHTS_ID": "voicemill/from-scratch"},
    )
    assert done.returncode == 2
    assert "[tts-prod] status=blocked reason=runtime_dependency_missing:" in done.stdout
    assert "Traceback" not in done.stderr
    plain = json.loads((tmp_path / STATUS).read_text())
    assert TrainingStatus.model_validate(plain).root_cause.startswith("runtime_dependency_missing:")
    assert set(plain) <= set(TrainingStatus.model_fields)
    import jsonschema

    model = next(each.model for each in FORMATS if each.name == "prod-tts-train-status")
    jsonschema.validate(plain, schema(model))
    lane = json.loads((tmp_path / "artifacts/train_status.tts_prod_train_nemo.json").read_text())
    assert (lane["state"], lane["reason"]) == ("blocked", plain["root_cause"])


# ---- the four steps alone


@pytest.mark.slow
def test_the_four_steps_alone_pass_files(run, tmp_path):
    train = run("prod/train_nemo_tts.py", PROD_TTS_DRY_RUN=1)
    assert (train.returncode, progress(train.stdout)) == (0, FOUR)
    assert run("prod/eval_nemo_tts.py", PROD_TTS_DRY_RUN=1).returncode == 0
    assert json.loads((tmp_path / "artifacts/prod_tts_eval.json").read_text())["dry_run"] is True
    assert run("prod/build_voice_bundle.py", PROD_TTS_DRY_RUN=1).returncode == 0
    manifest = tmp_path / "checkpoints/prod_tts_voice_bundle/manifest.json"
    arguments = ("--input-manifest", manifest, "--output-root", "voices", "--voice-profile-id", "anna")
    promote = run("prod/promote_voice_bundle.py", *arguments, "--display-name", "Anna")
    assert promote.returncode == 0, promote.stderr
    promoted = json.loads((tmp_path / "voices/anna/voice_bundle/manifest.json").read_text())
    assert (promoted["voice_profile_id"], promoted["display_name"], promoted["dry_run"]) == ("anna", "Anna", True)
    assert promoted["provenance"]["source_manifest_sha256"] == sha256(manifest)
    assert promote.stdout.splitlines()[-1] == "ARTIFACT voices/anna/voice_bundle/manifest.json"


@pytest.mark.slow
def test_promotion_records_faults_of_an_older_producer(run, tmp_path):
    for script in ("train_nemo_tts", "eval_nemo_tts", "build_voice_bundle"):
        assert run(f"prod/{script}.py", PROD_TTS_DRY_RUN=1).returncode == 0
    path = tmp_path / "checkpoints/prod_tts_voice_bundle/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["artifact_sha256"] = "0" * 64
    del manifest["weights_refs"]["license_url"]
    path.write_text(json.dumps(manifest))
    done = run("prod/promote_voice_bundle.py", "--voice-profile-id", "old")
    assert done.returncode == 0, done.stderr
    provenance = json.loads((tmp_path / "bundles/old/voice_bundle/manifest.json").read_text())["provenance"]
    assert provenance["source_artifact_sha256"] == "0" * 64
    (path.parent / "fastpitch.nemo").write_bytes(b"changed")
    refused = run("prod/promote_voice_bundle.py", "--voice-profile-id", "new")
    assert refused.returncode == 2
    assert "[tts-prod][error] bytes_mismatch:fastpitch.nemo" in refused.stderr
    assert "[tts-prod] status=blocked reason=bytes_mismatch:fastpitch.nemo" in refused.stdout
    assert not (tmp_path / "bundles/new/voice_bundle/manifest.json").exists()


@pytest.mark.parametrize(
    ("script", "reason"),
    [("eval_nemo_tts", "missing_train_status"), ("build_voice_bundle", "missing_train_status")],
)
def test_a_step_without_the_one_before_is_blocked(run, tmp_path, script, reason):
    done = run(f"prod/{script}.py")
    assert done.returncode == 2
    assert f"[tts-prod] status=blocked reason={reason}" in done.stdout
    if script == "eval_nemo_tts":
        evaluation = json.loads((tmp_path / "artifacts/prod_tts_eval.json").read_text())
        assert (evaluation["status"], evaluation["root_cause"]) == ("blocked", reason)
    else:
        assert not (tmp_path / "checkpoints").exists()


@pytest.mark.slow
def test_a_blocked_training_is_neither_evaluated_nor_bundled(run, tmp_path):
    assert run("prod/train_nemo_tts.py", PROD_TTS_DRY_RUN=1, PROD_TTS_BASE_WEIGHTS_ID="a/b").returncode == 2
    for script in ("eval_nemo_tts", "build_voice_bundle"):
        done = run(f"prod/{script}.py", PROD_TTS_DRY_RUN=1)
        assert done.returncode == 2
        assert "reason=allowlist_rejected:selected_weights_not_listed" in done.stdout


def test_bad_usage_of_a_step_is_refused(run):
    done = run("prod/promote_voice_bundle.py", "--nonsense")
    assert done.returncode == 1
    assert "[tts-prod][error] bad_usage" in done.stderr
    done = run("prod/promote_voice_bundle.py", "--voice-profile-id", "../evil")
    assert (done.returncode, "invalid_voice_profile_id" in done.stderr) == (1, True)


# ---- all at once, with a report


@pytest.mark.slow
def test_colab_entry_dry_run_and_what_a_second_one_repeats(run, tmp_path, head):
    def snapshot() -> dict[str, bytes]:
        folders = ("checkpoints/prod_tts_voice_bundle", "checkpoints/prod_tts/dry_run")
        return {
            path.relative_to(tmp_path).as_posix(): path.read_bytes()
            for folder in folders
            for path in sorted((tmp_path / folder).rglob("*"))
        }

    epoch = {"PROD_TTS_DRY_RUN": 1, "SOURCE_DATE_EPOCH": 1_700_000_000}
    done = run("colab_run_prod_tts_once.sh", **epoch)
    assert done.returncode == 0, done.stderr
    lines = protocol_only(done.stdout)
    assert lines[0] == f"[tts-prod] head={head[:8]}"
    assert progress(done.stdout) == FOUR
    found = report(done.stdout)
    bundle, promoted = tmp_path / found["bundle_path"], tmp_path / found["promoted_bundle_path"]
    assert found["bundle_hash"] == sha256(bundle / "manifest.json")
    assert found["promoted_bundle_hash"] == sha256(promoted / "manifest.json")
    assert (found["objective_status"], found["root_cause"]) == ("ready_for_bundle", "none")
    assert (found["pipeline_rc"], found["failed_step"]) == ("0", "none")
    content = found["status_json_content"]
    assert json.loads(content) == json.loads((tmp_path / found["status_json"]).read_text())
    assert json.dumps(json.loads(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == content
    before = snapshot()
    again = report(run("colab_run_prod_tts_once.sh", **epoch).stdout)
    assert snapshot() == before
    assert again["promoted_bundle_hash"] == found["promoted_bundle_hash"]


@pytest.mark.slow
def test_colab_entry_never_reports_an_old_result(run, tmp_path):
    assert run("colab_run_prod_tts_once.sh", PROD_TTS_DRY_RUN=1).returncode == 0
    blocked = run("colab_run_prod_tts_once.sh", PROD_TTS_DRY_RUN=1, PROD_TTS_BASE_WEIGHTS_ID="a/b")
    assert blocked.returncode == 2
    found = report(blocked.stdout)
    assert (found["failed_step"], found["pipeline_rc"]) == ("train", "2")
    assert found["root_cause"] == "allowlist_rejected:selected_weights_not_listed"
    assert found["objective_status"] == "blocked"
    assert (found["bundle_hash"], found["promoted_bundle_hash"]) == ("missing", "missing")
    assert found["bundle_path"] == "checkpoints/prod_tts_voice_bundle"
    assert found["promoted_bundle_path"] == "bundles/dottie_default/voice_bundle"
    assert not (tmp_path / "artifacts/prod_tts_eval.json").exists() or (
        json.loads((tmp_path / "artifacts/prod_tts_eval.json").read_text())["status"] == "blocked"
    )
    assert (tmp_path / "bundles/dottie_default/voice_bundle/manifest.json").exists(), "a promoted voice stays"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "step", "reason", "code"),
    [
        ({"VOICE_PROFILE_ID": "a/b"}, "train", "invalid_voice_profile_id", 1),
        ({"PROD_TTS_ALLOWLIST": "none.json"}, "train", "allowlist_missing:none.json", 2),
        ({"PROD_TTS_EVAL_PATH": "."}, "bootstrap", "not_writable", 2),
        ({"PROD_TTS_EVAL_PATH": "artifacts"}, "bootstrap", "not_writable", 2),
        ({"VOICE_DISPLAY_NAME": "x" * 201}, "train", "invalid_display_name", 1),
    ],
)
def test_colab_entry_names_the_first_step_that_failed(run, environment, step, reason, code):
    done = run("colab_run_prod_tts_once.sh", PROD_TTS_DRY_RUN=1, **environment)
    found = report(done.stdout)
    assert (found["failed_step"], found["root_cause"].partition(":")[0]) == (step, reason.partition(":")[0])
    assert (done.returncode, found["pipeline_rc"]) == (code, str(code))
    assert "Traceback" not in done.stderr
    assert found["promoted_bundle_hash"] == "missing"


def test_colab_entry_reports_on_a_python_that_lacks_everything(run, bare_python):
    done = run("colab_run_prod_tts_once.sh", PROD_TTS_DRY_RUN=1, VOICEMILL_PYTHON=bare_python)
    found = report(done.stdout)
    assert (done.returncode, found["failed_step"], found["objective_status"]) == (2, "bootstrap", "blocked")
    assert found["root_cause"].startswith("runtime_dependency_missing:")


@pytest.mark.slow
def test_colab_entry_installs_first_and_says_when_it_cannot(run, tmp_path):
    """A real pip, and a package that is a folder on this disk."""
    done = run(
        "colab_run_prod_tts_once.sh",
        PROD_TTS_PIP_CORE_SPECS=tmp_path / "no-such-package",
        PROD_TTS_BASE_WEIGHTS_ID="voicemill/from-scratch",
    )
    found = report(done.stdout)
    assert (done.returncode, found["failed_step"], found["root_cause"]) == (2, "bootstrap", "pip_install_failed:core")
    assert "no-such-package" in (tmp_path / "artifacts/prod_tts_once.log").read_text()
    optional = {"PROD_TTS_PIP_OPTIONAL_SPECS": tmp_path / "no-such-package", "PROD_TTS_BASE_WEIGHTS_ID": "a/b"}
    assert report(run("colab_run_prod_tts_once.sh", **optional).stdout)["failed_step"] == "train"
    strict = run("colab_run_prod_tts_once.sh", **optional, PROD_TTS_OPTIONAL_STRICT=1)
    assert report(strict.stdout)["root_cause"] == "pip_install_failed:optional"
    dry = run("colab_run_prod_tts_once.sh", **optional, PROD_TTS_OPTIONAL_STRICT=1, PROD_TTS_DRY_RUN=1)
    assert report(dry.stdout)["failed_step"] == "train", "a dry run installs nothing"


@pytest.mark.slow
def test_colab_entry_for_real(run, tmp_path, short_take):
    """Every step in its own process: a trained voice that another process measures, bundles and promotes."""
    done = run(
        "colab_run_prod_tts_once.sh",
        PROD_TTS_BASE_WEIGHTS_ID="voicemill/from-scratch",
        PROD_TTS_PRESET="smoke",
        AUDIO_PATH=short_take[0],
        VOICE_PROFILE_ID="anna",
    )
    assert done.returncode == 0, done.stderr[-4000:]
    protocol_only(done.stdout)
    numbers = [int(line.split()[1]) for line in progress(done.stdout)]
    assert (numbers[0], numbers[-1]) == (0, 100)
    assert numbers == sorted(numbers)  # a number is repeated after STATS with a loss
    found = report(done.stdout)
    assert (found["root_cause"], found["failed_step"]) == ("none", "none")
    status = json.loads(found["status_json_content"])
    evaluation = json.loads((tmp_path / "artifacts/prod_tts_eval.json").read_text())
    assert evaluation["final_loss"] == status["metrics"]["final_loss"] > 0
    # The status names the vocoder for NeMo; the graph may speak with the one that NeMo does not know.
    assert status["vocoder"] in {"hifigan", "griffin-lim"}
    assert evaluation["chosen_vocoder"] in {status["vocoder"], "istft"}
    names = {path.name for path in (tmp_path / found["promoted_bundle_path"]).iterdir()}
    assert {"fastpitch.nemo", "sample.wav", "prod_tts_eval.json", "ATTRIBUTION.txt", "manifest.json"} <= names
    assert ("hifigan.nemo" in names) == (status["vocoder"] == "hifigan")
    verify = Path(__file__).resolve().parents[2] / "apps/voice-verify/voice-verify.py"
    verdict = subprocess.run(
        [sys.executable, str(verify), "bundle", str(tmp_path / found["promoted_bundle_path"]), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.loads(verdict.stdout)["ok"] is True, verdict.stdout
    # The evaluation can be made again; a dataset that is another one, or a model that is gone, is refused.
    assert run("prod/eval_nemo_tts.py", VOICE_PROFILE_ID="anna").returncode == 0
    manifest = tmp_path / status["dataset_manifest"]
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    assert "reason=dataset_invalid" in run("prod/eval_nemo_tts.py").stdout
    shutil.rmtree(tmp_path / "checkpoints/prod_tts/anna/acoustic")
    assert "reason=bundle_artifact_missing:" in run("prod/eval_nemo_tts.py").stdout
