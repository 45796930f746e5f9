"""Names, files and archives of voices that speak without training."""

from __future__ import annotations

import json
import shutil
import stat
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from voicemill import atomic
from voicemill.dataset.prepared import PreparedDataset
from voicemill.errors import VoicemillError
from voicemill.settings import REPOSITORY
from voicemill.verify import schemas
from voicemill.voices import registry as datasets
from voicemill.workspace import Workspace
from voicemill_cloning import archive, voice_file
from voicemill_cloning.registry import SpeakingVoices
from voicemill_cloning.voice_file import CustomVoice, SpeakingVoice, VoiceReference, VoiceSource

EARLIER = {
    "slug": "ann-old",
    "display_name": "Ann",
    "description": None,
    "created_at": "2025-11-02T10:00:00+00:00",
    "updated_at": "2025-11-02T10:00:00+00:00",
    "source": {"type": "youtube", "url": "https://example.org/v", "video_id": "v", "n_clips": 3, "note": "kept by no one"},
    "ref": {
        "hash": "ab" * 16, "segment_start": 1.5, "segment_end": 9.5, "duration_sec": 8.0, "transcript": "Good morning.",
        "transcript_conf": -0.3, "language": "English", "language_prob": 0.99, "wav": "ref.wav",
    },
    "prompts": {"abab_full_v1": "prompts/abab_full_v1.pkl"},
    "tones": {"warm": "abab_full_v1"},
}  # fmt: skip


def _voice(slug: str = "ann", **changes: object) -> SpeakingVoice:
    return SpeakingVoice(
        slug=slug, display_name=slug, created_at=voice_file.now(), updated_at=voice_file.now(), engine="clone_prompt"
    ).model_copy(update=changes)


def _files(voices: SpeakingVoices, slug: str) -> None:
    folder = voices.folder(slug)
    (folder / "prompts").mkdir(parents=True, exist_ok=True)
    (folder / "ref.wav").write_bytes(b"RIFF" + bytes(4000))
    (folder / "prompts/one.safetensors").write_bytes(b"one")
    (folder / "prompts/two.safetensors").write_bytes(b"two")


@pytest.fixture
def voices(tmp_path: Path) -> SpeakingVoices:
    return SpeakingVoices(tmp_path / "cache", tmp_path / "work/bundles")


@pytest.fixture
def ann(voices: SpeakingVoices) -> SpeakingVoices:
    """A registry with a cloned voice that is ready."""
    _files(voices, "ann")
    voices.create(
        _voice(
            source=VoiceSource(type="file", path="a.wav"),
            ref=VoiceReference(
                hash="0" * 64, segment_start=0.0, segment_end=8.0, duration_sec=8.0, transcript="Hello."
            ),
            prompts={"one": "prompts/one.safetensors", "two": "prompts/two.safetensors"},
            prompt="one",
            tones={"warm": "two"},
        )
    )
    return voices


def _reason(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(VoicemillError) as caught:
        call()
    return caught.value.reason, caught.value.hint


def _bundle(voices: SpeakingVoices, name: str) -> None:
    path = voices.bundles / name / "voice_bundle/manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}", "utf-8")


def test_the_file_is_valid_and_its_schema_is_committed(ann: SpeakingVoices) -> None:
    assert schemas.problems(REPOSITORY, [schemas.Format("speaking-voice", 1, SpeakingVoice)]) == []
    schema = json.loads((REPOSITORY / "configs/voice/schemas/speaking-voice-1.schema.json").read_text("utf-8"))
    document = json.loads((ann.folder("ann") / "voice.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["engine"] == "clone_prompt"
    assert document["prompts"]["one"] == "prompts/one.safetensors"
    assert {"slug", "source", "ref", "prompts", "tones", "custom_voice", "generation_defaults"} <= document.keys()


def test_a_voice_that_exists_is_not_replaced(ann: SpeakingVoices) -> None:
    first = ann.get("ann").file
    assert ann.create(_voice(engine="designed_clone")) == first
    assert ann.get("ann").file == first


def test_the_prompt_that_speaks(ann: SpeakingVoices) -> None:
    known = ann.get("ann")
    assert known.file is not None
    assert (known.file.chosen(), known.file.chosen("warm")) == ("prompts/one.safetensors", "prompts/two.safetensors")
    assert known.file.chosen("cold") is None
    assert known.ready
    (known.folder / "prompts/one.safetensors").unlink()
    assert not ann.get("ann").ready


def test_voices_are_found_by_name_and_beginning(ann: SpeakingVoices) -> None:
    ann.create(_voice("anna-two"))
    _bundle(ann, "Dottie_default")
    assert ann.find("ann").slug == "ann"
    assert ann.find(" ANN ").slug == "ann"
    assert ann.find("anna").slug == "anna-two"
    assert (ann.find("dot").slug, ann.find("Dottie_default").engine) == ("Dottie_default", "trained")
    assert _reason(lambda: ann.find("an"))[0] == "voice_ambiguous:an"
    reason, hint = _reason(lambda: ann.find("dottie_defualt"))
    assert (reason, "Dottie_default" in hint or "list-voices" in hint) == ("voice_not_found:dottie_defualt", True)
    assert "anna-two" in _reason(lambda: ann.find("anna-twoo"))[1]
    for odd in ("", "../ann", "a/b", "\0", "."):
        assert _reason(lambda odd=odd: ann.find(odd))[0].startswith("voice_not_found:")


def test_known_voices_the_newest_first(voices: SpeakingVoices) -> None:
    voices.create(_voice("old", created_at="2025-01-01T00:00:00+00:00"))
    voices.create(_voice("new", created_at="2026-01-01T00:00:00+00:00"))
    _bundle(voices, "trained")
    assert [known.slug for known in voices.known()[0]] == ["new", "old", "trained"]


@pytest.mark.parametrize("name", ["", "-a", "a-", "a_b", "a.b", "ä", "a" * 65, "a b", "../a"])
def test_names_that_no_voice_can_have(name: str) -> None:
    assert _reason(lambda: voice_file.voice_slug(name))[0] == "invalid_voice_slug"


def test_names_are_trimmed_and_lowered() -> None:
    assert [voice_file.voice_slug(name) for name in (" Ann ", "a", "A-1")] == ["ann", "a", "a-1"]


def test_rename_and_delete(ann: SpeakingVoices) -> None:
    renamed = ann.rename("ann", "Eve")
    assert (renamed.slug, renamed.display_name) == ("eve", "eve")
    assert ann.find("eve").ready
    assert not ann.folder("ann").exists()
    ann.change("eve", lambda voice: voice.model_copy(update={"display_name": "Eve of York"}))
    assert ann.rename("eve", "york").display_name == "Eve of York"
    assert _reason(lambda: ann.rename("york", "york"))[0] == "voice_exists:york"
    assert _reason(lambda: ann.rename("york", "../x"))[0] == "invalid_voice_slug"
    _bundle(ann, "trained")
    assert _reason(lambda: ann.rename("trained", "other"))[0] == "trained_voice_fixed:trained"
    assert _reason(lambda: ann.delete("trained"))[0] == "trained_voice_fixed:trained"
    assert ann.delete("york") == "york"
    assert list(ann.root.iterdir()) == []
    assert _reason(lambda: ann.delete("york"))[0] == "voice_not_found:york"


def test_changes_of_several_processes_are_all_kept(ann: SpeakingVoices) -> None:
    def add(number: int) -> None:
        for step in range(5):
            ann.change(
                "ann",
                lambda voice, tone=f"t{number}-{step}": voice.model_copy(
                    update={"tones": {**voice.tones, tone: "one"}}
                ),
            )

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = ann.get("ann").file
    assert known is not None
    assert len(known.tones) == 21


def test_files_of_the_earlier_toolbox_are_read(voices: SpeakingVoices) -> None:
    folder = voices.folder("ann-old")
    (folder / "prompts").mkdir(parents=True)
    (folder / "prompts/abab_full_v1.pkl").write_bytes(b"never loaded")
    (folder / "voice.json").write_text(json.dumps(EARLIER), "utf-8")
    known = voices.find("ann-old")
    assert known.file is not None
    assert (known.file.engine, known.file.tone_names, known.ready) == ("clone_prompt", ("warm",), True)
    assert (known.file.source, known.file.ref) == (
        VoiceSource(type="youtube", url="https://example.org/v", video_id="v", n_clips=3),
        VoiceReference(**EARLIER["ref"]),
    )
    voices.change("ann-old", lambda voice: voice)
    assert json.loads((folder / "voice.json").read_text("utf-8"))["version"] == "voicemill_speaking_voice/1"
    again = voices.find("ann-old").file
    assert again == known.file.model_copy(update={"updated_at": again.updated_at if again else ""})


@pytest.mark.parametrize(
    ("changes", "engine"),
    [
        ({"custom_voice": {"speaker": "Ryan", "model": "m", "tones": {"warm": "Warmly."}}}, "custom_voice"),
        ({"source": {"type": "designed", "instruct": "Old."}}, "designed_clone"),
        ({"custom_voice": {"speaker": None}, "generation_defaults": {}}, "clone_prompt"),
        ({"engine": "designed_clone"}, "designed_clone"),
    ],
)
def test_the_engine_of_an_earlier_file(changes: dict[str, object], engine: str) -> None:
    assert voice_file.parse_voice(json.dumps({**EARLIER, **changes}).encode(), "ann-old").engine == engine


@pytest.mark.parametrize(
    "damage",
    [
        {"prompts": {"a": "../../etc/passwd"}},
        {"prompts": {"a": "/etc/passwd"}},
        {"ref": {**EARLIER["ref"], "wav": "../x.wav"}},
        {"engine": "magic"},
        {"slug": "someone-else"},
        {"version": "voicemill_speaking_voice/9"},
        {"tones": ["warm"]},
    ],
)
def test_damaged_files_are_named(voices: SpeakingVoices, damage: dict[str, object]) -> None:
    folder = voices.folder("ann-old")
    folder.mkdir(parents=True)
    (folder / "voice.json").write_text(json.dumps({**EARLIER, **damage}), "utf-8")
    assert _reason(lambda: voices.find("ann-old"))[0] == "voice_invalid:ann-old"


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, json.dumps({**EARLIER, "tones": 3}).encode()])
def test_a_damaged_file_hides_no_other_voice_and_can_be_replaced(
    ann: SpeakingVoices, tmp_path: Path, data: bytes
) -> None:
    made = archive.export_voice(ann, "ann", tmp_path / "ann.zip")
    ann.create(_voice("eve"))
    path = ann.folder("ann") / "voice.json"
    path.write_bytes(data)
    found, damaged = ann.known()
    assert ([known.slug for known in found], [error.reason for error in damaged]) == (["eve"], ["voice_invalid:ann"])
    for call in (lambda: ann.find("ann"), lambda: ann.create(_voice("ann")), lambda: ann.rename("ann", "york")):
        assert _reason(call)[0] == "voice_invalid:ann"
    assert _reason(lambda: archive.import_voice(ann, made.path))[0] == "voice_exists:ann"
    assert archive.import_voice(ann, made.path, force=True).slug == "ann"
    assert ann.find("ann").ready
    path.write_bytes(data)
    assert ann.delete("ann") == "ann"
    assert not ann.folder("ann").exists()


def test_a_built_in_voice_is_ready_without_files(voices: SpeakingVoices) -> None:
    made = CustomVoice(model="m", speaker="Ryan", tones={"warm": "Warmly."})
    voices.create(_voice("ryan", engine="custom_voice", custom_voice=made))
    known = voices.find("ryan")
    assert known.file is not None
    assert (known.ready, known.file.tone_names) == (True, ("warm",))


def test_a_dataset_of_the_same_name_keeps_its_record_in_the_same_file(
    ann: SpeakingVoices, prepared: PreparedDataset, tmp_path: Path
) -> None:
    home = Workspace(work=tmp_path / "work", cache=ann.cache)
    assert [voice.record.slug for voice in datasets.known(home)] == []
    shutil.copytree(prepared.root, home.dataset("ann"))
    record = datasets.register(home.dataset("ann"), home)
    known = ann.get("ann").file
    assert known is not None
    assert (known.dataset, known.engine) == (record, "clone_prompt")
    assert [voice.record for voice in datasets.known(home)] == [record]
    ann.change("ann", lambda voice: voice.model_copy(update={"description": "Calm."}))
    assert datasets.get(home, "ann").record == record
    datasets.rename(home, "ann", "eve")
    assert [voice.record.slug for voice in datasets.known(home)] == ["eve"]
    assert ann.find("ann").ready
    datasets.rename(home, "eve", "ann")
    ann.rename("ann", "york")
    assert [voice.record.slug for voice in datasets.known(home)] == ["ann"]
    _files(ann, "ann")
    ann.create(_voice(prompts={"one": "prompts/one.safetensors"}))
    datasets.delete(home, "ann")
    assert datasets.known(home) == []
    assert ann.find("ann").ready


def test_export_and_import(ann: SpeakingVoices, tmp_path: Path) -> None:
    (ann.folder("ann") / "notes.txt").write_text("private", "utf-8")
    made = archive.export_voice(ann, "ann", tmp_path / "ann.zip")
    again = archive.export_voice(ann, "ann", tmp_path / "again.zip")
    assert (made.sha256, made.entries) == (again.sha256, 4)
    other = SpeakingVoices(tmp_path / "other", tmp_path / "bundles")
    assert archive.import_voice(other, made.path) == ann.get("ann").file
    assert other.find("ann").ready
    assert sorted(path.name for path in other.folder("ann").iterdir()) == ["prompts", "ref.wav", "voice.json"]
    assert _reason(lambda: archive.import_voice(other, made.path))[0] == "voice_exists:ann"
    other.change("ann", lambda voice: voice.model_copy(update={"description": "Changed."}))
    archive.import_voice(other, made.path, force=True)
    assert other.get("ann").file == ann.get("ann").file


def test_archives_of_the_earlier_toolbox_are_taken(voices: SpeakingVoices, tmp_path: Path) -> None:
    source = tmp_path / "src/ann-old"
    (source / "prompts").mkdir(parents=True)
    (source / "voice.json").write_text(json.dumps(EARLIER), "utf-8")
    (source / "ref.wav").write_bytes(bytes(5000))
    for name in ("abab_full_v1.pkl", "abab_full_v1.meta.json"):
        (source / "prompts" / name).write_bytes(b"{}")
    path = Path(shutil.make_archive(str(tmp_path / "old"), "zip", tmp_path / "src"))
    assert archive.import_voice(voices, path).engine == "clone_prompt"
    assert (voices.folder("ann-old") / "prompts/abab_full_v1.pkl").read_bytes() == b"{}"


def _zip(path: Path, entries: dict[str, bytes], mode: int = stat.S_IFREG | 0o644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            made.writestr(info, data)
    return path


RECORD = json.dumps({**EARLIER, "slug": "x", "prompts": {}, "ref": None, "tones": {}}).encode()


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"x/voice.json": RECORD, "x/../../evil": b""}, "voice_archive_unsafe:unsafe_path"),
        ({"x/voice.json": RECORD, "/etc/cron.d/evil": b""}, "voice_archive_unsafe:unsafe_path"),
        ({"x/voice.json": RECORD, "x/run.sh": b""}, "voice_archive_unsafe:unexpected_entry"),
        ({"x/voice.json": RECORD, "y/voice.json": RECORD}, "voice_archive_unsafe:unexpected_entry"),
        ({"x/voice.json": RECORD, "x/Ref.wav": b"", "x/ref.wav": b""}, "voice_archive_unsafe:unexpected_entry"),
        ({"x/voice.json": RECORD, "x/prompts/a.PKL": b""}, "voice_archive_unsafe:unexpected_entry"),
        ({"x/ref.wav": b""}, "voice_archive_unsafe:incomplete"),
        ({"voice.json": RECORD}, "voice_archive_unsafe:unexpected_entry"),
        ({"X Y/voice.json": RECORD}, "invalid_voice_slug"),
        ({"x/voice.json": b"{"}, "voice_invalid:x"),
        (
            {"x/voice.json": json.dumps({**EARLIER, "slug": "x"}).encode()},
            "voice_archive_mismatch:prompts/abab_full_v1.pkl",
        ),
    ],
)
def test_unsafe_archives_are_refused(
    voices: SpeakingVoices, tmp_path: Path, entries: dict[str, bytes], reason: str
) -> None:
    path = _zip(tmp_path / "x.zip", entries)
    assert _reason(lambda: archive.import_voice(voices, path))[0] == reason
    assert not voices.root.exists() or list(voices.root.iterdir()) == []


def test_links_bombs_and_other_files_are_refused(voices: SpeakingVoices, tmp_path: Path) -> None:
    link = _zip(tmp_path / "l.zip", {"x/voice.json": RECORD}, stat.S_IFLNK | 0o777)
    assert _reason(lambda: archive.import_voice(voices, link))[0] == "voice_archive_unsafe:link_or_device"
    bomb = _zip(tmp_path / "b.zip", {"x/voice.json": RECORD, "x/ref.wav": b"\0" * 1_000_000})
    data = bytearray(bomb.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.rfind(mark)
        data[at + offset : at + offset + 4] = struct.pack("<I", 0xF0000000)
    bomb.write_bytes(data)
    assert _reason(lambda: archive.import_voice(voices, bomb))[0] == "voice_archive_unsafe:too_large"
    inflated = _zip(tmp_path / "i.zip", {"x/voice.json": RECORD, "x/ref.wav": bytes(40_000_000)})
    assert _reason(lambda: archive.import_voice(voices, inflated))[0] == "voice_archive_unsafe:too_large"
    (tmp_path / "n.zip").write_bytes(b"not a zip")
    assert _reason(lambda: archive.import_voice(voices, tmp_path / "n.zip"))[0] == "voice_archive_unsafe:not_a_zip"
    assert _reason(lambda: archive.import_voice(voices, tmp_path / "none.zip"))[0] == "voice_archive_missing"


def test_a_killed_change_leaves_the_file_whole(ann: SpeakingVoices, repository: Path) -> None:
    path = ann.folder("ann") / "voice.json"
    before = path.read_bytes()
    program = """
import os, sys
from pathlib import Path
from voicemill import atomic
from voicemill_cloning.registry import SpeakingVoices
atomic.publish = lambda made, target: os._exit(9)
SpeakingVoices(Path(sys.argv[1]), Path(sys.argv[2])).change("ann", lambda v: v.model_copy(update={"description": "x" * 9000}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(ann.cache), str(ann.bundles)],
        cwd=repository, env={"PYTHONPATH": "lib", "PATH": ""}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 9
    assert path.read_bytes() == before
    atomic.sweep(ann.folder("ann"))
    assert [each.name for each in ann.folder("ann").iterdir() if each.name.startswith(".")] == []
