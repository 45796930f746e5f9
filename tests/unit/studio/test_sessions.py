"""Recording sessions on the disk, and the source folder that voice-prep gets of them and of uploads."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill import files
from voicemill.dataset.rights import parse_rights
from voicemill.errors import UsageError, VoicemillError
from voicemill_studio import preparation_source
from voicemill_studio.draft_store import DraftStore
from voicemill_studio.session_store import RecordingSession, SessionStore, sentences_of
from voicemill_studio.take_verdict import TakeFault, TakeVerdict
from voicemill_studio.upload_store import UploadStore

SENTENCES = ("First of all, good morning.", "The boy hid the letter.", "It rained all through July.")


def verdict(*reasons: str) -> TakeVerdict:
    faults = tuple(TakeFault(reason, "A sentence.") for reason in reasons)
    return TakeVerdict(not faults, faults, 2.0, -25.0, -8.0, 40.0, (), "")


def wav(value: float = 0.1) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, np.full(4_000, value, np.float32), 48_000, format="WAV")
    return target.getvalue()


@pytest.fixture
def session(tmp_path: Path) -> RecordingSession:
    return SessionStore(tmp_path / "sessions").create("ann", "  Ann   Smith ", SENTENCES, 3)


def test_a_session_goes_on_in_another_process(session: RecordingSession) -> None:
    session.add_take(1, wav(0.1), verdict("wrong_word"))
    session.add_take(1, wav(0.2), verdict())
    session.add_take(0, wav(0.3), verdict())
    again = SessionStore(session.folder.parent).get(session.record.id)
    assert again.record == session.record
    assert again.record.speaker == "Ann Smith"
    consent, first, second, third = again.states()
    assert consent.used is not None
    assert [take.record.good for take in first.takes] == [False, True]
    assert first.used == first.takes[1]
    assert (second.used, third.used) == (None, None)
    assert files.sha256_bytes(first.used.path.read_bytes()) == first.used.record.sha256
    assert [one.record.id for one in SessionStore(session.folder.parent).all()] == [session.record.id]


def test_a_take_without_a_verdict_does_not_count(session: RecordingSession) -> None:
    take = session.add_take(2, wav(), verdict())
    take.path.with_suffix(".json").unlink()
    assert session.states()[2].takes == ()
    assert session.add_take(2, wav(), verdict()).number == 1


def test_a_sentence_takes_99_takes(session: RecordingSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicemill_studio.session_store.MOST_TAKES", 2)
    session.add_take(1, wav(), verdict())
    session.add_take(1, wav(), verdict())
    with pytest.raises(UsageError) as refused:
        session.add_take(1, wav(), verdict())
    assert refused.value.code == "takes_too_many"


def test_a_faulty_take_can_be_kept_by_hand_until_the_next_one(session: RecordingSession) -> None:
    session.add_take(1, wav(), verdict("noisy"))
    assert session.states()[1].used is None
    session.choose(1, keep=1)
    assert session.states()[1].used is not None
    session.add_take(1, wav(), verdict("noisy"))
    assert session.states()[1].used is None, "a new take is judged anew"
    session.choose(1, skip=True)
    assert session.states()[1].skipped
    session.add_take(1, wav(), verdict())
    assert not session.states()[1].skipped


@pytest.mark.parametrize("number", [-1, 4, 1000])
def test_unknown_sentences_and_takes(session: RecordingSession, number: int) -> None:
    for action in (
        lambda: session.add_take(number, wav(), verdict()),
        lambda: session.choose(number, skip=True),
        lambda: session.take(number, 1),
    ):
        with pytest.raises(UsageError) as refused:
            action()
        assert refused.value.code == "sentence_unknown"
    for keep in (0, 1, 99):
        with pytest.raises(UsageError) as refused:
            session.choose(1, keep=keep)
        assert refused.value.code == "take_unknown"


@pytest.mark.parametrize("session_id", ["", "..", "../sessions", "0" * 16, "A" * 16])
def test_unknown_sessions(session: RecordingSession, session_id: str) -> None:
    with pytest.raises(UsageError) as refused:
        SessionStore(session.folder.parent).get(session_id)
    assert refused.value.code == "session_unknown"


def test_names_are_checked(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "sessions")
    for voice, speaker, reason in (
        ("../x", "Ann", "invalid_voice_profile_id"),
        ("ann", " ", "speaker_missing"),
        ("ann", "x" * 121, "speaker_missing"),
        ("ann", "a\u202eb", "speaker_missing"),
    ):
        with pytest.raises(UsageError) as refused:
            store.create(voice, speaker, SENTENCES, 1)
        assert refused.value.code == reason
    assert not (tmp_path / "sessions").exists()


def test_takes_of_two_pages_at_once_are_all_kept(session: RecordingSession) -> None:
    with ThreadPoolExecutor(8) as pool:
        takes = list(pool.map(lambda value: session.add_take(1, wav(value / 100), verdict()), range(24)))
    assert sorted(take.number for take in takes) == list(range(1, 25))
    for take in session.states()[1].takes:
        assert files.sha256_file(take.path) == take.record.sha256


def test_the_source_of_a_session(session: RecordingSession, tmp_path: Path) -> None:
    target = tmp_path / "source"
    for reason, prepare in (
        ("consent_not_recorded", lambda: None),
        ("takes_too_few", lambda: session.add_take(0, wav(0.5), verdict())),
        ("takes_too_few", lambda: session.add_take(1, wav(0.1), verdict())),
    ):
        prepare()
        with pytest.raises(VoicemillError) as refused:
            preparation_source.from_session(session, target)
        assert refused.value.code == reason
        assert not target.exists()
    session.add_take(2, wav(0.2), verdict("noisy"))
    session.add_take(3, wav(0.3), verdict())
    source = preparation_source.from_session(session, target)
    assert sorted(os.listdir(target / "recordings")) == [
        "sentence 0001.txt",
        "sentence 0001.wav",
        "sentence 0003.txt",
        "sentence 0003.wav",
    ]
    assert (target / "recordings/sentence 0003.txt").read_text() == SENTENCES[2] + "\n"
    assert (target / "recordings/sentence 0003.wav").read_bytes() == wav(0.3)
    assert preparation_source.arguments("ann", source) == [
        "--voice", "ann", "--audio", str(target / "recordings"), "--consent", str(target / "consent.txt"),
    ]  # fmt: skip
    digest = files.sha256_file(target / "consent.wav")
    rights = parse_rights(str(target / "consent.txt"), None)
    assert rights is not None
    assert rights.consent is not None
    assert digest in rights.consent
    assert session.consent_text in rights.consent
    assert "Ann Smith" in rights.consent
    preparation_source.from_session(session, target)  # again, over the earlier one


def uploaded(store: UploadStore, name: str, data: bytes) -> None:
    upload = store.create(name, len(data))
    store.append(upload.record.id, 0, data)
    store.check(upload.record.id)


@pytest.mark.parametrize(
    ("names", "options", "found"),
    [
        (["b.wav", "a.wav", "script.txt"], ["--audio", "recordings", "--script", "text/script.txt"], 2),
        (["a.wav", "a.txt"], ["--audio", "recordings", "--script", "text/a.txt"], 1),
        (["a.wav", "b.wav", "a.txt", "b.lab"], ["--audio", "recordings"], 4),
        (["a.wav", "b.wav", "Metadata.csv"], ["--metadata", "text/Metadata.csv", "--audio", "recordings"], 2),
        (["é <b>.wav", "ü <b>.wav", "é <b>.txt", "ü <b>.txt"], ["--audio", "recordings"], 4),
    ],
)
def test_the_source_of_uploads(tmp_path: Path, names: list[str], options: list[str], found: int) -> None:
    store = UploadStore(tmp_path / "files")
    for number, name in enumerate(names):
        uploaded(store, name, wav(0.01 * (number + 1)) if name.endswith("wav") else b"The words that are spoken.")
    source = preparation_source.from_uploads(store, tmp_path / "source")
    shown = [option.removeprefix(f"{tmp_path}/source/") for option in source.options]
    assert shown == options
    recordings = os.listdir(tmp_path / "source/recordings")
    assert len(recordings) == found
    assert all(name.isascii() and "<" not in name for name in recordings)
    stems = {Path(name).stem for name in recordings if name.endswith(".wav")}
    if "--script" not in options and "--metadata" not in options:
        assert stems == {Path(name).stem for name in recordings if not name.endswith(".wav")}


@pytest.mark.parametrize(
    ("names", "options", "found"),
    [
        (["a.wav"], ["--audio", "recordings", "--recognise", "nemo:x"], 1),
        (["a.wav", "b.wav", "a.txt"], ["--audio", "recordings", "--recognise", "nemo:x"], 3),
        (["a.wav", "b.wav", "book.txt"], ["--audio", "recordings", "--script", "text/book.txt"], 2),
        (["a.wav", "a.txt"], ["--audio", "recordings", "--script", "text/a.txt"], 1),
    ],
)
def test_recordings_without_text_are_recognised(
    tmp_path: Path, names: list[str], options: list[str], found: int
) -> None:
    store = UploadStore(tmp_path / "files")
    for number, name in enumerate(names):
        uploaded(store, name, wav(0.01 * (number + 1)) if name.endswith("wav") else b"The words that are spoken.")
    source = preparation_source.from_uploads(store, tmp_path / "source", recogniser="nemo:x")
    assert [option.removeprefix(f"{tmp_path}/source/") for option in source.options] == options
    assert len(os.listdir(tmp_path / "source/recordings")) == found


def test_sentences_of_ones_own() -> None:
    assert sentences_of("\n  The   boy hid. \n\nIt rained.\r\nThe boy hid.\n") == ["The boy hid.", "It rained."]
    assert sentences_of(" \n ") == []
    for wrong in ("a " * 200, "…", "The boy hid.\n---", "\n".join(f"Number {number}." for number in range(501))):
        with pytest.raises(UsageError) as refused:
            sentences_of(wrong)
        assert refused.value.code == "sentences_invalid"
    with pytest.raises(VoicemillError) as foreign:
        sentences_of("Добрый день.")
    assert foreign.value.code == "text_not_english"


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "no_recordings"),
        (["a.txt"], "no_recordings"),
        (["a.wav"], "no_text"),
        (["a.wav", "b.wav", "a.txt", "c.txt"], "texts_unclear"),
        (["a.wav", "b.wav", "a.txt"], "texts_unclear"),
    ],
)
def test_what_is_missing_has_a_sentence(tmp_path: Path, names: list[str], reason: str) -> None:
    store = UploadStore(tmp_path / "files")
    for name in names:
        uploaded(store, name, wav() if name.endswith("wav") else b"The words.")
    with pytest.raises(UsageError) as refused:
        preparation_source.from_uploads(store, tmp_path / "source")
    assert refused.value.code == reason
    store.create("late.wav", 10)
    with pytest.raises(UsageError) as refused:
        preparation_source.from_uploads(store, tmp_path / "source")
    assert refused.value.code == "upload_incomplete"
    assert not (tmp_path / "source").exists()


def test_drafts(tmp_path: Path) -> None:
    store = DraftStore(tmp_path / "drafts")
    draft = store.create("ann")
    draft.change(licence="CC-BY-4.0", consent="I agree.", preset="studio", separate="never")
    again = store.get(draft.record.id)
    assert (again.record.licence, again.record.preset) == ("CC-BY-4.0", "studio")
    for fields, reason in (
        ({"licence": "no licence at all"}, "licence_invalid"),
        ({"preset": "loud"}, "draft_invalid"),
        ({"separate": ""}, "draft_invalid"),
    ):
        with pytest.raises(UsageError) as refused:
            again.change(**fields)
        assert refused.value.code == reason
    assert store.get(draft.record.id).record == again.record
    with pytest.raises(UsageError):
        store.create("../ann")
    assert [one.record.id for one in store.all()] == [draft.record.id]
    store.remove(draft.record.id)
    assert store.all() == []
    with pytest.raises(UsageError) as refused:
        store.get(draft.record.id)
    assert refused.value.code == "draft_unknown"
