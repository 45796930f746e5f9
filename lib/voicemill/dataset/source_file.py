"""One input of a dataset, as its description records it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SourceFile(BaseModel):
    """One input: its name without any machine path, its digest, and what it is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: str
    bytes: int
    sha256: str
    url: str | None = None
