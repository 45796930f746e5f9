"""A voice that starts from an earlier one (`--init-from`): its weights and notices are inherited."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile
from pathlib import Path

import pytest
from tests.records import finished

from voicemill.bundle.build import build_bundle
from voicemill.bundle.promote import promote
from voicemill.dataset.request import SourceOptions
from voicemill.errors import BundleFileError, GateError, UsageError, VoicemillError
from voicemill.lane import gates
from voicemill.lane.request import LaneOptions, LaneRequest
from voicemill.settings import REPOSITORY, Settings
from voicemill.training_status import write_training_status
from voicemill.weights import allowlist
from voicemill.weights.allowlist import SHIPPED, LoadedAllowlist

SCRATCH = "voicemill/from-scratch"


@pytest.fixture
def listed() -> LoadedAllowlist:
    return allowlist.load_allowlist(REPOSITORY / SHIPPED)


@pytest.fixture
def voice(tmp_path: Path, model: bytes) -> Path:
    """The model in a promoted bundle."""
    return publish(tmp_path, model)


def publish(tmp_path: Path, model: bytes) -> Path:
    (tmp_path / "fastpitch.nemo").write_bytes(model)
    status = finished(
        selected_weights_id=SCRATCH,
        vocoder="griffin-lim",
        artifacts=("fastpitch.nemo",),
    )
    write_training_status(tmp_path / "status.json", status)
    built = build_bundle(
        tmp_path / "status.json", None, tmp_path / "built", allowlist=REPOSITORY / SHIPPED, base=tmp_path,
        data_notice="Spoken by Zoe.",
    )  # fmt: skip
    promoted = promote(built.manifest_path, tmp_path / "bundles", "zoe", "Zoe", strict=False, base=tmp_path)
    return promoted.root / "fastpitch.nemo"


def test_licence_and_notices_are_inherited(voice: Path, tmp_path: Path, listed: LoadedAllowlist) -> None:
    selection, before = gates.select_ancestor(voice, listed)
    assert selection.entry.id == SCRATCH
    assert (before.voice, before.file) == ("zoe", "fastpitch.nemo")
    assert "Spoken by Zoe." in before.notice
    assert gates.select_ancestor(tmp_path / "built/fastpitch.nemo", listed)[0].entry.id == SCRATCH


def test_the_inherited_weights_must_pass_the_gate_again(voice: Path, listed: LoadedAllowlist) -> None:
    kept = tuple(entry for entry in listed.allowlist.weights if entry.id != SCRATCH)
    shorter = LoadedAllowlist(dataclasses.replace(listed.allowlist, weights=kept), listed.path, listed.sha256)
    with pytest.raises(VoicemillError) as caught:
        gates.select_ancestor(voice, shorter)
    assert caught.value.reason == "allowlist_rejected:selected_weights_not_listed"


def test_a_changed_model_is_refused(voice: Path, listed: LoadedAllowlist) -> None:
    voice.write_bytes(voice.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleFileError) as caught:
        gates.select_ancestor(voice, listed)
    assert caught.value.reason.startswith("checksum_mismatch")


@pytest.mark.parametrize("how", ["alone", "unlisted", "dry_run", "unnamed"])
def test_a_model_of_unknown_origin_is_refused(voice: Path, listed: LoadedAllowlist, how: str) -> None:
    path, manifest = voice, voice.parent / "manifest.json"
    document = json.loads(manifest.read_text())
    if how == "unlisted":
        path = voice.with_name("other.nemo")
        path.write_bytes(voice.read_bytes())
    elif how == "dry_run":
        document["dry_run"] = True
    elif how == "unnamed":
        document["provenance"]["source_weights_refs"] = None
    manifest.write_text(json.dumps(document))
    if how == "alone":
        manifest.unlink()
    with pytest.raises(VoicemillError) as caught:
        gates.select_ancestor(path, listed)
    assert caught.value.reason == f"init_from_unrecorded:{path.name}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("  phoneme_dict: /etc/passwd\n", "config_path:phoneme_dict"),
        ("  phoneme_dict: nemo:../../private.txt\n", "config_path:phoneme_dict"),
        ("  word_tokenize_func: x\n", "config_argument:EnglishG2p.word_tokenize_func"),
    ],
)
def test_a_voice_whose_model_names_a_local_file_is_no_start(
    tmp_path: Path, model: bytes, lines: str, reason: str
) -> None:
    """The file would go into the archive of the new voice."""
    changed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(model)) as source, tarfile.open(fileobj=changed, mode="w:") as target:
        for member in source:
            data = source.extractfile(member).read()
            if member.name.endswith("model_config.yaml"):
                data += f"g2p:\n  _target_: nemo.collections.tts.g2p.models.en_us_arpabet.EnglishG2p\n{lines}".encode()
                member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    start = publish(tmp_path, changed.getvalue())
    clip = tmp_path / "clips/one.wav"
    clip.parent.mkdir()
    clip.write_bytes((REPOSITORY / "data/demo/demo.flac").read_bytes()[:4000])
    clip.with_suffix(".txt").write_text("One.\n")
    environ = {"WORK_DIR": str(tmp_path / "work"), "CACHE_DIR": str(tmp_path / "cache")}
    settings = Settings.from_environment(environ, repository=REPOSITORY)
    known = settings.workspace.cache / gates.RUNTIME_CHECKS / f"{gates._installation()}.json"
    settings.workspace.work.mkdir()
    known.parent.mkdir(parents=True)
    known.write_text("{}")  # NeMo was tried before
    options = LaneOptions(SourceOptions(audio=str(clip.parent)), init_from=start, preset="smoke")
    with pytest.raises(GateError) as caught:
        gates.clear(LaneRequest.from_options(settings, options), settings)
    assert caught.value.reason == f"unsafe_archive:{reason}"


def test_a_checkpoint_is_not_a_model(tmp_path: Path, listed: LoadedAllowlist) -> None:
    with pytest.raises(UsageError, match="not a model") as caught:
        gates.select_ancestor(tmp_path / "fastpitch-0001.checkpoint", listed)
    assert "--resume" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        gates.select_ancestor(tmp_path / "none.nemo", listed)
    assert caught.value.reason == "missing_input_file"
