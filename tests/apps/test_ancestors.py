"""What the clients of the programs before voicemill rely on: the lane, the weights manifest, bundles, job status.

Each holds on a Python that has the packages, and on one that has the standard library only. Of the latter, what needs
packages runs in the environment that `./run-direct` sets up, and is blocked by name where there is none.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., subprocess.CompletedProcess[str]]
OURS = ("TRAIN_", "PROD_TTS_", "VOICE_", "VOICEMILL_", "AUDIO_PATH", "EXPECTED_HEAD", "WORK_DIR", "CACHE_DIR")


@pytest.fixture(params=["with packages", "standard library"])
def start(request: pytest.FixtureRequest, checkout: Path, bare_python: Path, tmp_path: Path) -> Start:
    """Start a script of the checkout as a job server does: `python scripts/voice/...`, settings in the environment."""
    python = sys.executable if request.param == "with packages" else str(bare_python)

    def run(script: str, *argv: object, **environment: object) -> subprocess.CompletedProcess[str]:
        base = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        given = {"CACHE_DIR": tmp_path / "cache", "VOICEMILL_VENV": sys.prefix} | environment
        return subprocess.run(
            [python, str(checkout / script), *map(str, argv)],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=tmp_path,
            check=False,
            env=base | {name: str(value) for name, value in given.items()},
        )

    return run


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ---- the lane


def test_weights_that_are_not_listed_block_it(start, tmp_path):
    done = start(
        "scripts/voice/prod/train_nemo_tts.py",
        PROD_TTS_DRY_RUN=1,
        PROD_TTS_STATUS_PATH=tmp_path / "status.json",
        PROD_TTS_BASE_WEIGHTS_ID="someone/else",
    )
    assert done.returncode == 2
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["status"], status["objective_status"]) == ("blocked", "blocked")
    assert status["root_cause"].startswith("allowlist_rejected")


def test_a_dry_run_ends_in_a_bundle_whose_hash_recomputes(start, tmp_path):
    paths = {
        "PROD_TTS_DRY_RUN": 1,
        "PROD_TTS_STATUS_PATH": tmp_path / "status.json",
        "PROD_TTS_EVAL_PATH": tmp_path / "eval.json",
        "PROD_TTS_CHECKPOINTS_DIR": tmp_path / "models",
        "PROD_TTS_ARTIFACTS_DIR": tmp_path,
        "PROD_TTS_DATASET_MANIFEST": tmp_path / "none.jsonl",
        "PROD_TTS_BUNDLE_DIR": tmp_path / "bundle",
        "PROD_TTS_COMMIT": "deadbeef",
    }
    train = start("scripts/voice/prod/train_nemo_tts.py", **paths)
    assert train.returncode == 0, train.stderr
    lines = train.stdout.splitlines()
    assert "PROGRESS 0 4" in lines
    assert any(line.startswith("ARTIFACT ") for line in lines)
    for script in ("eval_nemo_tts", "build_voice_bundle"):
        done = start(f"scripts/voice/prod/{script}.py", **paths)
        assert done.returncode == 0, done.stderr
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["objective_status"], status["status_json"]) == ("ready_for_bundle", str(tmp_path / "status.json"))
    assert status["dataset_manifest"].endswith("prod_tts_dataset_dry_run.jsonl")
    manifest = json.loads((tmp_path / "bundle/manifest.json").read_text())
    assert (manifest["bundle_version"], manifest["commit"]) == ("prod_tts_voice_bundle/1", "deadbeef")
    assert manifest["weights_refs"]["weights_license"]
    for digest in (status["dataset_sha256"], manifest["config_sha256"], manifest["dataset_sha256"]):
        assert re.fullmatch("[0-9a-f]{64}", digest)
    without = {name: value for name, value in manifest.items() if name != "artifact_sha256"}
    text = json.dumps(without, indent=2, ensure_ascii=False)  # JSON.stringify(without, null, 2)
    assert manifest["artifact_sha256"] == sha256(text.encode())
    assert manifest["files"]


def test_a_configuration_that_is_not_there_blocks_it(start, tmp_path):
    missing = tmp_path / "none.yaml"
    status = tmp_path / "status.json"
    done = start(
        "scripts/voice/prod/train_nemo_tts.py",
        PROD_TTS_DRY_RUN=1,
        PROD_TTS_CONFIG=missing,
        PROD_TTS_STATUS_PATH=status,
    )
    assert done.returncode == 2
    assert json.loads(status.read_text())["root_cause"] == f"config_missing:{missing}"


def test_a_dataset_whose_only_recording_is_missing_blocks_a_real_run(start, tmp_path):
    (tmp_path / "dataset.jsonl").write_text('{"audio_filepath": "gone.wav", "text": "Good morning."}\n')
    done = start(
        "scripts/voice/prod/train_nemo_tts.py",
        PROD_TTS_DRY_RUN=0,
        PROD_TTS_DATASET_MANIFEST=tmp_path / "dataset.jsonl",
        PROD_TTS_STATUS_PATH=tmp_path / "status.json",
    )
    assert done.returncode == 2
    assert json.loads((tmp_path / "status.json").read_text())["root_cause"] == "dataset_no_valid_audio"


def test_a_status_without_digests_gives_no_bundle(start, tmp_path):
    (tmp_path / "made.nemo").write_text("a model")
    status: dict[str, Any] = {
        "status": "ok",
        "objective_status": "ready_for_bundle",
        "root_cause": "none",
        "artifacts": [str(tmp_path / "made.nemo")],
        "config_sha256": "missing",
        "dataset_sha256": "missing",
        "selected_weights_id": "nvidia/nemo-tts-fastpitch-en",
        "selected_weights": {
            "weights_license": "CC-BY-4.0",
            "code_license": "Apache-2.0",
            "license_url": "https://a.b",
        },
    }
    (tmp_path / "status.json").write_text(json.dumps(status))
    paths = {"PROD_TTS_STATUS_PATH": tmp_path / "status.json", "PROD_TTS_BUNDLE_DIR": tmp_path / "bundle"}
    done = start("scripts/voice/prod/build_voice_bundle.py", **paths, PROD_TTS_COMMIT="deadbeef")
    assert done.returncode == 2
    assert "[tts-prod] status=blocked reason=invalid_config_sha256" in done.stdout
    assert not (tmp_path / "bundle").exists()


def test_every_entry_of_the_allowlist_states_its_licences(checkout):
    entries = json.loads((checkout / "configs/voice/prod_tts/weights_allowlist.json").read_text())["weights"]
    assert entries
    for entry in entries:
        assert entry["commercial_use_allowed"] is True
        assert all(isinstance(entry[name], str) for name in ("weights_license", "code_license", "license_url"))


# ---- the weights manifest

VALIDATOR = "scripts/voice/verify_weights_manifest.py"


def test_the_example_of_a_weights_manifest_is_valid(start, checkout):
    done = start(VALIDATOR, checkout / "configs/voice/weights-manifest.example.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[weights-manifest] status=ok\n", "")


def test_a_weights_manifest_with_one_field_lacks_the_others(start, tmp_path):
    (tmp_path / "m.json").write_text('{"model_id": "x"}')
    done = start(VALIDATOR, "m.json")
    assert (done.returncode, done.stdout) == (4, "[weights-manifest] error=missing_field field=source_url\n")


def test_a_weights_manifest_must_allow_commercial_use(start, tmp_path, checkout):
    example = json.loads((checkout / "configs/voice/weights-manifest.example.json").read_text())
    (tmp_path / "m.json").write_text(json.dumps(example | {"commercial_use_allowed": False}))
    done = start(VALIDATOR, "m.json")
    assert done.returncode == 9
    assert "error=commercial_use_required" in done.stdout


# ---- bundles


@dataclass
class Bundle:
    """A promoted bundle without models, as its validator takes it."""

    root: Path
    files: dict[str, bytes] = field(default_factory=lambda: {"model.bin": b"model-data", "sample.wav": b"sample"})

    def write(self, *, without: str = "", **changes: object) -> Path:
        self.root.mkdir(parents=True)
        entries = [{"path": name, "bytes": len(data), "sha256": sha256(data)} for name, data in self.files.items()]
        entries[0] |= changes
        for name, data in self.files.items():
            if name != without:
                (self.root / name).write_bytes(data)
        manifest = {
            "bundle_version": "voice_bundle/1",
            "voice_profile_id": "dottie_default",
            "display_name": "Dottie",
            "created_at": "2026-02-23T00:00:00Z",
            "files": entries,
            "provenance": {
                "source_bundle_version": "prod_tts_voice_bundle/1",
                "source_manifest_path": "checkpoints/prod_tts_voice_bundle/manifest.json",
                "source_manifest_sha256": "0" * 64,
            },
        }
        (self.root / "manifest.json").write_text(json.dumps(manifest))
        return self.root


def check(start: Start, root: Path) -> tuple[int, str]:
    done = start("scripts/voice/verify_voice_bundle.py", root)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_a_complete_bundle(start, tmp_path):
    root = Bundle(tmp_path / "bundle").write()
    assert check(start, root) == (0, "[voice-bundle] status=ok profile=dottie_default files=2\n")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"sha256": "0" * 64}, "error=checksum_mismatch path=model.bin"),
        ({"sha256": "bad"}, "error=manifest_invalid path=manifest.json"),
        ({"bytes": 9}, "error=bytes_mismatch path=model.bin"),
        ({"without": "model.bin"}, "error=required_file_missing path=model.bin"),
        ({"path": "../model.bin"}, "error=unsafe_path path=../model.bin"),
    ],
)
def test_a_bundle_with_a_fault(start, tmp_path, change, line):
    root = Bundle(tmp_path / "bundle").write(**change)
    code, stdout = check(start, root)
    assert code == 3
    assert f"[voice-bundle] {line}" in stdout.splitlines()


def produce(root: Path, **entry: object) -> Path:
    """A production bundle of another producer: its artifact_sha256 does not recompute, its weights_refs are short."""
    root.mkdir(parents=True)
    (root / "model.nemo").write_bytes(b"nemo-model")
    (root / "sample.wav").write_bytes(b"sample")
    files = [
        {"path": "model.nemo", "sha256": sha256(b"nemo-model"), "bytes": 10} | entry,
        {"path": "sample.wav", "sha256": sha256(b"sample"), "bytes": 6},
    ]
    manifest = {
        "bundle_version": "prod_tts_voice_bundle/1",
        "commit": "b357dba3",
        "config_sha256": sha256(b"config"),
        "dataset_sha256": sha256(b"dataset"),
        "artifact_sha256": sha256(b"artifact"),
        "weights_refs": {"id": "nvidia/nemo-tts-fastpitch-en"},
        "files": files,
    }
    (root / "manifest.json").write_text(json.dumps(manifest, indent=2))
    return root / "manifest.json"


def promote(start: Start, manifest: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return start(
        "scripts/voice/prod/promote_voice_bundle.py",
        *("--input-manifest", manifest, "--output-root", root),
        *("--voice-profile-id", "dottie_default", "--display-name", "Dottie"),
    )


def test_a_production_bundle_is_promoted_with_its_provenance(start, tmp_path):
    done = promote(start, produce(tmp_path / "made"), tmp_path / "bundles")
    assert done.returncode == 0, done.stderr
    promoted = tmp_path / "bundles/dottie_default/voice_bundle"
    assert check(start, promoted) == (0, "[voice-bundle] status=ok profile=dottie_default files=2\n")
    provenance = json.loads((promoted / "manifest.json").read_text())["provenance"]
    assert provenance["source_commit"] == "b357dba3"
    assert provenance["source_weights_refs"] == {"id": "nvidia/nemo-tts-fastpitch-en"}


@pytest.mark.parametrize(
    ("entry", "reason"), [({"sha256": "0" * 64}, "checksum_mismatch"), ({"path": "../escape.bin"}, "unsafe_path")]
)
def test_a_source_that_is_not_as_listed_is_not_promoted(start, tmp_path, entry, reason):
    (tmp_path / "escape.bin").write_bytes(b"nemo-model")
    done = promote(start, produce(tmp_path / "made", **entry), tmp_path / "bundles")
    assert done.returncode == 2
    assert f"[tts-prod][error] {reason}" in done.stderr
    assert not (tmp_path / "bundles/dottie_default/voice_bundle/manifest.json").exists()


# ---- the status of a job, as a job server reads it from stdout


@dataclass
class Job:
    """Reads the lines of a job: the last progress, the STATS joined, and the artifacts in their order."""

    progress: tuple[int, int] | None = None
    stats: dict[str, Any] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, done: subprocess.CompletedProcess[str]) -> Job:
        job = cls()
        for line in done.stdout.splitlines():
            word, _, rest = line.partition(" ")
            if word == "PROGRESS":
                current, total = rest.split()
                job.progress = (int(current), int(total))
            elif word == "STATS":
                job.stats |= json.loads(rest)
            elif word == "ARTIFACT":
                job.artifacts.append(rest)
        return job


def test_a_job_shows_progress_stats_and_all_artifacts(start, tmp_path):
    done = start("scripts/voice/train_production_tts.py", PROD_TTS_DRY_RUN=1, TRAIN_JOB_TYPE="tts_prod_train")
    assert done.returncode == 0, done.stderr
    job = Job.of(done)
    assert job.progress == (4, 4)
    assert (job.stats["dry_run"], job.stats["objective_status"], job.stats["status"]) == (
        True,
        "ready_for_bundle",
        "completed",
    )
    for path in ("bundles/dottie_default/voice_bundle/manifest.json", "artifacts/train_status.tts_prod_train.json"):
        assert path in job.artifacts
        assert (tmp_path / path).is_file()


def test_a_blocked_job_shows_its_reason(start, tmp_path):
    done = start(
        "scripts/voice/train_production_nemo.py",
        TRAIN_JOB_TYPE="tts_prod_train_nemo",
        PROD_TTS_BASE_WEIGHTS_ID="someone/else",
    )
    assert done.returncode == 2
    job = Job.of(done)
    assert (job.stats["status"], job.stats["reason"]) == ("blocked", "allowlist_rejected:selected_weights_not_listed")
    assert job.artifacts[-1] == "artifacts/train_status.tts_prod_train_nemo.json"
    status = json.loads((tmp_path / job.artifacts[-1]).read_text())
    assert (status["job_type"], status["state"]) == ("tts_prod_train_nemo", "blocked")


def test_a_training_job_that_is_blocked_names_its_status(start, checkout, repository, tmp_path):
    scripts = checkout / "external/audiocraft/scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    name = "train_spectral_adapter.py"
    (scripts / name).write_bytes((repository / "external/audiocraft/scripts" / name).read_bytes())
    done = start(f"external/audiocraft/scripts/{name}", TRAIN_JOB_TYPE="tts_voice_train", KNOWLEDGE_AUDIO_DIR="audio")
    assert done.returncode == 2
    assert Job.of(done).artifacts == ["artifacts/train_status.tts_voice_train.json"]


@pytest.mark.slow
def test_a_dataset_job_shows_its_mode_and_manifest(checkout, repository, tmp_path):
    (tmp_path / "source").mkdir()
    shutil.copy(repository / "data/demo/demo.flac", tmp_path / "source/one.flac")
    script = repository / "external/audiocraft/scripts/prepare_knowledge_audio.py"
    environment = os.environ | {"KNOWLEDGE_SOURCE_DIR": "source", "KNOWLEDGE_AUDIO_DIR": "audio"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    job = Job.of(done)
    assert job.stats["mode"] == "voice_dataset"
    assert (tmp_path / job.stats["manifestPath"]).is_file()


# ---- no environment


def test_without_packages_and_environment_the_lane_is_blocked_by_name(start, tmp_path):
    done = start("scripts/voice/train_production_tts.py", PROD_TTS_DRY_RUN=1, VOICEMILL_VENV=tmp_path / "none")
    if done.returncode == 0:
        return  # this Python has them
    assert done.returncode == 2
    assert "[tts-prod] status=blocked reason=runtime_dependency_missing:" in done.stdout
    assert json.loads((tmp_path / "artifacts/prod_tts_train_status.json").read_text())["status"] == "blocked"


def test_git_says_why_the_commit_is_unknown(repository, tmp_path):
    """Such as a checkout that belongs to another user; here one whose `.git` is broken."""
    root = tmp_path / "checkout"
    for part in ("lib", "configs", "scripts/voice"):
        shutil.copytree(repository / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".git").write_text("gitdir: /nowhere\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = subprocess.run(
        [sys.executable, str(root / "scripts/voice/train_production_tts.py")],
        env=environment | {"PROD_TTS_DRY_RUN": "1", "PROD_TTS_BASE_WEIGHTS_ID": "a/b"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.splitlines()[0] == "[tts-prod] head=unknown"
    assert "The commit is unknown: fatal: not a git repository: /nowhere" in done.stderr
