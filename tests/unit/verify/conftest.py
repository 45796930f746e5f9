"""A bundle with every file that one can have, and every statement beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.records import measured

from voicemill import files
from voicemill.bundle.contents import SAMPLE_CREDENTIALS
from voicemill.bundle.signing import generate_keys
from voicemill.bundle.statements import sign_bundle
from voicemill.casimir.packs import SHIPPED_PACKS
from voicemill.evaluation.model import write_evaluation
from voicemill.settings import REPOSITORY
from voicemill.verify import certificate
from voicemill.verify.checklist import verify_bundle
from voicemill.verify.stability_figures import Stability, stability_path


def speaking(voice, *, vocoder: str = "hifigan", data: bytes | None = None) -> None:
    """Put a graph of one operator and a dictionary beside the models."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    stated = {b"format": b"voicemill-voice-1", b"vocoder": vocoder.encode()}
    graph = field(7, field(1, field(4, b"Relu"))) + b"".join(
        field(14, field(1, key) + field(2, value)) for key, value in stated.items()
    )
    (voice.root / "voice.onnx").write_bytes(graph if data is None else data)
    (voice.root / "lexicon.txt").write_text("good G UH D\n")


@dataclass(frozen=True)
class Signed:
    """A promoted, certified and signed bundle.

    Attributes:
        root: folder of the bundle.
        key: private key; the public one is beside it.
    """

    root: Path
    key: Path

    @property
    def public_key(self) -> Path:
        return self.key.with_suffix(".pub.pem")


def certify(root: Path) -> None:
    """Write the certificate of a bundle that passes."""
    verification = verify_bundle(root, REPOSITORY / "configs/voice/prod_tts/weights_allowlist.json")
    target = certificate.certificate_path(root)
    outcome, answer = certificate.certify(verification.check, verification.demands, REPOSITORY / SHIPPED_PACKS, target)
    certificate.require(outcome, answer, "The bundle")


def write_stability(root: Path, *, failed: int = 0) -> None:
    """Figures of a measurement of this bundle."""
    figures = Stability(
        bundle_manifest_sha256=files.sha256_file(root / "manifest.json"),
        recogniser="of a test",
        seed=1,
        count=100,
        failed=failed,
        failures={},
        doubted=0,
        word_error_rate=0.0,
        seconds_of_speech=200.0,
        sentences=(),
    )
    files.write_json(stability_path(root), figures.model_dump(mode="json"))


@pytest.fixture
def speaking_bundle(voice) -> Path:
    """A promoted bundle with models, graph, dictionary, evaluation, notices and sample."""
    speaking(voice, vocoder="istft")
    write_evaluation(voice.root / "eval.json", measured())
    listed = ("fastpitch.nemo", "hifigan.nemo", "sample.wav", "voice.onnx", "lexicon.txt")
    return voice.publish(artifacts=listed, weights_used=("voicemill/base-en-people-istft",))


@pytest.fixture
def signed(speaking_bundle: Path, tmp_path: Path) -> Signed:
    """The bundle with the metadata of its sample, stability, certificate, bill of materials, provenance and signature.

    The metadata of the sample is of no use to a reader of C2PA here; verification compares bytes.
    """
    root = speaking_bundle
    (root.parent / SAMPLE_CREDENTIALS).write_bytes(b"\0\0\0\x20jumb" + bytes(range(64)))
    write_stability(root)
    certify(root)
    made = Signed(root, tmp_path / "key.pem")
    generate_keys(made.key, made.public_key)
    sign_bundle(root, made.key)
    return made
