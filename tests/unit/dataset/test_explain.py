from __future__ import annotations

from pathlib import Path

from voicemill.audio.cuts import Cut, Join
from voicemill.audio.quality import ClipQuality
from voicemill.dataset import explain
from voicemill.dataset.candidates import CandidateClip
from voicemill.dataset.clip_results import CutClip
from voicemill.dataset.recordings import DecodedRecording, Recording
from voicemill.dataset.utterances import Utterance


def test_a_row_a_cut_in_seconds_of_the_file(tmp_path: Path) -> None:
    recording = DecodedRecording(Recording(Path("a"), "odd\tname\n.wav", start=100.0), Path("d.wav"), 9.0, ())
    cuts = (Cut(1.0, "edge", 1.1, -70.25), Cut(5.0, "sentence_gap", 0.1, None))
    said = Utterance(recording, 1.0, 5.0, "One. Two.", "One. Two.", cuts=cuts, joins=(Join(2.5, "no_silence", 0.0),))
    figures = CutClip("0" * 64, 4.0, ClipQuality(-3.0, 0.0, 40.0, -20.0, 0.1, 0.1), None)
    made = [CandidateClip("v_0001", Path("c.wav"), said, figures)]
    explain.write(tmp_path / "cuts.tsv", explain.rows(made, {"v_0001": "noisy"}))
    rows = explain.read(tmp_path / "cuts.tsv")
    assert [tuple(row.values())[:8] for row in rows] == [
        ("v_0001", "odd name .wav", "start", "101.000", "edge", "1.100", "-70.2", "noisy"),
        ("v_0001", "odd name .wav", "inside", "102.500", "no_silence", "0.000", "", "noisy"),
        ("v_0001", "odd name .wav", "end", "105.000", "sentence_gap", "0.100", "", "noisy"),
    ]
    assert all(row["explanation"] for row in rows)
    told = explain.as_rows(tmp_path / "cuts.tsv")
    assert told[0] == (
        "v_0001 start 101.00 s",
        "nothing but silence from here to the recording's edge; pause of 1.10 s, -70.2 dBFS (noisy)",
    )
