"""Progress of long work: an observer that the library calls and the apps implement."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Receives stages and steps. Implementations must be cheap and must not raise."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins and the previous one has ended; `total` is its number of steps, where known."""

    def advance(self, done: int, note: str = "") -> None:
        """`done` steps of the current stage are finished; `note` is a short live figure, e.g. `loss 1.23`."""

    def note(self, text: str) -> None:
        """One line worth keeping: a warning, a choice made, a cache hit."""


class SilentObserver:
    """An observer that ignores everything."""

    def stage(self, name: str, total: int | None = None) -> None:
        """See `Observer.stage`."""

    def advance(self, done: int, note: str = "") -> None:
        """See `Observer.advance`."""

    def note(self, text: str) -> None:
        """See `Observer.note`."""
