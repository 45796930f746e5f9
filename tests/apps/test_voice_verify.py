"""voice-verify as its users start it: a process, its output and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.records import finished

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "apps/voice-verify/voice-verify.py"
ALLOWLIST = ROOT / "configs/voice/prod_tts/weights_allowlist.json"


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(APP), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        timeout=60,
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A promoted dry-run bundle."""
    from voicemill.bundle.build import build_bundle
    from voicemill.bundle.promote import promote
    from voicemill.training_status import write_training_status

    for name in ("fastpitch.nemo", "hifigan.nemo"):
        (tmp_path / name).write_text(f"dry-run placeholder for {name}\n")
    (tmp_path / "eval.json").write_text("{}")
    write_training_status(
        tmp_path / "status.json",
        finished(
            dry_run=True,
            artifacts=("fastpitch.nemo", "hifigan.nemo"),
        ),
    )
    built = build_bundle(
        tmp_path / "status.json", tmp_path / "eval.json", tmp_path / "built", allowlist=ALLOWLIST, base=tmp_path
    )
    return promote(
        built.manifest_path,
        tmp_path / "bundles",
        "anna",
        "Anna",
        allowlist=ALLOWLIST,
        base=tmp_path,
        created_at=datetime(2026, 2, 24, tzinfo=UTC),
    ).root


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["bundle", "--help"], ["weights", "--help"], ["archive", "--help"], ["quality", "--help"], ["-h"]],
)
def test_help_is_complete(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout


def test_a_dry_run_bundle_is_laid_out_right_but_never_acceptable(bundle):
    done = run("bundle", bundle)
    assert done.returncode == 3
    assert "[voice-verify][error] dry_run_not_promotable" in done.stderr
    assert "NO-GO  Casimir gate" in done.stdout
    assert "not certified: voice-verify certify" in done.stdout
    assert "Traceback" not in done.stderr
    answer = json.loads(run("bundle", bundle, "--json").stdout)
    assert answer["differences"] == []
    assert answer["reason"] == "dry_run_not_promotable"
    assert [row["key"] for row in answer["checklist"]][-1] == "casimir"


def test_differences_are_listed(bundle):
    (bundle / "extra.txt").write_text("x")
    (bundle / "fastpitch.nemo").write_text("changed")
    done = run("bundle", bundle)
    assert done.returncode == 3
    assert "verification_failed" in done.stderr
    assert done.stdout.index("unlisted_file") < done.stdout.index(
        "bytes_mismatch"
    )  # extra.txt sorts before fastpitch.nemo


def test_bad_usage_and_missing_folders_exit_with_1(tmp_path):
    for arguments in (
        ["bundle"],
        ["bundle", tmp_path / "none"],
        ["frobnicate"],
        ["weights"],
        ["bundle", tmp_path, "--nope"],
        ["archive", tmp_path / "none.nemo"],
    ):
        done = run(*arguments)
        assert done.returncode == 1, arguments
        assert "[voice-verify][error]" in done.stderr
        assert "Traceback" not in done.stderr


def test_weights_prints_one_line_and_the_code_of_the_fault(tmp_path):
    done = run("weights", ROOT / "configs/voice/weights-manifest.example.json")
    assert (done.stdout, done.returncode) == ("[weights-manifest] status=ok\n", 0)
    done = run("weights", tmp_path / "none.json")
    assert done.stdout.startswith("[weights-manifest] error=manifest_not_found path=")
    assert done.returncode == 2


def test_archive_refuses_a_placeholder(bundle):
    done = run("archive", bundle / "fastpitch.nemo", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["reason"] == "unsafe_archive:not_a_plain_tar"
    assert "[voice-verify][error] unsafe_archive:not_a_plain_tar" in done.stderr


def test_only_light_modules_are_imported(bundle):
    code = (
        "import runpy, sys; app, folder = sys.argv[1:]; sys.argv = [app, 'bundle', folder]\n"
        "try:\n    runpy.run_path(app, run_name='__main__')\n"
        "except SystemExit:\n    print('MODULES', *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(APP), str(bundle)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split("MODULES", 1)[1].split())
    assert not loaded & {
        "torch",
        "nemo",
        "lightning",
        "numpy",
        "scipy",
        "librosa",
        "matplotlib",
        "onnxruntime",
        "pocketsphinx",
        "jinja2",
        "omegaconf",
        "soundfile",
        "rich",
        "requests",
        "httpx",
        "pandas",
        "transformers",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ([], 0, "[weights-manifest] status=ok\n"),
        (["none.json"], 2, "[weights-manifest] error=manifest_not_found path=none.json\n"),
    ],
)
def test_the_entry_point_of_the_weights_manifest(tmp_path, arguments, code, line):
    script = ROOT / "scripts/voice/verify_weights_manifest.py"
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (code, line)
    done = subprocess.run(
        [sys.executable, str(script), "--nope"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1


def test_the_schemas_are_up_to_date():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/voice/generate_schemas.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
