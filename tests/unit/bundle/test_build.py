from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voicemill.bundle.places import portable
from voicemill.errors import BlockedError, StorageError
from voicemill.settings import REPOSITORY


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def reason(training, **options) -> str:
    with pytest.raises(BlockedError) as caught:
        training.build(**options)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert not (training.out / "manifest.json").exists()
    return caught.value.reason


def test_a_bundle_lists_exactly_what_it_holds(training):
    built = training.build()
    manifest = json.loads(built.manifest_path.read_text(encoding="utf-8"))
    held = tree(built.root)
    assert set(held) == {entry["path"] for entry in manifest["files"]} | {"manifest.json"}
    assert set(held) == {
        "ATTRIBUTION.txt",
        "README.md",
        "fastpitch.nemo",
        "hifigan.nemo",
        "manifest.json",
        "prod_tts_eval.json",
        "sample.wav",
    }
    assert [entry["path"] for entry in manifest["files"]] == sorted(entry["path"] for entry in manifest["files"])
    for entry in manifest["files"]:
        assert entry["bytes"] == len(held[entry["path"]])
        assert entry["sha256"] == hashlib.sha256(held[entry["path"]]).hexdigest()
    assert built.manifest_sha256 == hashlib.sha256(held["manifest.json"]).hexdigest()
    assert manifest["bundle_version"] == "prod_tts_voice_bundle/1"
    assert manifest["commit"] == "c" * 40
    assert manifest["dry_run"] is False
    assert manifest["weights_refs"]["id"] == "voicemill/from-scratch"
    assert manifest["weights_refs"]["vocoder"]["id"] == "voicemill/base-en-small-hifigan"
    assert str(training.root) not in held["manifest.json"].decode()


def test_artifact_sha256_is_what_the_contract_says(training):
    text = training.build().manifest_path.read_text(encoding="utf-8")
    manifest = json.loads(text)
    claimed = manifest.pop("artifact_sha256")
    assert (
        claimed
        == hashlib.sha256(json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    )
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(json.loads(text))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_artifact_sha256_as_javascript_computes_it(training):
    training.change(commit="b\u00fc\u2028\u007f\U0001f600")
    path = training.build().manifest_path
    script = (
        "const m=JSON.parse(require('fs').readFileSync(process.argv[1]));const {artifact_sha256:a,...r}=m;"
        "console.log(a===require('crypto').createHash('sha256').update(JSON.stringify(r,null,2)).digest('hex'))"
    )
    done = subprocess.run([shutil.which("node"), "-e", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "true"


def test_same_inputs_same_bytes(training):
    first = tree(training.build().root)
    shutil.rmtree(training.out)
    os.utime(training.root / "checkpoints/prod_tts/fastpitch.nemo", (1, 1))
    assert tree(training.build().root) == first


def test_attribution_carries_the_notices_of_what_was_used(training):
    text = (training.build(data_notice="Recorded by Anna.").root / "ATTRIBUTION.txt").read_text(encoding="utf-8")
    for needed in (
        "voicemill/from-scratch",
        "Carnegie Mellon University",
        "CMU Pronouncing Dictionary",
        "Alan W Black",
        "Recorded by Anna.",
    ):
        assert needed in text
    assert "NVIDIA Open Model License" not in text


def test_griffin_lim_needs_no_vocoder(training):
    training.change(vocoder="griffin-lim", artifacts=training.status.artifacts[::2])
    manifest = training.build().manifest
    assert manifest.vocoder == "griffin-lim"
    assert manifest.weights_refs.vocoder is None
    assert "hifigan.nemo" not in {entry.path for entry in manifest.files}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"config_sha256": "missing"}, "invalid_config_sha256"),
        ({"config_sha256": "A" * 64}, "invalid_config_sha256"),
        ({"dataset_sha256": "missing"}, "invalid_dataset_sha256"),
        ({"artifacts": ()}, "no_bundle_artifacts"),
        ({"artifacts": ("checkpoints/prod_tts/none.nemo",)}, "bundle_artifact_missing:checkpoints/prod_tts/none.nemo"),
        (
            {"status": "blocked", "objective_status": "blocked", "root_cause": "nemo_runtime_unavailable"},
            "nemo_runtime_unavailable",
        ),
        ({"status": "blocked", "objective_status": "blocked", "root_cause": "Oh No"}, "status_not_ready"),
        ({"objective_status": "blocked"}, "status_not_ready"),
        ({"selected_weights_id": "x/y"}, "allowlist_rejected:selected_weights_not_listed"),
        ({"vocoder_weights_id": "x/y"}, "allowlist_rejected:selected_weights_not_listed"),
        ({"weights_used": ("x/y",)}, "allowlist_rejected:selected_weights_not_listed"),
    ],
)
def test_refusals(training, changes, expected):
    training.change(**changes)
    assert reason(training) == expected


def test_missing_or_broken_status(training):
    training.status_path.unlink()
    assert reason(training) == "missing_train_status"
    for text in ("", "{", '{"status": "ok", "status": "ok"}', "[]", '{"status": "maybe"}'):
        training.status_path.write_text(text)
        assert reason(training).startswith("train_status_invalid:")


def test_a_foreign_status_with_nulls_for_digests(training):
    training.status_path.write_text(
        json.dumps(
            {
                "status": "ok",
                "objective_status": "ready_for_bundle",
                "config_sha256": None,
                "selected_weights_id": "voicemill/from-scratch",
                "more": 1,
            }
        )
    )
    assert reason(training) == "invalid_config_sha256"


def test_missing_evaluation_and_broken_evaluation(training):
    training.eval_path.write_text("NaN")
    assert reason(training) == "evaluation_invalid"
    training.eval_path.unlink()
    assert reason(training).startswith("bundle_artifact_missing:")


def test_links_pipes_and_colliding_names_are_refused(training):
    models = training.root / "checkpoints/prod_tts"
    (models / "fastpitch.nemo").rename(models / "real")
    (models / "fastpitch.nemo").symlink_to(models / "real")
    assert reason(training) == "not_a_regular_file:fastpitch.nemo"
    (models / "fastpitch.nemo").unlink()
    os.mkfifo(models / "fastpitch.nemo")
    assert reason(training) == "not_a_regular_file:fastpitch.nemo"
    (models / "fastpitch.nemo").unlink()
    (models / "fastpitch.nemo").write_bytes(b"x")
    for name in ("FastPitch.nemo", "manifest.json", "attribution.TXT", "fa\u017ftpitch.nemo"):
        (models / name).write_bytes(b"x")
        assert reason(training, extra_files=[models / name]).startswith("unsafe_path:")


def test_a_failed_build_leaves_the_old_bundle(training):
    before = tree(training.build().root)
    training.change(artifacts=("checkpoints/prod_tts/none.nemo",))
    with pytest.raises(BlockedError):
        training.build()
    assert tree(training.out) == before
    assert [path.name for path in training.out.parent.iterdir() if path.name.startswith(".")] == []


def test_only_a_bundle_is_replaced(training):
    training.out.mkdir(parents=True)
    (training.out / "thesis.txt").write_text("precious")
    assert reason(training).startswith("output_not_a_bundle:")
    assert (training.out / "thesis.txt").read_text() == "precious"
    (training.out / "thesis.txt").unlink()
    training.build()
    shutil.rmtree(training.out)
    training.out.write_text("a file")
    with pytest.raises(BlockedError):
        training.build()


def test_portable_paths_never_name_a_machine(tmp_path):
    assert portable(tmp_path / "a/b", tmp_path) == "a/b"
    assert portable(Path("/somewhere/else/x/manifest.json"), tmp_path) == "x/manifest.json"
    assert ".." not in portable(Path("../../x/manifest.json"), tmp_path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("nth", [1, 3, 7])
def test_a_failing_fsync_publishes_nothing(training, monkeypatch, code, nth):
    before = tree(training.build(commit="old").root)
    calls = []

    def fail(descriptor):
        calls.append(descriptor)
        if len(calls) == nth:
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError) as caught:
        training.build(commit="new")
    assert caught.value.code == ("disk_full" if code == errno.ENOSPC else "not_writable")
    assert tree(training.out) == before
    assert [path.name for path in training.out.parent.iterdir() if path.name.startswith(".")] == []


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from voicemill.bundle.build import build_bundle
step, seen = int(sys.argv[4]), 0
def die(event, args):
    global seen
    steps = ("open", "os.rename", "os.mkdir", "shutil.rmtree")
    if event in steps and "prod_tts_voice_bundle" in str(args[0]):
        seen += 1
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die)
root = Path(sys.argv[2])
build_bundle(root / "artifacts/prod_tts_train_status.json", root / "artifacts/prod_tts_eval.json",
             root / "checkpoints/prod_tts_voice_bundle", allowlist=Path(sys.argv[3]), base=root, commit="new")
"""


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_the_old_bundle_or_the_new_one(training):
    from voicemill.bundle.differences import compare

    training.build(commit="old")
    (training.root / "checkpoints/prod_tts/fastpitch.nemo").write_bytes(b"new" * 1000)
    seen = set()
    for step in range(1, 40, 3):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                KILLED,
                str(REPOSITORY / "lib"),
                str(training.root),
                str(training.allowlist),
                str(step),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        check = compare(training.out)
        assert check.ok, check.differences
        seen.add(check.loaded.manifest.commit)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
    assert seen == {"old", "new"}
    training.build()
    assert [path.name for path in training.out.parent.iterdir() if path.name.startswith(".")] == []
