"""Speech kept in memory for some seconds, and figures of the last requests, without their texts."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 64 * 1024 * 1024
"""Of all cached sounds; the oldest go first."""
MAX_EVENTS = 200


@dataclass(frozen=True)
class CachedSpeech:
    """An answer with its headers, until a time in milliseconds."""

    data: bytes
    headers: Mapping[str, str]
    until: int


class SpeechCache:
    """Answers by provider, voice, format, mode and text."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._most, self._bytes = most, 0
        self._entries: OrderedDict[str, CachedSpeech] = OrderedDict()

    @staticmethod
    def key(*parts: str) -> str:
        """A digest of the parts, which differs for different parts: names of clients may hold any character."""
        return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()

    def get(self, key: str, now_ms: int) -> CachedSpeech | None:
        """The answer that is still fresh."""
        found = self._entries.get(key)
        if found is not None and found.until <= now_ms:
            self._drop(key)
            return None
        return found

    def put(self, key: str, speech: CachedSpeech) -> None:
        """Keep an answer."""
        self._drop(key)
        self._entries[key] = speech
        self._bytes += len(speech.data)
        while self._bytes > self._most:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        old = self._entries.pop(key, None)
        if old is not None:
            self._bytes -= len(old.data)


class RecentEvents:
    """The last requests: figures and digests."""

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)

    def add(self, event: dict[str, Any]) -> None:
        """Remember one."""
        self._events.append(event)

    def newest(self, limit: int, *, narrator_only: bool, chunk_kind: str | None) -> list[dict[str, Any]]:
        """Events, newest first."""
        found = [
            event
            for event in reversed(self._events)
            if (not narrator_only or event["narrator"]) and (chunk_kind is None or event["chunkKind"] == chunk_kind)
        ]
        return found[:limit]
