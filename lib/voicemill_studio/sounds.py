"""Speech for the pages: any voice or kept version, with the exact times of its words; kept in memory for a while."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request

from voicemill.workspace import Workspace
from voicemill_marks.origin import Origin
from voicemill_marks.signer import MarkSigner
from voicemill_runtime.sound_files import marked_bytes
from voicemill_runtime.timings import render
from voicemill_runtime.voice import TimedMark, TimedWord
from voicemill_serve.refusals import RequestRefusedError
from voicemill_serve.services import Services
from voicemill_serve.speech import SpeechRequest, SpeechService, checked_text
from voicemill_serve.voice_store import VoiceStore
from voicemill_studio import candidates, versions

MOST_BYTES = 200_000_000
"""Of the samples that are kept; the oldest sounds are dropped first."""
SOUND_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg"}
TIME_TYPES = {
    ".json": "application/json",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".TextGrid": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class Sound:
    """Speech that was made.

    Attributes:
        id: random, in the sound's address; it does not tell which voice speaks.
        voice: that speaks, `<voice>` or `<voice>@<version>`.
        manifest: sha256 of the manifest of its bundle.
        samples: in -1..1, with the voice's watermark.
        words: with their times in seconds.
    """

    id: str
    voice: str
    manifest: str
    text: str
    samples: NDArray[np.float32]
    sample_rate: int
    words: tuple[TimedWord, ...]
    marks: tuple[TimedMark, ...]
    origin: Origin | None

    def as_dict(self) -> dict[str, Any]:
        """For the page's script."""
        return {
            "id": self.id,
            "sound": f"/studio/sounds/{self.id}.wav",
            "seconds": round(self.samples.size / self.sample_rate, 3),
            "words": [[word.text, round(word.start, 4), round(word.end, 4)] for word in self.words],
        }


class Sounds:
    """Makes and keeps sounds.

    Attributes:
        candidates: the trained voices that wait for a decision.
    """

    def __init__(self, services: Services, workspace: Workspace) -> None:
        self._services, self._workspace = services, workspace
        self._kept: OrderedDict[str, Sound] = OrderedDict()
        folder, settings = versions.unpacked(workspace), services.settings
        store = VoiceStore(
            (folder,), services.pool, uncertified=settings.uncertified, loudness_lufs=settings.loudness_lufs
        )
        self._versions = SpeechService(store, services.pool, services.metrics, settings.limits)
        self.candidates = VoiceStore(
            (candidates.folder(workspace),),
            services.pool,
            uncertified=settings.uncertified,
            loudness_lufs=settings.loudness_lufs,
        )
        self._candidates = SpeechService(self.candidates, services.pool, services.metrics, settings.limits)

    async def speak(self, request: Request, wanted: SpeechRequest) -> Sound:
        """Speak a text.

        Args:
            request: whose client waits.
            wanted: its voice may be `<voice>@<version>`, or `<voice>@new` for the one that waits.

        Raises:
            VoicemillError: as for `SpeechService.speak`, and `version_unknown`.
        """
        text = checked_text(wanted.text, self._services.settings.limits.characters)
        service, voice = self._services.speech, wanted.voice
        name, _, version = voice.partition(versions.SEPARATOR)
        if version == candidates.SUFFIX:
            service, voice = self._candidates, name
        elif version:
            service = self._versions
            versions.unpack(self._workspace, versions.get(self._workspace, name, version))
        spoken = await service.speak(SpeechRequest(voice, text, wanted.speed, wanted.semitones))
        try:
            samples = await spoken.whole(request.is_disconnected)
        finally:
            spoken.close()
        sound = Sound(
            id=secrets.token_urlsafe(12),
            voice=wanted.voice,
            manifest=versions.digest_of(spoken.served.state.root),
            text=text,
            samples=samples,
            sample_rate=spoken.sample_rate,
            words=tuple(spoken.words),
            marks=tuple(spoken.marks),
            origin=spoken.served.voice.origin,
        )
        self._keep(sound)
        return sound

    def get(self, sound_id: str) -> Sound:
        """A sound that is kept.

        Raises:
            RequestRefusedError: `not_found`.
        """
        sound = self._kept.get(sound_id)
        if sound is None:
            raise RequestRefusedError("This sound is no longer kept. Speak the text again.", reason="not_found")
        self._kept.move_to_end(sound_id)
        return sound

    def encoded(self, sound: Sound, suffix: str) -> tuple[bytes, str]:
        """A sound, or its times, as the bytes of a file with its media type.

        Raises:
            RequestRefusedError: `sound_format:<suffix>`.
        """
        if suffix in TIME_TYPES:
            return render(sound.words, f"times{suffix}", sound.marks).encode("utf-8"), TIME_TYPES[suffix]
        if suffix not in SOUND_TYPES:
            raise RequestRefusedError(f"There is no format {suffix[:20]!r}.", reason=f"sound_format:{suffix[:20]}")
        signer = MarkSigner.find(self._workspace.cache / "marks")
        data = marked_bytes(sound.samples, sound.sample_rate, suffix, sound.origin, signer)
        return data, SOUND_TYPES[suffix]

    def _keep(self, sound: Sound) -> None:
        self._kept[sound.id] = sound
        while sum(one.samples.nbytes for one in self._kept.values()) > MOST_BYTES and len(self._kept) > 1:
            self._kept.popitem(last=False)


def split_name(name: str) -> tuple[str, str]:
    """The id and the suffix of a file's name in an address."""
    path = Path(name)
    return path.stem, path.suffix
