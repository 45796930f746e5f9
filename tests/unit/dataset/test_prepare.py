from __future__ import annotations

import dataclasses
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill import files
from voicemill.audio.segmentation import Segmentation
from voicemill.dataset import description, explain
from voicemill.dataset.manifest import read_entries, read_manifest
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset, load
from voicemill.dataset.request import ManifestSource, PreparationRequest, recording_source
from voicemill.dataset.stages import STAGES
from voicemill.errors import AudioError, DatasetError, RefusedError, StorageError
from voicemill.progress import SilentObserver
from voicemill.workspace import Workspace

pytestmark = pytest.mark.slow


class Listening(SilentObserver):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []

    def stage(self, name: str, total: int | None = None) -> None:
        self.stages.append(name)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def request_of(piece_audio: Path, piece_script: Path) -> PreparationRequest:
    return PreparationRequest(voice="demo", source=recording_source(piece_audio, piece_script), seed=3, workers=1)


def _tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): files.sha256_file(path) for path in sorted(root.rglob("*")) if path.is_file()
    }


def test_every_sentence_became_a_clip(prepared: PreparedDataset, sentences: tuple[str, ...]) -> None:
    assert tuple(entry.text for entry in prepared.entries) == sentences
    assert not prepared.cache_hit
    assert prepared.report.rejected == ()
    assert [stage.name for stage in prepared.stages] == list(STAGES)
    for entry in prepared.entries:
        info = soundfile.info(prepared.root / entry.audio_filepath)
        assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "PCM_16")
        assert info.duration == pytest.approx(entry.duration, abs=1e-6)
        assert 1.0 <= entry.duration <= 12.0
        assert entry.end - entry.start == pytest.approx(entry.duration, abs=2e-4)
        assert entry.sha256 == files.sha256_file(prepared.root / entry.audio_filepath)


def test_words_and_phones_lie_in_the_clip(prepared: PreparedDataset) -> None:
    for entry in prepared.entries:
        times = [time for _, _, _, phones in entry.alignment for _, start, end in phones for time in (start, end)]
        assert times == sorted(times)
        assert 0.0 <= times[0] < times[-1] <= entry.duration + 0.02
        assert entry.quality.alignment_score > -30


def test_split_and_manifests(prepared: PreparedDataset) -> None:
    both = read_entries(prepared.train_manifest) + read_entries(prepared.validation_manifest)
    assert sorted(entry.id for entry in both) == [entry.id for entry in prepared.entries]
    assert prepared.stats.validation_clips == len(read_entries(prepared.validation_manifest)) == 1
    assert prepared.sha256 == files.sha256_file(prepared.manifest)
    assert all(line.duration for line in read_manifest(prepared.manifest))


def test_pitch_has_a_frame_a_hop(prepared: PreparedDataset) -> None:
    for entry in prepared.entries:
        with np.load(prepared.root / "supplementary" / f"{entry.id}.npz") as stored:
            hertz = stored["pitch"]
            assert stored["fmin"] == prepared.stats.pitch_fmin
        assert hertz.dtype == np.float32
        assert len(hertz) == round(entry.duration * 22_050) // 256 + 1
    assert 150 < prepared.stats.pitch_mean < 200
    assert prepared.stats.pitch_fmin < prepared.stats.pitch_mean < prepared.stats.pitch_fmax


def test_every_second_is_accounted_for(prepared: PreparedDataset) -> None:
    report = prepared.report
    assert report.seconds_in == pytest.approx(27.76, abs=0.01)
    assert report.seconds_kept == pytest.approx(sum(entry.duration for entry in prepared.entries), abs=0.01)
    assert report.seconds_pause == pytest.approx(report.seconds_in - report.seconds_kept, abs=0.01)


def test_loudness_is_brought_to_the_target(prepared: PreparedDataset) -> None:
    figures = prepared.description.loudness
    assert figures.integrated_lufs + figures.gain_db == pytest.approx(-23.0, abs=0.1)


def test_nothing_else_lies_there(prepared: PreparedDataset) -> None:
    expected = {
        "manifest.jsonl",
        "train.jsonl",
        "validation.jsonl",
        "lexicon.dict",
        "dataset.json",
        "cuts.tsv",
        "timings.json",
        "clips",
        "supplementary",
    }
    assert {path.name for path in prepared.root.iterdir()} == expected
    assert [path.name for path in prepared.root.parent.iterdir()] == ["demo"]


def test_no_machine_path_is_written(prepared: PreparedDataset, workspace: Workspace) -> None:
    for path in prepared.root.glob("*.json*"):
        assert str(workspace.work.parent) not in path.read_text("utf-8")


def test_the_second_run_finds_it(
    prepared: PreparedDataset, request_of: PreparationRequest, workspace: Workspace
) -> None:
    observer = Listening()
    before = _tree(prepared.root)
    again = prepare(request_of, workspace, observer)
    assert again.cache_hit
    assert observer.stages == []
    assert "unchanged" in observer.notes[0]
    assert dataclasses.replace(again, cache_hit=False) == prepared
    assert _tree(prepared.root) == before


@pytest.mark.slow
@pytest.mark.usefixtures("prepared")
def test_force_and_two_processes_give_the_same_bytes(
    prepared: PreparedDataset, request_of: PreparationRequest, workspace: Workspace, tmp_path: Path
) -> None:
    observer = Listening()
    elsewhere = Workspace(work=tmp_path, cache=workspace.cache)
    again = prepare(dataclasses.replace(request_of, force=True, workers=2), elsewhere, observer)
    assert observer.stages == list(STAGES)
    assert not again.cache_hit
    one, other = _tree(prepared.root), _tree(again.root)
    for tree in (one, other):
        del tree["timings.json"]
    assert one == other


def test_clips_come_from_the_cache_when_only_the_seed_differs(
    prepared: PreparedDataset, request_of: PreparationRequest, workspace: Workspace, tmp_path: Path
) -> None:
    observer = Listening()
    other = prepare(dataclasses.replace(request_of, seed=4), Workspace(work=tmp_path, cache=workspace.cache), observer)
    assert not other.cache_hit
    assert "alignment: 7 of 7 clips from the cache" in observer.notes
    assert "pitch: 7 of 7 clips from the cache" in observer.notes
    assert [entry.sha256 for entry in other.entries] == [entry.sha256 for entry in prepared.entries]


def test_a_dataset_that_came_meanwhile_stays(
    prepared: PreparedDataset,
    request_of: PreparationRequest,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An import or another preparation under the same name has finished while this one ran."""
    from voicemill.dataset import prepare as module

    place, run_stages = Workspace(work=tmp_path, cache=workspace.cache), module._run_stages

    def meanwhile(*arguments: object) -> None:
        run_stages(*arguments)
        shutil.copytree(prepared.root, place.dataset("demo"))

    monkeypatch.setattr(module, "_run_stages", meanwhile)
    with pytest.raises(RefusedError) as caught:
        prepare(dataclasses.replace(request_of, seed=4), place)
    assert (caught.value.reason, caught.value.exit_code) == ("lane_busy:demo", 1)
    assert _tree(place.dataset("demo")) == _tree(prepared.root)
    assert [each.name for each in (tmp_path / "datasets").iterdir()] == ["demo"]


@pytest.mark.parametrize("which", ["recording", "script"])
def test_an_input_that_grows_while_it_is_read_is_refused(
    request_of: PreparationRequest, piece_audio: Path, piece_script: Path, tmp_path: Path, which: str
) -> None:
    """A copy that had not ended: other bytes would be decoded than were hashed."""
    audio, script = tmp_path / "take.flac", tmp_path / "take.txt"
    shutil.copy(piece_audio, audio)
    shutil.copy(piece_script, script)

    class Writing(SilentObserver):
        def stage(self, name: str, total: int | None = None) -> None:
            if name == "decode":
                with (audio if which == "recording" else script).open("ab") as file:
                    file.write(bytes(1))

    place = Workspace(work=tmp_path / "work", cache=tmp_path / "cache")
    changed = dataclasses.replace(request_of, source=recording_source(audio, script))
    with pytest.raises(DatasetError) as caught:
        prepare(changed, place, Writing())
    assert caught.value.reason == f"input_changed:{'take.flac' if which == 'recording' else 'take.txt'}"
    assert not place.dataset("demo").exists()


def test_a_changed_file_is_noticed(prepared: PreparedDataset, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(prepared.root, root)
    assert load(root) is not None
    clip = next((root / "clips").iterdir())
    clip.write_bytes(clip.read_bytes()[:-2] + b"xx")
    assert load(root) is None
    described = description.read(root)
    assert described is not None
    assert description.differences(root, described) == [f"changed clips/{clip.name}"]


@pytest.mark.slow
def test_the_lexicon_of_the_user_comes_first(
    request_of: PreparationRequest, workspace: Workspace, tmp_path: Path
) -> None:
    lexicon = tmp_path / "own.dict"
    lexicon.write_text("carpet K AA R P IH T\n")
    made = prepare(
        dataclasses.replace(request_of, lexicon=lexicon), Workspace(work=tmp_path / "w", cache=workspace.cache)
    )
    words = {row[0]: [phone for phone, _, _ in row[3]] for entry in made.entries for row in entry.alignment}
    assert words["carpet"] == ["K", "AA", "R", "P", "IH", "T"]
    assert "CARPET  K AA R P IH T" in made.lexicon.read_text("utf-8").splitlines()
    assert [source.role for source in made.description.inputs] == ["recording", "text", "lexicon"]


def _clip_folder(prepared: PreparedDataset, folder: Path, count: int = 4) -> list[Path]:
    folder.mkdir()
    paths = []
    for entry in prepared.entries[:count]:
        path = folder / f"{entry.id}.wav"
        shutil.copyfile(prepared.root / entry.audio_filepath, path)
        path.with_suffix(".lab").write_text(entry.text)
        paths.append(path)
    return paths


@pytest.mark.slow
def test_clips_with_a_text_beside_each_one_of_them_broken_one_mislabelled(
    prepared: PreparedDataset, workspace: Workspace, tmp_path: Path
) -> None:
    paths = _clip_folder(prepared, tmp_path / "clips", 6)
    paths[1].write_bytes(paths[1].read_bytes()[:20_000])
    paths[3].with_suffix(".lab").write_text(
        "Completely different words stand in this file, thirty or more of them if need be."
    )
    made = prepare(
        PreparationRequest(voice="clips", source=recording_source(tmp_path / "clips"), workers=1),
        Workspace(tmp_path / "w", workspace.cache),
    )
    assert [entry.source for entry in made.entries] == [paths[index].name for index in (0, 2, 4, 5)]
    assert {row.source: row.reason for row in made.report.rejected} in (
        {paths[1].name: "audio_truncated", paths[3].name: "alignment_failed"},
        {paths[1].name: "audio_truncated", paths[3].name: "text_mismatch"},
    )


@pytest.mark.slow
def test_a_nemo_manifest_goes_in_again(prepared: PreparedDataset, workspace: Workspace, tmp_path: Path) -> None:
    made = prepare(
        PreparationRequest(voice="again", source=ManifestSource(prepared.train_manifest), workers=1),
        Workspace(tmp_path, workspace.cache),
    )
    before = read_entries(prepared.train_manifest)
    assert [entry.text for entry in made.entries] == [entry.text for entry in before]
    assert [entry.source for entry in made.entries] == [entry.audio_filepath for entry in before]
    assert all(abs(new.duration - old.duration) < 0.3 for new, old in zip(made.entries, before, strict=True))


@pytest.mark.slow
def test_a_wrong_script_is_refused_and_the_old_dataset_stays(
    prepared: PreparedDataset, request_of: PreparationRequest, workspace: Workspace, tmp_path: Path
) -> None:
    before = _tree(prepared.root)
    script = tmp_path / "wrong.txt"
    script.write_text(
        "Nobody has ever read these lines aloud.\nThey tell of ships, taxes and turnips.\nNor will anyone start now.\n"
    )
    with pytest.raises(DatasetError) as caught:
        prepare(
            dataclasses.replace(request_of, source=dataclasses.replace(request_of.source, script=script)), workspace
        )
    assert caught.value.code == "script_mismatch"
    assert _tree(prepared.root) == before
    assert [path.name for path in prepared.root.parent.iterdir()] == ["demo"]


@pytest.mark.slow
def test_too_many_mislabelled_clips_are_refused_by_name(
    prepared: PreparedDataset, workspace: Workspace, tmp_path: Path
) -> None:
    paths = _clip_folder(prepared, tmp_path / "clips")
    for path in paths[:3]:
        path.with_suffix(".lab").write_text("Thunder struck the ancient harbour twice, although nobody noticed.")
    with pytest.raises(DatasetError, match=paths[0].name) as caught:
        prepare(
            PreparationRequest(voice="clips", source=recording_source(tmp_path / "clips"), workers=1),
            Workspace(tmp_path / "w", workspace.cache),
        )
    assert caught.value.reason == "text_mismatch:3_of_4"
    assert not (tmp_path / "w" / "datasets" / "clips").exists()


def test_silence_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.zeros(44_100 * 3), 44_100)
    (tmp_path / "s.txt").write_text("Silence.")
    with pytest.raises(AudioError) as caught:
        prepare(
            PreparationRequest(voice="s", source=recording_source(tmp_path / "s.wav")),
            Workspace(tmp_path / "w", tmp_path / "c"),
        )
    assert caught.value.reason == "audio_silent"
    assert list((tmp_path / "w").rglob("*")) == [tmp_path / "w" / "datasets"]


def test_no_clip_fits_the_limits(prepared: PreparedDataset, workspace: Workspace, tmp_path: Path) -> None:
    _clip_folder(prepared, tmp_path / "clips")
    limits = Segmentation(min_duration=10.0)
    with pytest.raises(DatasetError, match="too_short") as caught:
        prepare(
            PreparationRequest(voice="c", source=recording_source(tmp_path / "clips"), workers=1, segmentation=limits),
            Workspace(tmp_path / "w", workspace.cache),
        )
    assert caught.value.reason == "dataset_no_valid_audio"


def test_a_work_directory_that_cannot_be_written(request_of: PreparationRequest, tmp_path: Path) -> None:
    (tmp_path / "work").write_text("in the way")
    with pytest.raises(StorageError) as caught:
        prepare(request_of, Workspace(tmp_path / "work", tmp_path / "cache"))
    assert caught.value.code == "not_writable"


@pytest.mark.slow
def test_another_loudness_does_not_listen_again(
    prepared: PreparedDataset, request_of: PreparationRequest, workspace: Workspace, tmp_path: Path
) -> None:
    """Loudness and what follows are done again, voice activity and hearing are not."""
    observer = Listening()
    other = prepare(
        dataclasses.replace(request_of, target_lufs=-26.0), Workspace(work=tmp_path, cache=workspace.cache), observer
    )
    assert observer.stages == list(STAGES)
    assert "voice-activity: 1 of 1 recordings from the cache" in observer.notes
    assert any(note.startswith("segmentation: ") and "recognised before" in note for note in observer.notes)
    assert not any(note.startswith(("alignment", "pitch")) for note in observer.notes)
    assert other.description.loudness.gain_db == pytest.approx(prepared.description.loudness.gain_db - 3.0, abs=0.02)
    assert [(entry.start, entry.end, entry.text) for entry in other.entries] == [
        (entry.start, entry.end, entry.text) for entry in prepared.entries
    ]
    assert {entry.sha256 for entry in other.entries}.isdisjoint(entry.sha256 for entry in prepared.entries)


def test_why_each_cut_was_made(prepared: PreparedDataset) -> None:
    rows = explain.read(prepared.cuts)
    for entry in prepared.entries:
        mine = [row for row in rows if row["id"] == entry.id]
        assert [row["edge"] for row in mine] == ["start", "end"]
        assert [float(row["second"]) for row in mine] == pytest.approx([entry.start, entry.end], abs=1e-3)
        assert {row["outcome"] for row in mine} == {"kept"}
        assert all(float(row["level_dbfs"]) < -50 for row in mine)  # the recording's own room, not speech
    assert [rows[0]["reason"], rows[-1]["reason"]] == ["edge", "edge"]
    assert {row["reason"] for row in rows[1:-1]} <= {"pause", "word_pause", "sentence_gap"}
    assert len(explain.as_rows(prepared.cuts)) == len(rows)


def test_figures_of_every_clip(prepared: PreparedDataset) -> None:
    for entry in prepared.entries:
        figures = entry.quality
        assert figures.bandwidth_hz is not None
        assert 6_500 < figures.bandwidth_hz <= 11_025
        assert figures.phones_per_second is not None
        assert 8 < figures.phones_per_second < 22
        assert figures.character_errors is not None
        assert figures.character_errors < 0.3
        assert figures.pitch_hz == pytest.approx(prepared.stats.pitch_mean, rel=0.15)
        assert figures.formant_hz == pytest.approx(2835, rel=0.15)


@pytest.mark.slow
def test_copies_and_another_voice_are_left_out_and_kept_aside(
    prepared: PreparedDataset, workspace: Workspace, tmp_path: Path
) -> None:
    paths = _clip_folder(prepared, tmp_path / "clips", 7)
    copy = tmp_path / "clips" / "x_copy.wav"
    samples, rate = soundfile.read(paths[2], dtype="float32")
    soundfile.write(copy, 0.5 * samples[: -rate // 50], rate)
    shutil.copyfile(paths[2].with_suffix(".lab"), copy.with_suffix(".lab"))
    guest = tmp_path / "clips" / "y_guest.wav"
    samples, rate = soundfile.read(paths[3], dtype="float32")
    soundfile.write(guest, samples, round(rate / 1.5))  # a fifth lower, and as much longer a throat
    shutil.copyfile(paths[3].with_suffix(".lab"), guest.with_suffix(".lab"))
    request = PreparationRequest(
        voice="clips", source=recording_source(tmp_path / "clips"), workers=1, keep_rejected=True
    )
    made = prepare(request, Workspace(tmp_path / "w", workspace.cache))
    rows = {row.source: row for row in made.report.rejected}
    assert [entry.source for entry in made.entries] == [path.name for path in paths]
    assert {source: row.reason for source, row in rows.items()} == {copy.name: "duplicate", guest.name: "other_voice"}
    assert (rows[copy.name].unit, rows[guest.name].unit) == ("correlation", "semitones")
    assert rows[guest.name].figure == pytest.approx(-12 * np.log2(1.5), abs=1.0)
    for row in rows.values():
        assert soundfile.info(made.root / row.audio).duration == pytest.approx(row.seconds, abs=0.01)
        assert row.audio in made.description.files
    report = made.report
    parts = [(e.source, e.start, e.end) for e in made.entries] + [(r.source, r.start, r.end) for r in report.rejected]
    for (one, _, end), (other, start, _) in itertools.pairwise(sorted(parts)):
        assert one != other or end <= start + 1e-3  # no second counts twice
    assert report.seconds_kept == pytest.approx(sum(entry.duration for entry in made.entries), abs=1e-3)
    lost = sum(row.seconds for row in report.rejected)
    assert report.seconds_in == pytest.approx(report.seconds_kept + report.seconds_pause + lost, abs=2e-3)
    assert report.seconds_pause >= 0
    outcomes = {row["source"]: row["outcome"] for row in explain.read(made.cuts)}
    assert (outcomes[copy.name], outcomes[paths[0].name]) == ("duplicate", "kept")


@pytest.mark.slow
def test_what_the_script_does_not_hold_is_kept_aside(
    request_of: PreparationRequest, sentences: tuple[str, ...], workspace: Workspace, tmp_path: Path
) -> None:
    script = tmp_path / "script.txt"
    script.write_text("\n".join([*sentences[:3], *sentences[4:]]))
    request = dataclasses.replace(
        request_of, source=dataclasses.replace(request_of.source, script=script), keep_rejected=True
    )
    made = prepare(request, Workspace(tmp_path / "w", workspace.cache))
    (row,) = made.report.rejected
    assert (row.reason, row.id, row.audio) == ("no_text", "demo_x0001", "rejected/demo_x0001.wav")
    assert soundfile.info(made.root / row.audio).duration == pytest.approx(row.seconds, abs=0.01)


def test_a_part_of_a_recording(
    request_of: PreparationRequest, sentences: tuple[str, ...], workspace: Workspace, tmp_path: Path
) -> None:
    script = tmp_path / "script.txt"
    script.write_text("\n".join(sentences[3:]))
    request = dataclasses.replace(request_of, source=dataclasses.replace(request_of.source, script=script, start=12.6))
    made = prepare(request, Workspace(tmp_path / "w", workspace.cache))
    assert [entry.text for entry in made.entries] == list(sentences[3:])
    assert made.entries[0].start == pytest.approx(13.07, abs=0.15)  # in the file, not in the part
    assert made.report.seconds_in == pytest.approx(27.76 - 12.6, abs=0.01)


def _clock(seconds: float) -> str:
    return f"00:{int(seconds // 60):02d}:{seconds % 60:06.3f}".replace(".", ",")


@pytest.mark.parametrize("beside", [False, True])
def test_timed_captions_instead_of_a_script(
    prepared: PreparedDataset, piece_audio: Path, workspace: Workspace, tmp_path: Path, beside: bool
) -> None:
    """Times up to 0.2 s wrong, the second sentence over two captions, the last one left out."""
    lines, moved = [], np.random.default_rng(0).uniform(-0.2, 0.2, (7, 2))
    for (early, late), entry in zip(moved, prepared.entries[:-1], strict=False):
        start, end = entry.start + early, entry.end + late
        words = entry.text.split()
        cuts = [(start, end, words)]
        if entry is prepared.entries[1]:
            third = len(words) // 3
            middle = entry.start + entry.alignment[third][1]
            cuts = [(start, middle, words[:third]), (middle, end, words[third:])]
        lines += [f"{_clock(begin)} --> {_clock(stop)}\n{' '.join(part)}\n" for begin, stop, part in cuts]
    audio = tmp_path / "take.flac"
    shutil.copyfile(piece_audio, audio)
    captions = tmp_path / ("take.srt" if beside else "captions.srt")
    captions.write_text("\n".join(lines), "utf-8")
    request = PreparationRequest(voice="srt", source=recording_source(audio, None if beside else captions), workers=1)
    made = prepare(request, Workspace(tmp_path / "w", workspace.cache))
    assert [entry.text for entry in made.entries] == [entry.text for entry in prepared.entries[:-1]]
    for new, old in zip(made.entries, prepared.entries, strict=False):
        assert (new.start, new.end) == pytest.approx((old.start, old.end), abs=0.1)
    (left_out,) = made.report.by_reason
    assert left_out == "no_text"
    assert sum(row.seconds for row in made.report.rejected) == pytest.approx(prepared.entries[-1].duration, abs=0.4)
    assert {row["reason"] for row in explain.read(made.cuts)} <= {"caption", "no_silence", "too_short"}
    assert [(source.name, source.role) for source in made.description.inputs][1] == (captions.name, "text")
