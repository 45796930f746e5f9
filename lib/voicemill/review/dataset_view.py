"""Content of the pages about a dataset: headline, cards, charts, and one row for each clip."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voicemill.dataset import doubts
from voicemill.dataset.manifest import ManifestEntry
from voicemill.dataset.prepared import PreparedDataset
from voicemill.evaluation.charts import bars, histogram
from voicemill.evaluation.pages import Card, Chart
from voicemill.evaluation.wording import NONE
from voicemill.review.pictures import ClipPictures
from voicemill.review.rejections import ClipSound, RejectedRow, accounts, clock, rejected_row

VOWELS = frozenset(["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"])
"""ARPABET vowels: each is the middle of one syllable."""


@dataclass(frozen=True)
class ClipWord:
    """An aligned word of a clip: seconds from its start, ARPABET phones, and whether it may not be what is spoken."""

    text: str
    start: float
    end: float
    phones: str
    doubtful: bool


@dataclass(frozen=True)
class ClipRow:
    """A clip of the dataset: `keys` for sorting, `figures` for display, (name, value) each.

    Where words are doubtful, `doubts` has a sentence for each place. `recognised`: no person wrote the text.
    """

    id: str
    text: str
    spoken: str
    source: str
    place: str
    seconds: float
    validates: bool
    recognised: bool
    pictures: ClipPictures
    sound: ClipSound
    keys: dict[str, float]
    figures: list[tuple[str, str]]
    doubts: list[str]
    words: list[ClipWord]


@dataclass(frozen=True)
class DatasetView:
    """Everything that the template shows."""

    voice: str
    headline: str
    cards: list[Card]
    charts: list[Chart]
    where: Chart
    clips: list[ClipRow]
    rejected: list[RejectedRow]
    accounts: list[tuple[str, str]]
    reasons: list[tuple[str, int]]
    linked: int
    embedded: int
    notes: list[tuple[str, list[str]]]
    settings: list[tuple[str, str]]
    inputs: list[tuple[str, str, str, str]]
    rights: list[tuple[str, str]]
    sha256: str


def view_of(dataset: PreparedDataset, pictures: Sequence[ClipPictures], sounds: Mapping[str, ClipSound]) -> DatasetView:
    """Prepare everything that the template shows.

    Args:
        dataset: the dataset to show.
        pictures: in the order of the entries.
        sounds: by path in the dataset, of the clips and of the rejected stretches whose sound was kept.
    """
    report, doubtful = dataset.report, doubts.read(dataset.root)
    rows = [
        clip_row(entry, drawn, sounds[entry.audio_filepath], doubtful.get(entry.id, ()))
        for entry, drawn in zip(dataset.entries, pictures, strict=True)
    ]
    rows.sort(key=lambda row: not row.doubts)
    rejected = [rejected_row(number, row, sounds.get(row.audio)) for number, row in enumerate(report.rejected)]
    embedded = sum(row.sound.embedded for row in rows)
    notes = [
        ("Sentences of the script that were not found in the recordings", list(report.unspoken)),
        ("Words that are in no dictionary; their pronunciation was predicted", list(report.guessed_words)),
    ]
    return DatasetView(
        voice=dataset.description.settings.voice,
        headline=headline(dataset),
        cards=cards(dataset),
        charts=histograms(rows),
        where=where_chart(dataset),
        clips=rows,
        rejected=rejected,
        accounts=accounts(report),
        reasons=[(reason, total.count) for reason, total in report.by_reason.items()],
        linked=len(rows) - embedded,
        embedded=embedded,
        notes=[(title, items) for title, items in notes if items],
        settings=settings(dataset),
        inputs=[
            (source.name, source.role, f"{source.bytes:,} bytes", source.sha256)
            for source in dataset.description.inputs
        ],
        rights=rights(dataset),
        sha256=dataset.sha256,
    )


def length(seconds: float) -> tuple[str, str]:
    """A length in seconds, minutes or hours, and its unit."""
    if seconds < 60:
        return f"{seconds:.1f}", "s"
    return (f"{seconds / 60:.1f}", "min") if seconds < 3600 else (f"{seconds / 3600:.2f}", "h")


def syllables_per_second(entry: ManifestEntry) -> float:
    """Vowels over the time from the first word to the last; pauses inside count, silence at the edges does not."""
    vowels = sum(phone[0].rstrip("012") in VOWELS for word in entry.alignment for phone in word[3])
    return vowels / max(entry.alignment[-1][2] - entry.alignment[0][1], 0.05)


def clip_row(
    entry: ManifestEntry, pictures: ClipPictures, sound: ClipSound, doubtful: Sequence[doubts.Doubt] = ()
) -> ClipRow:
    """A clip as the page shows it."""
    quality, rate = entry.quality, syllables_per_second(entry)
    words = [row[0] for row in entry.alignment]
    marked = {index for one in doubtful for index in range(one.first, max(one.last, one.first + 1))}
    hertz = pictures.pitch_hz
    return ClipRow(
        id=entry.id,
        text=entry.text,
        spoken=entry.normalized_text if entry.normalized_text != entry.text else "",
        source=entry.source,
        place=f"{clock(entry.start)} to {clock(entry.end)}",
        seconds=entry.duration,
        validates=entry.split == "validation",
        recognised=entry.text_source == "recogniser",
        pictures=pictures,
        sound=sound,
        keys={
            "seconds": round(entry.duration, 3),
            "snr": quality.snr_db,
            "loudness": quality.loudness_dbfs,
            "rate": round(rate, 3),
            "pitch": hertz or 0.0,
            "score": quality.alignment_score,
        },
        figures=[
            ("length", f"{entry.duration:.2f} s"),
            ("alignment", f"{quality.alignment_score:.1f}"),
            ("SNR", f"{quality.snr_db:.0f} dB"),
            ("level", f"{quality.loudness_dbfs:.1f} dBFS"),
            ("peak", f"{quality.peak_dbfs:.1f} dBFS"),
            ("rate", f"{rate:.1f} syll/s"),
            ("pitch", f"{hertz:.0f} Hz" if hertz else NONE),
        ],
        doubts=[doubts.sentence(words, one.first, one.last, one.recognised) for one in doubtful],
        words=[
            ClipWord(text, start, end, " ".join(phone for phone, _, _ in phones), index in marked)
            for index, (text, start, end, phones) in enumerate(entry.alignment)
        ],
    )


def headline(dataset: PreparedDataset) -> str:
    """The result in one or two sentences."""
    report, clips = dataset.report, len(dataset.entries)
    came, kept = (" ".join(length(seconds)) for seconds in (report.seconds_in, report.seconds_kept))
    words = f"{clips} clips with their texts, {kept} of the {came} that were recorded."
    if not report.rejected:
        return f"{words} Only the pauses between them are missing."
    lost = " ".join(length(sum(total.seconds for total in report.by_reason.values())))
    several = len(report.rejected) != 1
    stretches = f"{len(report.rejected)} stretches" if several else "One stretch"
    return f"{words} {stretches} ({lost}) {'were' if several else 'was'} rejected; the reasons are below."


def cards(dataset: PreparedDataset) -> list[Card]:
    """The key figures."""
    report, stats, loudness = dataset.report, dataset.stats, dataset.description.loudness
    whole = max(report.seconds_in, 1e-9)
    lost = sum(total.seconds for total in report.by_reason.values())
    gain = f"{loudness.gain_db:+.1f} dB on every clip; before: {loudness.integrated_lufs:.1f} LUFS"
    return [
        Card("Recorded", *length(report.seconds_in), f"{_recordings(dataset)}, including pauses"),
        Card("Kept", *length(report.seconds_kept), f"{100 * report.seconds_kept / whole:.1f} % of the recorded time"),
        Card(
            "Clips",
            f"{len(dataset.entries):,}",
            "",
            f"{stats.train_clips} for training, {stats.validation_clips} for validation",
        ),
        Card(
            "Rejected",
            *length(lost),
            f"{_stretches(len(report.rejected))}; the pauses are {report.seconds_pause:.1f} s",
        ),
        Card("Loudness", f"{dataset.description.settings.target_lufs:.0f}", "LUFS", gain),
        Card(
            "Pitch",
            f"{stats.pitch_mean:.0f}",
            "Hz",
            f"± {stats.pitch_std:.0f} Hz; {100 * stats.voiced_share:.0f} % of the frames voiced",
        ),
    ]


def _stretches(count: int) -> str:
    return "one stretch" if count == 1 else f"{count:,} stretches"


def _recordings(dataset: PreparedDataset) -> str:
    count = sum(source.role == "recording" for source in dataset.description.inputs)
    return "one recording" if count == 1 else f"{count:,} recordings"


def histograms(rows: Sequence[ClipRow]) -> list[Chart]:
    """Length, signal-to-noise ratio, level, speaking rate and pitch over the clips."""
    kinds = (
        ("seconds", "Length", "seconds", "s", 1),
        ("snr", "Signal-to-noise ratio", "dB", "dB", 0),
        ("loudness", "Level of the speech", "dBFS", "dBFS", 1),
        ("rate", "Speaking rate", "syllables per second", "syllables per second", 1),
        ("pitch", "Pitch", "Hz, median of a clip", "Hz", 0),
        ("score", "Alignment score", "score, 0 is best", "", 1),
    )
    found = []
    for key, title, label, unit, digits in kinds:
        values = [row.keys[key] for row in rows if key != "pitch" or row.keys[key]]
        if not values:
            continue
        middle, low, high = (f"{each:.{digits}f}" for each in (statistics.median(values), min(values), max(values)))
        caption = f"Median {middle}, from {low} to {high} {unit}".rstrip() + "."
        svg = histogram(values, title=title, description=caption, labels=(label, "clips"), bins=16)
        found.append(Chart(title, svg, caption, []))
    return found


def where_chart(dataset: PreparedDataset) -> Chart:
    """Use of the recorded seconds."""
    report = dataset.report
    rows = [("kept", report.seconds_kept, "c0"), ("pauses", report.seconds_pause, "other")]
    rows += [(reason.replace("_", " "), total.seconds, "made") for reason, total in report.by_reason.items()]
    described = ", ".join(f"{name} {seconds:.1f} s" for name, seconds, _ in rows)
    svg = bars(rows, title="Use of the recorded time", description=f"{described}.", digits=1)
    total = report.seconds_kept + report.seconds_pause + sum(each.seconds for each in report.by_reason.values())
    caption = f"Seconds; {total:.1f} s in total, {report.seconds_in:.1f} s recorded."
    return Chart("Use of the recorded time", svg, caption, [])


def settings(dataset: PreparedDataset) -> list[tuple[str, str]]:
    """Settings and tools that determine the result."""
    described, used = dataset.description, dataset.description.settings
    return [
        ("Clips", f"{used.sample_rate:,} Hz, mono, 16 bit"),
        ("Length of a clip", f"{used.min_duration:g} to {used.max_duration:g} s"),
        ("Silence around speech", f"{1000 * used.min_padding:.0f} to {1000 * used.max_padding:.0f} ms"),
        ("Loudness", f"{used.target_lufs:g} LUFS, true peak at most {used.peak_limit_dbfs:g} dBFS"),
        ("Pitch range searched", f"{dataset.stats.pitch_fmin:.0f} to {dataset.stats.pitch_fmax:.0f} Hz"),
        ("Seed of the split", str(used.seed)),
        ("Tools", ", ".join(f"{name} {version}" for name, version in sorted(described.tools.items()))),
        ("Dataset sha256", dataset.sha256),
    ]


def rights(dataset: PreparedDataset) -> list[tuple[str, str]]:
    """Consent and licence, or the options that set them."""
    held = dataset.description.rights
    return [
        ("Consent of the speaker", (held.consent if held else None) or "not stated (--consent)"),
        ("Licence of the recordings", (held.licence if held else None) or "not stated (--licence)"),
    ]
