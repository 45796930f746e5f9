"""Constraint packs: the demands on each metric. They ship in configs/casimir/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from voicemill import files
from voicemill.errors import ConfigError

Severity = Literal["HARD", "SOFT"]
Tier = Literal["reduced-order", "diagnostic", "certified"]
TIERS: tuple[Tier, ...] = ("reduced-order", "diagnostic", "certified")

SHIPPED_PACKS = Path("configs/casimir")
"""Below the checkout's root."""
PACK_FILES = ("packs.json", "voice-promotion.json")
"""The packs of the field, and our own."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Constraint(_Model):
    """A demand on one metric. A threshold that is given as null is not the same as one that is absent."""

    id: str
    severity: Severity
    metric: str
    op: str | None = Field(default=None, description="eq, <=, <, >= or >; else min and max make a band")
    limit: float | None = None
    min: float | None = None
    max: float | None = None
    proxy: bool | None = None
    note: str | None = None

    def has(self, name: str) -> bool:
        """Whether the definition gives this field at all."""
        return name in self.model_fields_set


class SignalKinds(_Model):
    diagnostic: str
    certified: str


class Policy(_Model):
    mode: Literal["hard-only", "all"]
    unknown_as_fail: bool = Field(alias="unknownAsFail")
    min_ladder_tier: Tier | None = Field(default=None, alias="minLadderTier")


class CertificatePolicy(_Model):
    issuer: str
    admissible_status: str = Field(alias="admissibleStatus")
    allow_marginal_as_viable: bool = Field(default=False, alias="allowMarginalAsViable")
    treat_missing_as_not_certified: bool = Field(default=True, alias="treatMissingCertificateAsNotCertified")


class Pack(_Model):
    """A named and versioned set of constraints."""

    id: str
    domain: str
    version: int
    signal_kinds: SignalKinds = Field(alias="signalKinds")
    policy: Policy
    certificate: CertificatePolicy
    constraints: tuple[Constraint, ...]
    proxies: tuple[Constraint, ...] = ()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> Pack:
        names = [each.id for each in (*self.constraints, *self.proxies)]
        if len(set(names)) != len(names):
            raise ValueError("two constraints share an id")
        return self


_PACKS: TypeAdapter[list[Pack]] = TypeAdapter(list[Pack])


def load_packs(folder: Path, names: Sequence[str] = PACK_FILES) -> dict[str, Pack]:
    """Every shipped pack by id.

    Args:
        folder: configs/casimir.
        names: files of the folder.

    Raises:
        ConfigError: a file is missing or is not a list of packs.
    """
    packs: dict[str, Pack] = {}
    for name in names:
        path = folder / name
        try:
            loaded = _PACKS.validate_python(files.read_json(path))
        except OSError as error:
            raise ConfigError(
                f"Cannot read the constraint packs {path}: {error.strerror}.",
                reason=f"config_missing:{path.as_posix()}",
                hint="Restore the file from the checkout.",
            ) from error
        except (files.InvalidJsonError, ValidationError) as error:
            why = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise ConfigError(
                f"The constraint packs {path} are not valid: {why}.",
                reason=f"config_invalid:{path.name}",
            ) from error
        packs.update({pack.id: pack for pack in loaded})
    return packs
