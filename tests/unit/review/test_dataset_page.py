from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from voicemill.dataset.prepared import PreparedDataset, find_dataset, load, load_checked
from voicemill.errors import DatasetError, UsageError
from voicemill.review import dataset_page, dataset_view, pictures, rejections
from voicemill.review.pictures import ClipPictures
from voicemill.review.rejections import ClipSound
from voicemill.review.session import sound_paths
from voicemill.workspace import Workspace

PICTURE = ClipPictures(wave="M0 0Z", spectrogram="data:image/png;base64,AA==", pitch_hz=170.0)


class Tags(HTMLParser):
    """Every element with its attributes, and the text of scripts."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script":
            self.scripts.append(data)


def _page(dataset: PreparedDataset, states: list | None = None) -> str:
    sounds = {path: ClipSound(path, embedded=False) for path in sound_paths(dataset)}
    return dataset_page.page(dataset_view.view_of(dataset, [PICTURE] * len(dataset.entries), sounds), states)


def test_the_report_carries_everything_and_disturbs_nothing(dataset: PreparedDataset, tmp_path: Path) -> None:
    path = dataset_page.write_report(dataset, tmp_path / "cache", workers=1)
    assert path == dataset.root / "report.html"
    assert load(dataset.root, dataset.description.content_key) is not None
    document = path.read_text("utf-8")
    tags = Tags(document)
    clips = [attributes for tag, attributes in tags.found if attributes.get("class") == "clip"]
    assert [clip["data-id"] for clip in clips] == [entry.id for entry in dataset.entries]
    for clip, entry in zip(clips, dataset.entries, strict=True):
        source = str(clip["data-src"])
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(source.partition(",")[2])), dtype="int16")
        exact, _ = soundfile.read(dataset.root / entry.audio_filepath, dtype="int16")
        assert rate == 22_050
        assert np.abs(samples.astype(int) - exact.astype(int)).max() <= 1
        assert entry.text in document.replace("&#39;", "'")
    images = [str(attributes["src"]) for tag, attributes in tags.found if tag == "img"]
    assert len(images) == len(clips)
    assert all(image.startswith("data:image/png;base64,") for image in images)
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", document)  # nothing is loaded from elsewhere
    assert {attributes.get("class") for tag, attributes in tags.found} >= {"charts three", "cards", "sight", "wave"}
    assert "Signal-to-noise ratio" in document


def test_beyond_the_limit_clips_are_linked_and_the_page_says_so(dataset: PreparedDataset, tmp_path: Path) -> None:
    whole = list(dataset_page.sounds_within(dataset, 10**9).values())
    budget = len(whole[0].address) + len(whole[1].address)
    two = list(dataset_page.sounds_within(dataset, budget).values())
    assert [sound.embedded for sound in two] == [True, True] + [False] * (len(whole) - 2)
    assert two[2].address == dataset.entries[2].audio_filepath
    document = dataset_page.write_report(dataset, tmp_path / "cache", workers=1, audio_budget=budget).read_text("utf-8")
    assert "The sound of 2 clips is included in this file; the other 5" in document
    assert 'data-src="clips/demo_0003.wav"' in document


def test_a_script_in_a_transcript_stays_text(hostile: PreparedDataset) -> None:
    document = _page(hostile, [])
    tags = Tags(document)
    assert [tag for tag, _ in tags.found].count("img") == len(hostile.entries)
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on")]
    assert "<img src=x" not in document
    assert "{{7*7}}" in document  # text of a transcript is no template
    policy = next(str(attributes["content"]) for tag, attributes in tags.found if attributes.get("http-equiv"))
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]
    for name in (dataset_page.SCRIPT, dataset_page.REVIEW_SCRIPT):
        digest = base64.b64encode(hashlib.sha256(name.read_bytes()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
        assert name.read_text("utf-8") in document  # byte for byte, or the policy would stop it


def test_rejected_stretches_have_reason_text_and_values(hostile: PreparedDataset) -> None:
    document = _page(hostile)
    rows = re.findall(r'<tr data-reason="(\w+)" data-number="(\d)"', document)
    assert rows == [("noisy", "0"), ("dropped_in_review", "1"), ("no_text", "2")]
    assert "8.1 dB" in document
    assert "restore" not in re.sub(r"(?s)<style>.*?</style>|<script>.*?</script>", "", document)
    live = _page(hostile, [])
    assert live.count('class="restore"') == 2  # noisy and dropped; speech without text cannot be kept
    assert "Three" not in dataset_view.headline(hostile)
    assert "3 stretches (6.0 s) were rejected" in dataset_view.headline(hostile)


def test_sums_of_the_summary(hostile: PreparedDataset) -> None:
    chart = dataset_view.where_chart(hostile)
    assert "60.0 s in total, 60.0 s recorded" in chart.caption
    cards = {card.label: card for card in dataset_view.cards(hostile)}
    assert (cards["Recorded"].value, cards["Recorded"].unit) == ("1.0", "min")
    assert (cards["Rejected"].value, cards["Rejected"].unit) == ("6.0", "s")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0, "0:00.0"), (62.46, "1:02.5"), (59.96, "1:00.0"), (3750.5, "1:02:30.5")]
)
def test_times(seconds: float, shown: str) -> None:
    assert rejections.clock(seconds) == shown


def test_the_speaking_rate_counts_vowels(prepared: PreparedDataset) -> None:
    entry = prepared.entries[0].model_copy(
        update={
            "alignment": [
                ["hello", 0.5, 1.0, [["HH", 0.5, 0.6], ["AH0", 0.6, 0.7], ["L", 0.7, 0.8], ["OW1", 0.8, 1.0]]],
                ["ann", 1.5, 2.0, [["AE", 1.5, 1.8], ["N", 1.8, 2.0]]],
            ]
        }
    )
    assert dataset_view.syllables_per_second(entry) == pytest.approx(2.0)
    assert 2.0 < dataset_view.syllables_per_second(prepared.entries[0]) < 8.0


def test_pictures_show_the_sound_and_come_from_the_cache(dataset: PreparedDataset, tmp_path: Path) -> None:
    entry = dataset.entries[0]
    pitch = dataset.root / "supplementary" / f"{entry.id}.npz"
    task = pictures.PictureTask(dataset.root / entry.audio_filepath, entry.sha256, pitch, tmp_path / "cache")
    drawn = pictures.pictures_of(task)
    assert drawn.pitch_hz is not None
    assert dataset.stats.pitch_fmin < drawn.pitch_hz < dataset.stats.pitch_fmax
    with Image.open(io.BytesIO(base64.b64decode(drawn.spectrogram.partition(",")[2]))) as image:
        assert image.size[1] == pictures.BANDS
        assert 0 < image.size[0] <= pictures.COLUMNS + 1
        assert len(set(image.tobytes())) > 8
    stored = next((tmp_path / "cache").rglob("*.json"))
    marked = drawn.model_copy(update={"wave": "M1 1Z"})
    stored.write_text(marked.model_dump_json(), "utf-8")
    assert pictures.pictures_of(task) == marked
    stored.write_text("{", "utf-8")
    assert pictures.pictures_of(task) == drawn


def test_a_waveform_spans_the_loud_part() -> None:
    loud = np.concatenate([np.zeros(9_000), np.ones(9_000)]).astype(np.float32)
    points = [tuple(map(float, point.split())) for point in pictures.wave_path(loud)[1:-1].split("L")]
    above = [y for x, y in points[: pictures.COLUMNS]]
    assert min(above[: pictures.COLUMNS // 2 - 1]) > 19
    assert set(above[pictures.COLUMNS // 2 + 1 :]) == {0.0}
    assert pictures.wave_path(np.zeros(0, dtype=np.float32)) == ""


def test_an_incomplete_dataset_is_refused(dataset: PreparedDataset, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work", tmp_path / "cache")
    with pytest.raises(UsageError) as missing:
        find_dataset("nobody", workspace)
    assert missing.value.reason == "dataset_not_found:nobody"
    assert find_dataset(str(dataset.root), workspace) == dataset.root
    (dataset.root / "clips" / f"{dataset.entries[0].id}.wav").unlink()
    with pytest.raises(DatasetError, match=r"missing clips/demo_0001\.wav"):
        load_checked(dataset.root)
    with pytest.raises(DatasetError) as none:
        load_checked(tmp_path)
    assert none.value.code == "dataset_incomplete"
