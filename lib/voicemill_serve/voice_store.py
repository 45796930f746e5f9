"""Promoted bundles as voices: found by their folders, verified, loaded on demand, dropped when idle.

A bundle is verified as `voice-verify bundle` does it, before it is loaded and again whenever one of its files is
replaced. No request ever names a path: a voice is looked up among the folders that the server found itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from voicemill import files
from voicemill.errors import AudioError, VoicemillError
from voicemill.settings import REPOSITORY
from voicemill.verify.certificate import certificate_path
from voicemill.verify.checklist import Verification, verify_bundle
from voicemill.weights.allowlist import SHIPPED
from voicemill_runtime.bundle import open_voice
from voicemill_runtime.loudness import gain
from voicemill_runtime.voice import Voice
from voicemill_serve.refusals import RequestRefusedError

MANIFEST = "manifest.json"
BUNDLE = "voice_bundle"
CALIBRATION = "The quick brown fox jumps over the lazy dog, and the dog sleeps on."
"""Spoken once when a voice is loaded, to find the gain that all of its speech gets."""
CERTIFICATE_SECONDS = 60.0
"""A promotion replaces the bundle before it writes the certificate; the previous voice is served during this time."""

Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class VoiceState:
    """The state of a bundle, found without loading it.

    Attributes:
        voice_id: name of its folder.
        root: the bundle's folder.
        display_name: as the manifest gives it.
        verified: every check of the bundle passed.
        certified: the certificate beside the bundle holds.
        reason: why it cannot be served; empty if it can.
        detail: the same as one sentence.
        stamp: sizes, times and numbers of the files that were checked.
    """

    voice_id: str
    root: Path
    display_name: str
    verified: bool
    certified: bool
    reason: str
    detail: str
    stamp: Stamp


@dataclass
class ServedVoice:
    """A loaded voice.

    Attributes:
        state: of the bundle that it was loaded from.
        voice: speaks.
        gain: factor that brings the voice to the server's loudness.
        used: when it was last asked for, in seconds of the monotonic clock.
        speaking: requests that use it now.
    """

    state: VoiceState
    voice: Voice
    gain: float
    used: float = 0.0
    speaking: int = 0


@dataclass
class _Slot:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    state: VoiceState | None = None
    loaded: ServedVoice | None = None


class VoiceStore:
    """The voices of a server."""

    def __init__(
        self,
        roots: Sequence[Path],
        pool: Executor,
        *,
        uncertified: bool = False,
        idle_seconds: float = 600.0,
        loudness_lufs: float = -23.0,
        on_load: Callable[[VoiceState], None] = lambda _: None,
    ) -> None:
        """
        Args:
            roots: folders of promoted voices, or single bundles.
            pool: verifies and loads.
            uncertified: serve voices without a certificate too.
            idle_seconds: see `drop_idle`.
            loudness_lufs: of a voice's speech.
            on_load: called after a voice was loaded.
        """
        self._roots, self._pool, self._uncertified = tuple(roots), pool, uncertified
        self._idle_seconds, self._loudness, self._on_load = idle_seconds, loudness_lufs, on_load
        self._slots: dict[str, _Slot] = {}

    def folders(self) -> dict[str, Path]:
        """The bundles that are there now, by voice; of two voices with one name, the first folder's."""
        found: dict[str, Path] = {}
        for root in self._roots:
            if (root / MANIFEST).is_file():
                found.setdefault(_name_of_bundle(root), root)
                continue
            with contextlib.suppress(OSError):
                for name in sorted(os.listdir(root)):
                    bundle = root / name / BUNDLE
                    if not name.startswith(".") and (bundle / MANIFEST).is_file():
                        found.setdefault(name, bundle)
        return found

    @property
    def loaded(self) -> int:
        """Voices in memory."""
        return sum(slot.loaded is not None for slot in self._slots.values())

    async def states(self) -> list[VoiceState]:
        """The state of every bundle, by name; bundles that were replaced are verified again."""
        return [await self.state(voice_id) for voice_id in sorted(self.folders())]

    async def state(self, voice_id: str) -> VoiceState:
        """The state of one bundle.

        Raises:
            RequestRefusedError: `voice_unknown`.
        """
        root = self._root(voice_id)
        slot = self._slots.setdefault(voice_id, _Slot())
        async with slot.lock:
            return await self._checked(slot, voice_id, root)

    async def get(self, voice_id: str) -> ServedVoice:
        """A voice that may be served, loaded if it is not in memory.

        Raises:
            RequestRefusedError: `voice_unknown`, with the list of voices; `voice_not_served:<voice>:<why>`.
        """
        root = self._root(voice_id)
        slot = self._slots.setdefault(voice_id, _Slot())
        async with slot.lock:
            previous = slot.loaded
            state = await self._checked(slot, voice_id, root)
            if state.reason:
                if previous is not None and state.verified and _is_recent(state):
                    return self._touched(previous)
                slot.loaded = None
                raise RequestRefusedError(
                    f"The voice {voice_id} is not served: {state.detail}",
                    reason=f"voice_not_served:{voice_id}:{state.reason}",
                    parameter="voice",
                )
            if previous is None or previous.state.stamp != state.stamp:
                slot.loaded = await self._load(state)
            assert slot.loaded is not None  # noqa: S101 - for the type checker
            return self._touched(slot.loaded)

    def drop_idle(self, now: float | None = None) -> list[str]:
        """Drop voices that were not used for `idle_seconds`; returns their names."""
        now = time.monotonic() if now is None else now
        dropped = []
        for name, slot in self._slots.items():
            voice = slot.loaded
            if voice and not voice.speaking and now - voice.used >= self._idle_seconds and not slot.lock.locked():
                slot.loaded = None
                dropped.append(name)
        return dropped

    def _root(self, voice_id: str) -> Path:
        folders = self.folders()
        if voice_id not in folders:
            known = ", ".join(sorted(folders)[:50]) or "none"
            raise RequestRefusedError(
                f"There is no voice {voice_id[:100]!r}. The voices are: {known}.",
                reason="voice_unknown",
                parameter="voice",
            )
        return folders[voice_id]

    async def _checked(self, slot: _Slot, voice_id: str, root: Path) -> VoiceState:
        stamp = _stamp(root)
        if slot.state is None or slot.state.stamp != stamp or slot.state.root != root:
            loop = asyncio.get_running_loop()
            slot.state = await loop.run_in_executor(self._pool, _examine, voice_id, root, stamp, self._uncertified)
        return slot.state

    async def _load(self, state: VoiceState) -> ServedVoice:
        loop = asyncio.get_running_loop()
        try:
            served = await loop.run_in_executor(self._pool, _load, state, self._loudness)
        except VoicemillError as error:
            raise RequestRefusedError(
                f"The voice {state.voice_id} is not served: {error}",
                reason=f"voice_not_served:{state.voice_id}:{error.reason}",
                hint=error.hint,
                parameter="voice",
            ) from error
        self._on_load(state)
        return served

    def _touched(self, served: ServedVoice) -> ServedVoice:
        served.used = time.monotonic()
        return served


def _name_of_bundle(root: Path) -> str:
    """The name of a single bundle: its manifest's profile, or the folder's name."""
    try:
        name = files.read_json(root / MANIFEST).get("voice_profile_id")
    except (OSError, ValueError, AttributeError, VoicemillError):
        name = None
    return name if isinstance(name, str) and name else root.resolve().parent.name


def _stamp(root: Path) -> Stamp:
    """Sizes, times and inode numbers of a bundle's files and of its certificate."""
    rows = []
    for path in (*sorted(root.glob("*")), certificate_path(root)):
        with contextlib.suppress(OSError):
            found = path.stat(follow_symlinks=False)
            rows.append((path.name, found.st_size, found.st_mtime_ns, found.st_ino))
    return tuple(rows)


def _is_recent(state: VoiceState) -> bool:
    newest = max((time_ns for _, _, time_ns, _ in state.stamp), default=0)
    with contextlib.suppress(OSError):
        newest = max(newest, state.root.stat().st_ctime_ns)
    return time.time() - newest / 1e9 < CERTIFICATE_SECONDS


def _examine(voice_id: str, root: Path, stamp: Stamp, uncertified: bool) -> VoiceState:
    """Verify a bundle."""
    try:
        verification = verify_bundle(root, REPOSITORY / SHIPPED)
    except VoicemillError as error:
        return VoiceState(voice_id, root, voice_id, False, False, error.code, f"{error} {error.hint}".strip(), stamp)
    loaded = verification.check.loaded
    name = getattr(loaded.manifest, "display_name", voice_id) if loaded else voice_id
    reason, detail = _refusal_of(verification, uncertified)
    return VoiceState(voice_id, root, name, verification.ok, verification.certifiable, reason, detail, stamp)


def _refusal_of(verification: Verification, uncertified: bool) -> tuple[str, str]:
    """The reason and the sentence why a bundle cannot be served; empty if it can."""
    if verification.check.differences:
        first = verification.check.differences[0]
        return first.code, f"{first.path}: {first.detail or first.code}. Copy the bundle again, whole."
    if not verification.ok:
        row = next(row for row in verification.rows if not row.go and not row.certification_only)
        return verification.reason, f"{row.title}: {row.detail}."
    if not verification.certifiable and not uncertified:
        row = next(row for row in verification.rows if not row.go)
        return "not_certified", f"it has no certificate that holds ({row.detail}); --uncertified serves it."
    return "", ""


def _load(state: VoiceState, loudness_lufs: float) -> ServedVoice:
    voice = open_voice(state.root)
    samples = np.concatenate([chunk.samples for chunk in voice.speak(CALIBRATION)])
    try:
        factor = gain(samples, voice.sample_rate, loudness_lufs)
    except AudioError:
        factor = 1.0
    return ServedVoice(state, voice, factor)
