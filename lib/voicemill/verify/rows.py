"""A row of the promotion checklist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Row:
    """One row of the checklist.

    Attributes:
        key: stable name, `snake_case`.
        go: the demand is met.
        detail: why, in plain words.
        certification_only: a NO-GO here keeps the voice from being certified, but is no fault of the bundle.
    """

    key: str
    title: str
    go: bool
    detail: str
    certification_only: bool = False

    @property
    def verdict(self) -> Literal["GO", "NO-GO"]:
        return "GO" if self.go else "NO-GO"
