"""JSON Schemas (draft 2020-12) of the file formats, one file per format and version, generated from the typed models.

The schema of a version is fixed once it is committed: only its titles and descriptions may follow the model. A model
that reads or writes other documents needs a new version, and the model of the version before stays as its reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from voicemill import files
from voicemill.bundle.manifest import ProductionManifest, PromotedManifest
from voicemill.dataset.description import DatasetDescription
from voicemill.dataset.doubts import DoubtfulClip
from voicemill.dataset.edits import ClipEdit, ClipEditV1
from voicemill.dataset.lanefile import LaneDataset
from voicemill.dataset.manifest import ManifestEntry
from voicemill.dataset.recorded_consent import RecordedConsent
from voicemill.evaluation.model import Evaluation, EvaluationV1
from voicemill.lane_status import LaneStatus, LaneStatusV1
from voicemill.training_status import TrainingStatus
from voicemill.verify.certificate import VoiceCertificate
from voicemill.verify.opinions import Opinions
from voicemill.verify.stability_figures import Stability, StabilityV1
from voicemill.voices.record import VoiceRecord
from voicemill.weights.allowlist import Allowlist, AllowlistV1, AllowlistV2
from voicemill.weights.manifest import WeightsManifest

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path("configs/voice/schemas")
Model = type[Any]
"""A pydantic model or a dataclass."""


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: stem of its schema files.
        version: the version that is written.
        model: the model that reads and writes this version.
        older: the models that read the versions before, by version.
        copy: another place of the current schema below the repository, where other programs expect it.
    """

    name: str
    version: int
    model: Model
    older: Mapping[int, Model] = field(default_factory=dict)
    copy: Path | None = None

    @classmethod
    def of(cls, name: str, models: Sequence[Model]) -> Format:
        """A format from the models of all its versions, the first one first."""
        return cls(name, len(models), models[-1], dict(enumerate(models[:-1], start=1)))

    @property
    def path(self) -> Path:
        """The schema of the current version, below the repository."""
        return self.path_of(self.version)

    @property
    def places(self) -> tuple[Path, ...]:
        """All copies of the schema of the current version, below the repository."""
        return (self.path, self.copy) if self.copy else (self.path,)

    def path_of(self, version: int) -> Path:
        """The schema of a version, below the repository."""
        return FOLDER / f"{self.name}-{version}.schema.json"


FORMATS = (
    Format("train-status", 2, LaneStatus, {1: LaneStatusV1}),
    Format("prod-tts-train-status", 1, TrainingStatus),
    Format("dataset-description", 1, DatasetDescription),
    Format("dataset-manifest-line", 1, ManifestEntry),
    Format("dataset-manifest", 1, LaneDataset),
    Format("dataset-edits-line", 2, ClipEdit, {1: ClipEditV1}),
    Format("dataset-doubts-line", 1, DoubtfulClip),
    Format("voice-consent", 1, RecordedConsent),
    Format("voice", 1, VoiceRecord),
    Format("weights-allowlist", 3, Allowlist, {1: AllowlistV1, 2: AllowlistV2}),
    Format("weights-manifest", 1, WeightsManifest, copy=Path("configs/voice/weights-manifest.schema.json")),
    Format("prod-tts-eval", 2, Evaluation, {1: EvaluationV1}),
    Format("prod-tts-voice-bundle", 1, ProductionManifest),
    Format("voice-bundle", 1, PromotedManifest),
    Format("voice-certificate", 1, VoiceCertificate),
    Format("voice-stability", 2, Stability, {1: StabilityV1}),
    Format("voice-opinions", 1, Opinions),
)


def schema(model: Model) -> dict[str, Any]:
    """The schema of one model, as its files are read."""
    return {"$schema": DIALECT, **TypeAdapter(model).json_schema(mode="validation")}


def structure(document: Mapping[str, Any]) -> Any:
    """A schema without titles, descriptions and names of definitions: equal for models that accept the same files."""
    definitions = document.get("$defs", {})

    def plain(node: Any, inside: tuple[str, ...], names: bool) -> Any:
        if isinstance(node, list):
            return [plain(each, inside, False) for each in node]
        if not isinstance(node, dict):
            return node
        name = str(node.get("$ref", "")).rpartition("/")[2] if not names else ""
        if name:
            return "recursive" if name in inside else plain(definitions[name], (*inside, name), False)
        return {
            key: plain(each, inside, key == "properties" and not names)
            for key, each in node.items()
            if names or key not in ("title", "description", "$defs")
        }

    return plain(document, (), False)


def problems(repository: Path, formats: Sequence[Format] = FORMATS) -> list[str]:
    """Violations of the rule above, one sentence each; empty when models and committed schemas agree."""
    return [sentence for each in formats for sentence in _problems(repository, each)]


def _problems(repository: Path, form: Format) -> Iterator[str]:
    path = repository / form.path
    missing = [place for place in form.places if not (repository / place).is_file()]
    if missing:
        yield f"{missing[0]} is missing: run `make schemas`."
    elif _changed(path, form.model):
        yield (
            f"The model of {form.path} changed: raise the version of {form.name} in verify/schemas.py, and keep the "
            f"model of version {form.version} as its reader in `older`."
        )
    elif any((repository / place).read_text(encoding="utf-8") != _text(form) for place in form.places):
        yield f"{form.path} has outdated descriptions: run `make schemas`."
    for version in range(1, form.version):
        before = repository / form.path_of(version)
        model = form.older.get(version)
        if not before.is_file():
            yield f"{form.path_of(version)} is missing: restore it."
        elif model is None or _changed(before, model):
            yield f"Version {version} of {form.name} has no reader: its model must stay in `older` as it was."


def write(repository: Path, formats: Sequence[Format] = FORMATS) -> list[Path]:
    """Write missing schemas and outdated descriptions; a changed model is left to `problems`.

    Returns:
        The written paths, below the repository.
    """
    written = []
    for form in formats:
        path = repository / form.path
        if path.is_file() and _changed(path, form.model):
            continue
        for place in form.places:
            target = repository / place
            if not target.is_file() or target.read_text(encoding="utf-8") != _text(form):
                files.write_text(target, _text(form))
                written.append(place)
    return written


def _text(form: Format) -> str:
    return files.dump_json(schema(form.model))


def _changed(path: Path, model: Model) -> bool:
    return bool(structure(json.loads(path.read_text(encoding="utf-8"))) != structure(schema(model)))
