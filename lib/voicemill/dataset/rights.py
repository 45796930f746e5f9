"""Consent of the speaker and licence of the recordings, as the operator states them; carried into the bundle."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.errors import UsageError
from voicemill.weights import licence as spdx

DATASET = "dataset.json"
"""Where a finished dataset keeps them, beside all else that describes it."""
MAX_BYTES = 64 * 1024
"""A statement is a page or two; a larger file is not one."""
_FILE_SUFFIXES = (".txt", ".md", ".pdf", ".doc", ".docx", ".odt", ".rtf", ".html")


class Rights(BaseModel):
    """The operator's statements about the recordings.

    Attributes:
        consent: the statement of consent, word for word.
        consent_sha256: of the statement's UTF-8 bytes, so that a signed original can be matched with it.
        licence: SPDX expression of the recordings' licence.
        recordings: sha256 of the recordings that the statement was made for, sorted. It is not carried to others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    consent: str | None = Field(default=None, max_length=MAX_BYTES)
    consent_sha256: str | None = None
    licence: str | None = Field(default=None, max_length=500)
    recordings: tuple[str, ...] = ()

    @property
    def notice(self) -> str:
        """Text about the recordings in a bundle's attribution."""
        parts = []
        if self.licence:
            parts.append(f"Licence of the recordings: {self.licence}")
        if self.consent:
            parts.append(f"Consent of the speaker, as stated (sha256 {self.consent_sha256}):\n\n{self.consent}")
        return "\n\n".join(parts)


def parse_rights(consent: str | None, licence: str | None) -> Rights | None:
    """Rights from the command line; None when nothing is stated.

    A licence that forbids commercial use is recorded as well: it is a fact about the recordings.

    Args:
        consent: a file with the statement, or the statement itself.
        licence: SPDX expression of the recordings' licence, or a `LicenseRef-` name of your own.

    Raises:
        UsageError: `licence_invalid`; `consent_missing` for a file that does not exist; `consent_unreadable` for one
            that is not text.
    """
    if consent is None and licence is None:
        return None
    expression = None if licence is None else spdx.expression(licence)
    if licence is not None and expression is None:
        raise UsageError(
            f"{licence[:80]!r} is not an SPDX licence expression.",
            reason="licence_invalid",
            hint="Name a licence as spdx.org/licenses does, for instance CC-BY-4.0, or LicenseRef-<name> for your own.",
        )
    text = None if consent is None else _statement(consent)
    digest = None if text is None else files.sha256_bytes(text.encode("utf-8"))
    return Rights(consent=text, consent_sha256=digest, licence=expression)


def effective_rights(new: Rights | None, old: Rights | None, recordings: Iterable[str]) -> Rights | None:
    """Rights of a dataset that is being prepared: the new statement, completed by the earlier one.

    Args:
        new: from the command line.
        old: of the dataset that is there already.
        recordings: sha256 of the recordings that go in; an older statement holds only if it was made for all of them.
    """
    covered = tuple(sorted(set(recordings)))
    before = old if old is not None and set(covered) <= set(old.recordings) else None
    if new is None:
        return before
    base = before or Rights()
    changes = {name: value for name, value in new.model_dump(exclude={"recordings"}).items() if value is not None}
    return base.model_copy(update={**changes, "recordings": covered})


def licence_warning(held: Rights | None) -> str | None:
    """A sentence for the operator when the stated licence may not allow a commercial voice."""
    if held is None or held.licence is None:
        return None
    judged = spdx.judge(held.licence)
    if judged.permitted or held.licence.startswith("LicenseRef-"):
        return None
    return f"The licence of the recordings may not allow a commercial voice: {judged.why}."


def of_manifest(manifest: Path, sha256: str) -> Rights | None:
    """Rights of the finished dataset that a manifest belongs to; None where there is none, or another by now.

    Args:
        manifest: `manifest.jsonl` of the dataset.
        sha256: of the dataset, as a training recorded it.
    """
    try:
        described = files.read_json(manifest.parent / DATASET)
        if not isinstance(described, dict) or described.get("dataset_sha256") != sha256:
            return None
        held = described.get("rights")
        return None if held is None else Rights.model_validate(held)
    except (OSError, files.InvalidJsonError, ValidationError):
        return None


def _statement(consent: str) -> str:
    if "\n" not in consent and len(consent) < 4096:
        if os.path.isfile(consent):  # pathlib raises for a name that is too long, as a statement is
            return _from_file(Path(consent))
        if consent.lower().endswith(_FILE_SUFFIXES) or os.path.lexists(consent):
            raise UsageError(
                f"There is no file {consent} with a statement of consent.",
                reason="consent_missing",
                hint="Check the path given with --consent, or give the statement itself in quotes.",
            )
    return _checked(consent, "The statement of consent")


def _from_file(path: Path) -> str:
    with path.open("rb") as handle:
        data = handle.read(MAX_BYTES + 1)
    try:
        return _checked(data.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise _unreadable(str(path), "it is not UTF-8 text") from error


def _checked(text: str, name: str) -> str:
    clean = text.replace("\r\n", "\n").strip()
    if len(clean.encode("utf-8")) > MAX_BYTES:
        raise _unreadable(name, f"it is larger than {MAX_BYTES // 1024} KiB")
    if not clean:
        raise _unreadable(name, "it is empty")
    if any(not character.isprintable() and character not in "\n\t" for character in clean):
        raise _unreadable(name, "it holds control characters")
    return clean


def _unreadable(name: str, why: str) -> UsageError:
    return UsageError(
        f"{name} cannot be used as a statement of consent: {why}.",
        reason="consent_unreadable",
        hint="Give plain text; keep a signed scan elsewhere and name it in the statement.",
    )
