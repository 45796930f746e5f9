"""The lane's base weights: allowed for exploration only, pinned, inspected, and loaded from a private copy.

Safetensors contain no code, and no other weight format is read: no pickle, no `trust_remote_code`, no hub. The model is
loaded from the inspected copy, in a folder with only the three files of the allowlist's entry.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from voicemill import files
from voicemill.errors import GateError, StorageError
from voicemill.weights import allowlist, gate
from voicemill.weights.archive_bytes import unsafe
from voicemill.weights.store import ResolvedWeights, WeightsStore
from voicemill_musicgen.settings import VoiceTrainSettings

BASE = "facebook/musicgen-small"
KIND = "musicgen"
TENSORS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
_PARTS = {"text_encoder": "t5", "audio_encoder": "encodec", "decoder": "musicgen_decoder"}
"""Parts of the configuration and the architecture that each must name."""
_REFUSED_KEYS = ("auto_map", "custom_pipelines", "quantization_config", "attn_implementation", "_attn_implementation")
"""Keys by which transformers imports code of the checkpoint's author, or fetches kernels from a hub."""
_MAX_CONFIG_BYTES = 1 << 20
_MAX_NUMBER = 1_000_000
"""Upper bound of sizes in the configuration, well above MusicGen's, against huge allocations."""
_NUMBERS = frozenset({"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"})


def select(path: Path) -> gate.SelectedWeights:
    """The entry of the base weights. Their licence must be stated; the lane requires no commercial use.

    Raises:
        GateError: `allowlist_missing:<path>`, `allowlist_invalid:<why>`, `allowlist_rejected:<why>`,
            `allowlist_missing_license_metadata:<fields>`.
    """
    loaded = allowlist.load_allowlist(path)
    entry = gate.listed(BASE, loaded)
    check(entry)
    return gate.SelectedWeights(entry, loaded.path, loaded.sha256)


def check(entry: allowlist.AllowlistEntry) -> None:
    """The check of an entry, in place of the production gate.

    Raises:
        GateError: `allowlist_rejected:not_experimental`, `allowlist_missing_license_metadata:<fields>`.
    """
    paths = {item.path for item in entry.files}
    if entry.kind != KIND or paths != {TENSORS, CONFIG, TOKENIZER}:
        raise GateError(
            f"The entry {entry.id} is not one of kind {KIND} with {TENSORS}, {CONFIG} and {TOKENIZER}.",
            reason="allowlist_rejected:not_experimental",
            hint="Use the shipped allowlist.",
        )
    gate.check_stated(entry)


def resolve(settings: VoiceTrainSettings) -> ResolvedWeights:
    """The checked local files; nothing is downloaded.

    Raises:
        GateError: see `select`; `weights_unavailable:<id>`, `weights_checksum_mismatch:<id>`.
    """
    selection = select(settings.common.weights.allowlist)
    store = WeightsStore(settings.common.workspace.weights_cache, settings.common.repository, judge=check)
    return store.resolve(selection.entry)


@contextlib.contextmanager
def private_copy(resolved: ResolvedWeights) -> Iterator[Path]:
    """Yield a folder with an inspected copy of the three files; removed afterwards.

    Raises:
        GateError: `unsafe_archive:<why>`, `weights_checksum_mismatch:<id>`.
        StorageError: the copy cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="voicemill-musicgen-") as name:
        folder = Path(name)
        pins = {item.path: item.sha256 for item in resolved.entry.files}
        for relative, path in resolved.paths.items():
            try:
                shutil.copyfile(path, folder / relative)
            except OSError as error:
                raise StorageError.from_os_error(error, folder / relative) from error
            if files.sha256_file(folder / relative) != pins[relative]:
                raise GateError(
                    f"{path} has changed since its digest was checked.",
                    reason=f"weights_checksum_mismatch:{resolved.entry.id}",
                    hint="Check the file, and start again.",
                )
        inspect(folder)
        yield folder


def inspect(folder: Path) -> None:
    """Inspect the files without building a model.

    Raises:
        GateError: `unsafe_archive:<why>`.
    """
    _check_config(folder / CONFIG)
    _check_tensors(folder / TENSORS)


def _check_config(path: Path) -> None:
    try:
        config = files.read_json(path, max_bytes=_MAX_CONFIG_BYTES)
    except files.InvalidJsonError as error:
        raise unsafe("config_invalid", f"{path.name} is not acceptable JSON: {error}.") from error
    expected = {"": "musicgen", **_PARTS}
    for part, wanted in expected.items():
        section = config if not part else config.get(part) if isinstance(config, dict) else None
        if not isinstance(section, dict) or section.get("model_type") != wanted:
            raise unsafe(f"config_model_type:{part or 'model'}", f"{path.name} does not describe a MusicGen.")
    _check_values(config, path.name)


def _check_values(value: object, name: str) -> None:
    """Walk through the configuration; its depth is bounded by the parser."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _REFUSED_KEYS:
                raise unsafe(f"config_key:{key}", f"{name} asks for code from elsewhere with {key!r}.")
            _check_values(inner, name)
    elif isinstance(value, list):
        for inner in value:
            _check_values(inner, name)
    elif isinstance(value, int | float) and abs(value) > _MAX_NUMBER:
        raise unsafe("config_size", f"{name} holds a size that no MusicGen has.")


def _check_tensors(path: Path) -> None:
    """The library refuses a header that lies about offsets; here, that the file holds plain numbers."""
    import safetensors

    try:
        with safetensors.safe_open(str(path), framework="np") as handle:
            kinds = {handle.get_slice(name).get_dtype() for name in handle.keys()}  # noqa: SIM118 - no mapping
    except (safetensors.SafetensorError, OSError) as error:
        raise unsafe("not_safetensors", f"{path.name} is not a safetensors file: {error}.") from error
    if not kinds or kinds - _NUMBERS:
        raise unsafe("tensors_invalid", f"{path.name} holds tensors of unknown kinds: {sorted(kinds - _NUMBERS)}.")
