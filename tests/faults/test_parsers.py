"""Every reader of files that somebody else may have written: an answer or a plain refusal, never a traceback, in time.

What is fed to each: bytes of any kind, JSON of any shape with the field names that the reader knows, an honest file
with one part changed, and the classics (duplicate keys, NaN, depth 200,000, a 5,000-digit integer, NUL).
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from voicemill.bundle import manifest as bundle_manifest
from voicemill.bundle.packing import import_bundle
from voicemill.bundle.signing import verify_dsse
from voicemill.casimir import packs
from voicemill.casimir.answer import answer_of, read_request
from voicemill.casimir.evaluator import evaluate
from voicemill.dataset import description, edits
from voicemill.dataset import manifest as dataset_manifest
from voicemill.errors import VoicemillError
from voicemill.evaluation.model import Evaluation, dry_run_evaluation, read_evaluation
from voicemill.files import MAX_JSON_BYTES, InvalidJsonError, parse_json
from voicemill.lane_status import LaneStatus, StatusFile
from voicemill.settings import REPOSITORY
from voicemill.text.captions import read_captions
from voicemill.text.lexicon import read_own
from voicemill.text.transcripts import read_metadata, read_script, read_sidecar
from voicemill.training_status import TrainingStatus, read_training_status
from voicemill.verify.certificate import VoiceCertificate
from voicemill.voices import record
from voicemill.weights import allowlist
from voicemill.weights.manifest import validate_file

PACKS = packs.load_packs(REPOSITORY / packs.SHIPPED_PACKS)
SECONDS = 1.0
"""Processor time that one reading may take."""


def _bundle(path: Path) -> None:
    bundle_manifest.parse_manifest(path.read_bytes()).artifact_sha256_ok  # noqa: B018 - it recomputes a hash


def _request(path: Path) -> None:
    trace, pack = read_request(path.read_bytes())
    answer_of(evaluate(pack, PACKS), trace)


def _packs(path: Path) -> None:
    (path.parent / "packs.json").write_bytes(path.read_bytes())
    (path.parent / "voice-promotion.json").write_bytes(b"[]")
    packs.load_packs(path.parent)


def _signature(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    verify_dsse(path.read_bytes(), ec.derive_private_key(7, ec.SECP256R1()).public_key())


def _lane(path: Path) -> None:
    made = StatusFile(path.with_name("status.json"), "job")
    made.path.write_bytes(path.read_bytes())
    made.take_over()


def _certificate(path: Path) -> None:
    with contextlib.suppress(ValidationError):  # as the checklist's row does
        VoiceCertificate.model_validate(parse_json(path.read_bytes()))


def _edits(path: Path) -> None:
    (path.parent / edits.NAME).write_bytes(path.read_bytes())
    edits.read(path.parent)


def _dataset(path: Path) -> None:
    (path.parent / description.NAME).write_bytes(path.read_bytes())
    description.read(path.parent)


@dataclass(frozen=True)
class Reader:
    """A reader, the name that its file has, an honest example where there is one, and its share of time for a byte."""

    read: Callable[[Path], Any]
    name: str
    model: type[Any] | None = None
    example: Callable[[], str] | None = None
    seconds_per_byte: float = 0.0


def _manifest_line() -> str:
    return '{"audio_filepath": "a.wav", "text": "Hello.", "duration": 1.0}\n'


def _allowlist() -> str:
    return (REPOSITORY / allowlist.SHIPPED).read_text(encoding="utf-8")


def _weights() -> str:
    return (REPOSITORY / "configs/voice/weights-manifest.example.json").read_text(encoding="utf-8")


def _status() -> str:
    return TrainingStatus(objective_status="ready_for_bundle", status="ok").model_dump_json()


def _evaluation() -> str:
    return dry_run_evaluation(source_status="ok").model_dump_json()


def _golden() -> str:
    return json.dumps(
        {"mode": "constraint-pack", "traceId": "t", "pack": {"id": "repo-convergence", "metrics": {"a": 1}}}
    )


READERS = {
    "allowlist": Reader(allowlist.load_allowlist, "a.json", allowlist.Allowlist, _allowlist),
    "weights manifest": Reader(validate_file, "a.json", None, _weights),
    "bundle manifest": Reader(_bundle, "manifest.json", bundle_manifest.ProductionManifest),
    "promoted manifest": Reader(_bundle, "manifest.json", bundle_manifest.PromotedManifest),
    "evaluation": Reader(read_evaluation, "a.json", Evaluation, _evaluation),
    "training status": Reader(read_training_status, "a.json", TrainingStatus, _status),
    "lane status": Reader(_lane, "a.json", LaneStatus),
    "certificate": Reader(_certificate, "a.json", VoiceCertificate),
    "request": Reader(_request, "a.json", None, _golden),
    "packs": Reader(_packs, "a.json", packs.Pack),
    "signature": Reader(_signature, "a.sig", None, lambda: '{"dsseEnvelope": {"payload": "", "signatures": []}}'),
    "dataset manifest": Reader(
        dataset_manifest.read_manifest, "a.jsonl", dataset_manifest.ManifestLine, _manifest_line
    ),
    "our manifest": Reader(dataset_manifest.read_entries, "a.jsonl", dataset_manifest.ManifestEntry),
    "edits": Reader(_edits, "a.jsonl", edits.ClipEdit),
    "dataset description": Reader(_dataset, "a.json", description.DatasetDescription),
    "voice record": Reader(record.read_record, "voice.json", record.VoiceRecord),
    "metadata": Reader(read_metadata, "metadata.csv", None, lambda: "a|Hello there.|Hello there.\n"),
    "script": Reader(read_script, "a.txt", None, lambda: "Hello there. Good day.\n", 4e-5),
    "sidecar": Reader(read_sidecar, "a.lab", None, lambda: "Hello there.\n"),
    "srt": Reader(read_captions, "a.srt", None, lambda: "1\n00:00:01,000 --> 00:00:02,000\nHello.\n"),
    "vtt": Reader(read_captions, "a.vtt", None, lambda: "WEBVTT\n\n00:01.000 --> 00:02.000\nHello.\n"),
    "TextGrid": Reader(
        read_captions,
        "a.TextGrid",
        None,
        lambda: (
            'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n2\n<exists>\n1\n'
            '"IntervalTier"\n"sentences"\n0\n2\n1\n0\n2\n"Hello."\n'
        ),
    ),
    "lexicon": Reader(read_own, "a.dict", None, lambda: "hello HH AH L OW\n"),
    "exported voice": Reader(lambda path: import_bundle(path, path.parent / "bundles"), "a.tar"),
}


@contextlib.contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """A refusal is an answer; anything else that is raised fails the test, and so does more computing than that."""
    started = time.process_time()
    with contextlib.suppress(VoicemillError, InvalidJsonError):
        yield
    assert time.process_time() - started < seconds


def feed(reader: Reader, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / reader.name
        path.write_bytes(data)
        with in_time(SECONDS + reader.seconds_per_byte * len(data)):
            reader.read(path)


CLASSICS = {
    "duplicate keys": b'{"a": 1, "a": 2}',
    "NaN": b'{"final_loss": NaN}',
    "infinity": b'{"final_loss": 1e999}',
    "depth": b"[" * 200_000 + b"]" * 200_000,
    "depth of objects": b'{"a":' * 200_000,
    "digits": b'{"seed": ' + b"7" * 5_000 + b"}",
    "many digits": b'{"seed": ' + b"7" * 1_000_000 + b"}",
    "NUL": b'{"a": "\x00"}',
    "escaped NUL": b'{"audio_filepath": "\\u0000", "text": "a\\u0000", "commit": "\\u0000"}',
    "control": b'{"a": "\x01\x1b[2J"}',
    "lone surrogate": b'{"audio_filepath": "\\ud800", "text": "\\udfff", "commit": "\\ud800"}',
    "not UTF-8": b"\xff\xfe\x00\x80",
    "BOM": b"\xef\xbb\xbf{}",
    "empty": b"",
    "a number": b"7",
    "a list": b"[]",
    "null": b"null",
    "a million blanks": b" " * 1_000_000,
    "a million lines": b"\n" * 1_000_000,
    "long line": b"a" * 1_000_000,
    "quotes": b'"' * 100_000,
    "backslashes": b'"' + b"\\" * 1_000_001,
    "brackets in a string": b'"' + b"[" * 1_000_000 + b'"',
    "angle brackets": b"WEBVTT\n\n00:01.000 --> 00:02.000\n" + b"<" * 200_000,
    "arrows": b"WEBVTT\n\n" + b"-->" * 200_000,
    "parentheses": b"1\n00:00:01,000 --> 00:00:02,000\n" + b"([" * 200_000,
    "bars": b"|" * 500_000,
    "sentence ends": b"A. " * 100_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(READERS))
def test_the_classics(name: str) -> None:
    for data in CLASSICS.values():
        feed(READERS[name], data)


def test_many_keys_of_a_request_take_no_square_of_their_number() -> None:
    many = ",".join(f'"{number}":1' for number in range(250_000))
    feed(READERS["request"], f'{{{many},"249999":2}}'.encode())


def test_a_document_beyond_the_limit_is_not_looked_at() -> None:
    with in_time(SECONDS):
        parse_json(b" " * (MAX_JSON_BYTES + 1))


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
nested = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def documents(reader: Reader) -> st.SearchStrategy[bytes]:
    """JSON of any shape, with the names that the reader knows."""
    fields = getattr(reader.model, "model_fields", None) or getattr(reader.model, "__dataclass_fields__", {})
    known = [
        *fields,
        "id",
        "pack",
        "metrics",
        "telemetry",
        "policyOverride",
        "dsseEnvelope",
        "bundle_version",
        "weights",
    ]
    keyed = st.dictionaries(st.sampled_from(known), nested, max_size=len(known))
    return (keyed | nested).map(lambda value: json.dumps(value).encode("utf-8"))


def mutations(reader: Reader) -> st.SearchStrategy[bytes]:
    """An honest file with a stretch of it replaced."""
    whole = (reader.example or (lambda: "{}"))().encode("utf-8")

    def change(drawn: tuple[int, int, bytes]) -> bytes:
        start, length, piece = drawn
        return whole[: start % (len(whole) + 1)] + piece + whole[start % (len(whole) + 1) + length :]

    pieces = st.binary(max_size=6) | st.sampled_from(
        [
            b"null",
            b"{}",
            b"[]",
            b'"',
            b"-1",
            b"1e400",
            b"\\u0000",
            b"\n",
            b"..",
            b"|",
            b"-->",
            b"<<",
            b'""',
            b"99999999999999999999",
        ]
    )
    return st.tuples(st.integers(0, 1 << 20), st.integers(0, 40), pieces).map(change)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_anything_is_answered_or_refused(name: str, data: st.DataObject) -> None:
    reader = READERS[name]
    feed(reader, data.draw(st.binary(max_size=200) | documents(reader) | mutations(reader)))
