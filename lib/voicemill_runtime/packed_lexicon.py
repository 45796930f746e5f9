"""A dictionary as the bytes of its file: 3 MB in memory where a dict of 125,000 words takes ten times as much."""

from __future__ import annotations

import io
import sys
from array import array
from collections.abc import Iterator, Mapping

from voicemill.text.lexicon import Phones


class PackedEntries(Mapping[str, Phones]):
    """Lines of a word and its phones, sorted by the bytes of the word; a word is found by bisection."""

    def __init__(self, data: bytes) -> None:
        """
        Args:
            data: UTF-8 lines.

        Raises:
            ValueError: the words are not in order, or a line has no phones.
        """
        self._data = data
        self._starts = array("L")
        position, previous = 0, b""
        for line in io.BytesIO(data):
            word, *phones = line.split() or [b""]
            if word <= previous or not phones:
                raise ValueError("a line is not after the one before, or has no phones")
            self._starts.append(position)
            position, previous = position + len(line), word

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[str]:
        return (self._line(index)[0].decode("utf-8") for index in range(len(self._starts)))

    def __getitem__(self, word: str) -> Phones:
        wanted = word.encode("utf-8", errors="replace")
        low, high = 0, len(self._starts)
        while low < high:
            middle = (low + high) // 2
            if self._line(middle)[0] < wanted:
                low = middle + 1
            else:
                high = middle
        if low < len(self._starts):
            found, *phones = self._line(low)
            if found == wanted:
                return tuple(sys.intern(phone.decode("ascii")) for phone in phones)
        raise KeyError(word)

    def _line(self, index: int) -> list[bytes]:
        start = self._starts[index]
        end = self._data.find(b"\n", start)
        return self._data[start : len(self._data) if end < 0 else end].split()
