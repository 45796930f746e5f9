"""Examines the recording of a consent statement against a prepared voice, and writes `consent.json`."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import soundfile

from voicemill import files
from voicemill.audio.decode import decode
from voicemill.audio.embedding import centroid
from voicemill.dataset import description, recorded_consent
from voicemill.dataset.manifest import read_entries
from voicemill.dataset.recorded_consent import LEAST_WORDS, RecordedConsent
from voicemill.dataset.rights import parse_rights
from voicemill.errors import AudioError, DatasetError, DependencyError, UsageError
from voicemill.lane.evaluation import shipped_judges
from voicemill.metrics.error_rate import spoken_words, word_errors
from voicemill.metrics.judges import spoken_form
from voicemill.settings import Settings

RATE = 16_000
COMPARED_CLIPS = 40
"""Clips of the dataset, spread over it, whose mean embedding stands for the speaker."""
LONGEST_SECONDS = 60.0


def record_consent(settings: Settings, voice: str, recording: Path, statement: str) -> tuple[Path, RecordedConsent]:
    """Accept a recorded statement for a prepared voice.

    Args:
        settings: the environment.
        voice: name of the prepared voice.
        recording: of the speaker, who reads the statement.
        statement: a file with the text, or the text.

    Returns:
        The file that was written, and its content.

    Raises:
        UsageError: `consent_statement_short`, `consent_missing`, `consent_unreadable`.
        DatasetError: `dataset_not_found:<voice>`.
        AudioError: the recording cannot be decoded; `consent_recording_long`.
        DependencyError: `consent_judges_missing`: the recogniser or the speaker encoder cannot be used.
        NotAcceptableError: `consent_words_differ`, `consent_other_speaker`.
    """
    rights = parse_rights(statement, None)
    text = rights.consent.strip() if rights and rights.consent else ""
    words = spoken_words(spoken_form(text))
    if len(words.split()) < LEAST_WORDS:
        raise UsageError(
            f"The statement has fewer than {LEAST_WORDS} words.",
            reason="consent_statement_short",
            hint="State who agrees to what and when, for example: I, Ann Lee, agree on the first of May that my "
            "voice is made into a synthetic voice.",
        )
    root = settings.workspace.dataset(voice)
    described = description.read(root)
    if described is None:
        raise DatasetError(
            f"There is no prepared voice {voice}.",
            reason=f"dataset_not_found:{voice}",
            hint="Prepare the recordings first: voice-prep --voice NAME --audio FILE --script FILE.",
        )
    judges = shipped_judges(settings)
    if isinstance(judges.recogniser, str) or isinstance(judges.speaker, str):
        why = judges.recogniser if isinstance(judges.recogniser, str) else judges.speaker
        raise DependencyError(
            f"The statement cannot be examined. {why}",
            reason="consent_judges_missing",
            hint="Run a preparation or training once: it fetches the models.",
        )
    with tempfile.TemporaryDirectory(prefix="voicemill-consent-") as folder:
        wave = Path(folder) / "statement.wav"
        seconds = decode(recording, wave, sample_rate=RATE).duration
        if seconds > LONGEST_SECONDS:
            raise AudioError(
                f"The recording of the statement lasts {seconds:.0f} s; the limit is {LONGEST_SECONDS:.0f} s.",
                reason="consent_recording_long",
                hint="Record the statement alone.",
            )
        samples, _ = soundfile.read(wave, dtype="float32")
    recognised = judges.recogniser.transcribe(samples)
    own = centroid(np.array([judges.speaker.embed(clip, rate) for clip, rate in _clips(root)]))
    found = RecordedConsent(
        dataset_sha256=described.dataset_sha256,
        statement=text,
        statement_sha256=files.sha256_bytes(text.encode("utf-8")),
        recording_sha256=files.sha256_file(recording),
        seconds=round(seconds, 3),
        recognised=recognised,
        recogniser=judges.recogniser.name,
        word_errors=round(word_errors([words], [recognised])[0].rate, 4),
        speaker_model=judges.speaker.name,
        speaker_similarity=round(float(judges.speaker.embed(samples, RATE) @ own), 4),
        recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    found.require()
    target = root / recorded_consent.NAME
    files.write_json(target, found.model_dump(mode="json"))
    return target, found


def _clips(root: Path) -> list[tuple[np.ndarray, int]]:
    """Clips of the dataset, spread over it, with their rates."""
    entries = read_entries(root / "manifest.jsonl")
    chosen = entries[:: max(1, -(-len(entries) // COMPARED_CLIPS))]
    return [soundfile.read(root / entry.audio_filepath, dtype="float32") for entry in chosen]
