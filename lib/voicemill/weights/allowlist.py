"""The weights allowlist, `configs/voice/prod_tts/weights_allowlist.json` (docs/formats.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from voicemill import files, path_names, records
from voicemill.errors import GateError
from voicemill.records import RecordError, Rule, Sha256

VERSION = "prod_tts_allowlist/3"
Kind = Literal[
    "fastpitch",
    "hifigan",
    "vocoder",
    "tts",
    "separation",
    "vad",
    "asr",
    "speaker",
    "judge",
    "watermark",
    "musicgen",
    "none",
]
"""`vocoder` is one that NeMo does not know; `tts` is a whole model that speaks, such as Qwen3-TTS; `judge` measures
finished speech and is part of no voice. `musicgen` is the experimental lane's; its weights are non-commercial, so the
gate refuses them everywhere else."""
_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*"
WeightsId = Annotated[str, Rule(pattern=rf"{_ID}\Z", most=200, schema={"pattern": f"{_ID}$"})]
SHIPPED = Path("configs/voice/prod_tts/weights_allowlist.json")
"""Relative to the repository. Verification always judges by this list, even if a run used another one."""
REFUSED = "weights_refused.json"
"""Name of the list of refused weights, beside the allowlist and in its format."""


@dataclass(frozen=True)
class Evidence:
    """A licence statement: its address, the date on which it was read, and its content."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    link: str
    seen: Annotated[str, Rule(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    states: str


@dataclass(frozen=True)
class WeightsFile:
    """One file of an entry.

    Attributes:
        path: relative POSIX path below the folder that `location` names.
        sha256: the pinned digest; without it the file is never loaded.
        location: `cache` (below `cache/weights/<id>/`), `repository` (below the checkout) or `package` (below the
            folder in which the Python package is installed).
        package: name of the distribution, for `location` `package`.
        url: where it can be downloaded, for `location` `cache`.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    path: Annotated[str, Rule(check=path_names.safe_relative)]
    sha256: Sha256 | None = None
    bytes: Annotated[int, Rule(least=0)] | None = None
    location: Literal["cache", "repository", "package"] = "cache"
    package: str | None = None
    url: Annotated[str, Rule(pattern=r"^https://")] | None = None

    def __post_init__(self) -> None:
        if (self.location == "package") != (self.package is not None):
            raise ValueError("package is given exactly where location is 'package'")


@dataclass(frozen=True)
class AllowlistEntry:
    """One set of weights and its licences. The gate refuses missing licence fields; the reader accepts them."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    id: WeightsId
    provider: str = ""
    source: str = ""
    weights_license: str | None = None
    code_license: str | None = None
    commercial_use_allowed: bool | None = None
    redistribution_allowed: bool | None = None
    attribution_required: bool | None = None
    license_url: str | None = None
    kind: Kind = "none"
    files: tuple[WeightsFile, ...] = ()
    attribution: str = ""
    evidence: tuple[Evidence, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Allowlist:
    """The whole list; ids are unique."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    weights: tuple[AllowlistEntry, ...]
    version: Literal["prod_tts_allowlist/3"] = "prod_tts_allowlist/3"
    updated_at: str | None = None

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for entry in self.weights:
            if entry.id in seen:
                raise ValueError(f"duplicate id {entry.id}")
            seen.add(entry.id)

    def find(self, weights_id: str) -> AllowlistEntry | None:
        """The entry of that id, if it is listed."""
        return next((entry for entry in self.weights if entry.id == weights_id), None)


@dataclass(frozen=True)
class AllowlistEntryV2(AllowlistEntry):
    """An entry of version 2, which lacks the kind `tts`."""

    kind: Literal[  # type: ignore[assignment]
        "fastpitch",
        "hifigan",
        "vocoder",
        "separation",
        "vad",
        "asr",
        "speaker",
        "judge",
        "watermark",
        "musicgen",
        "none",
    ] = "none"


@dataclass(frozen=True)
class AllowlistV2(Allowlist):
    """A list of version 2."""

    weights: tuple[AllowlistEntryV2, ...]
    version: Literal["prod_tts_allowlist/2"] = "prod_tts_allowlist/2"  # type: ignore[assignment]


@dataclass(frozen=True)
class AllowlistEntryV1(AllowlistEntry):
    """An entry of version 1, which has fewer kinds."""

    kind: Literal["fastpitch", "hifigan", "separation", "vad", "asr", "speaker", "musicgen", "none"] = "none"  # type: ignore[assignment]


@dataclass(frozen=True)
class AllowlistV1(Allowlist):
    """A list of version 1."""

    weights: tuple[AllowlistEntryV1, ...]
    version: Literal["prod_tts_allowlist/1"] = "prod_tts_allowlist/1"  # type: ignore[assignment]


_OLDER = {"prod_tts_allowlist/1": AllowlistV1, "prod_tts_allowlist/2": AllowlistV2}


@dataclass(frozen=True)
class LoadedAllowlist:
    """A list with the path it was read from and the digest of exactly the bytes that were judged.

    Attributes:
        refused: weights whose licences do not allow commercial use, with the evidence; the gate names the reason.
    """

    allowlist: Allowlist
    path: Path
    sha256: str
    refused: Allowlist | None = None

    def find(self, weights_id: str) -> AllowlistEntry | None:
        """The entry of that id on the list, or on the list of the refused weights beside it."""
        found = self.allowlist.find(weights_id)
        return found if found is not None or self.refused is None else self.refused.find(weights_id)

    def of_kind(self, kind: Kind) -> tuple[AllowlistEntry, ...]:
        """The entries of a kind, refused ones last."""
        entries = (*self.allowlist.weights, *(self.refused.weights if self.refused else ()))
        return tuple(entry for entry in entries if entry.kind == kind)


def load_allowlist(path: Path) -> LoadedAllowlist:
    """Read an allowlist strictly, and the list of refused weights beside it, if there is one.

    Raises:
        GateError: `allowlist_missing:<path>`, `allowlist_invalid:<why>`.
    """
    allowlist, digest = _read(path)
    beside = path.with_name(REFUSED)
    refused = _read(beside)[0] if path.name != REFUSED and beside.is_file() else None
    return LoadedAllowlist(allowlist, path, digest, refused)


def _read(path: Path) -> tuple[Allowlist, str]:
    """An allowlist and the digest of its bytes.

    Raises:
        GateError: `allowlist_missing:<path>`, `allowlist_invalid:<why>`.
    """
    hint = "Restore configs/voice/prod_tts/weights_allowlist.json, or point PROD_TTS_ALLOWLIST at a valid list."
    try:
        data = files.read_bounded(path, files.MAX_JSON_BYTES)
    except OSError as error:
        raise GateError(
            f"There is no readable weights allowlist at {path}.",
            reason=f"allowlist_missing:{path.as_posix()}",
            hint=hint,
        ) from error
    try:
        parsed = files.parse_json(data)
    except files.InvalidJsonError as error:
        raise GateError(
            f"The weights allowlist {path} is not acceptable JSON: {error}.", reason="allowlist_invalid:json", hint=hint
        ) from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("weights"), list):
        raise GateError(
            f"The weights allowlist {path} has no list 'weights'.",
            reason="allowlist_invalid:weights_not_array",
            hint=hint,
        )
    try:
        older = _OLDER.get(str(parsed.get("version")))
        if older is not None:
            parsed = records.dump(records.read(older, parsed)) | {"version": VERSION}
        allowlist = records.read(Allowlist, parsed)
    except RecordError as error:
        where = ".".join(map(str, error.path)) or "weights"
        raise GateError(
            f"The weights allowlist {path} is wrong at {where}: {error.why}.",
            reason=f"allowlist_invalid:{where}",
            hint=hint,
        ) from error
    return allowlist, files.sha256_bytes(data)


def pin(path: Path, weights_id: str, file_path: str, target: Path) -> str:
    """Record the sha256 and size of `target` for the file `file_path` of an entry, in place; returns the digest.

    Raises:
        GateError: the entry or the file is not listed, or the list is not valid.
    """
    loaded = load_allowlist(path)
    entry = loaded.find(weights_id)
    if entry is not None and loaded.allowlist.find(weights_id) is None:
        path = path.with_name(REFUSED)
    if entry is None or file_path not in {item.path for item in entry.files}:
        raise GateError(
            f"{weights_id} with the file {file_path} is not on {path}.",
            reason="allowlist_rejected:selected_weights_not_listed",
            hint="Add the entry by hand first.",
        )
    digest, size = files.sha256_file(target), target.stat().st_size
    document = files.read_json(path)
    for raw in document["weights"]:
        for item in raw.get("files", []) if raw["id"] == weights_id else []:
            if item["path"] == file_path:
                item["sha256"], item["bytes"] = digest, size
    files.write_json(path, document)
    return digest
