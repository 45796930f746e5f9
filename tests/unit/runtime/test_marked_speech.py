"""Speech of a bundle carries its marks, and `voice-verify audio` finds them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill_runtime.bundle import bundle_origin, open_voice
from voicemill_runtime.voice import Voice

pytestmark = pytest.mark.slow

TEXT = "The mill grinds the corn, the miller fills the sacks, and the baker bakes the bread for all of us."
AUDIO = ("apps/voice-verify/voice-verify.py", "audio")
SAY = ("apps/voice-train-prod/voice-train-prod.py", "say")


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=200, check=False)


def test_the_same_text_has_the_same_marked_samples(bundle: Path) -> None:
    voice = open_voice(bundle)
    first, second = (np.concatenate([chunk.samples for chunk in voice.speak(TEXT)]) for _ in range(2))
    assert np.array_equal(first, second)
    plain = Voice(voice._graph, voice._lexicon)
    without = np.concatenate([chunk.samples for chunk in plain.speak(TEXT)])
    assert without.shape == first.shape
    assert not np.array_equal(without, first)


def test_the_origin_is_that_of_the_manifest(bundle: Path) -> None:
    origin = open_voice(bundle).origin
    assert origin == bundle_origin(bundle)
    assert origin is not None
    entries = json.loads((bundle / "manifest.json").read_text())["files"]
    assert origin.model_sha256 == next(entry["sha256"] for entry in entries if entry["path"] == "voice.onnx")
    assert origin.payload[2:].hex() == origin.model_sha256[:4]


def test_a_certificate_of_another_manifest_is_not_named(bundle: Path) -> None:
    certificate = {"bundle_manifest_sha256": "0" * 64, "answer": {"certificate": {"certificateHash": "f" * 64}}}
    (bundle.parent / "certificate.json").write_text(json.dumps(certificate))
    origin = bundle_origin(bundle)
    assert origin is not None
    assert origin.certificate is None
    (bundle.parent / "certificate.json").write_text(
        json.dumps(certificate | {"bundle_manifest_sha256": origin.manifest_sha256})
    )
    found = bundle_origin(bundle)
    assert found is not None
    assert found.certificate == "f" * 64


@pytest.mark.parametrize("name", ["speech.wav", "speech.mp3", "speech.opus"])
def test_voice_verify_finds_the_voice(name: str, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / name
    spoken = run(*SAY, "--bundle", str(bundle), "--text", TEXT, "--out", str(out))
    assert spoken.returncode == 0, spoken.stderr
    done = run(*AUDIO, str(out), "--bundle", str(bundle), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["marked"] is True
    assert report["voices"] == [{"voice": "unnamed", "bundle": bundle.as_posix(), "evidence": "claimed"}]
    assert report["credentials"]["state"] == "valid"
    assert report["credentials"]["self_made_chain"] is True
    assert report["credentials"]["signer_status"] == "claimed, signer not trusted"
    assert out.with_suffix(".c2pa").exists() == (name == "speech.opus")


def test_a_trusted_signer_is_verified_and_another_of_its_name_is_not(bundle: Path, tmp_path: Path) -> None:
    key, public, chain, other = (tmp_path / name for name in ("key.pem", "public.pem", "chain.pem", "other.pem"))
    keygen = ("apps/voice-bundle/voice-bundle.py", "keygen", "--name", "Studio Anna")
    for private, target in ((key, chain), (tmp_path / "key2.pem", other)):
        done = run(*keygen, "--private", str(private), "--public", str(public), "--chain", str(target))
        assert done.returncode == 0, done.stderr
        public.unlink()
    out = tmp_path / "speech.wav"
    environ = {**os.environ, "VOICEMILL_MARKS_KEY": str(key), "VOICEMILL_MARKS_CHAIN": str(chain)}
    argv = (*SAY, "--bundle", str(bundle), "--text", "Good morning.", "--out", str(out))
    subprocess.run([sys.executable, *argv], env=environ, check=True, timeout=200)
    verified = run(*AUDIO, str(out), "--bundle", str(bundle), "--trust", str(chain))
    assert "signer: Studio Anna (verified)" in verified.stdout
    assert f"voice: unnamed of {bundle.as_posix()} (verified)" in verified.stdout
    claimed = run(*AUDIO, str(out), "--bundle", str(bundle), "--trust", str(other))
    assert "signer: Studio Anna (claimed, signer not trusted)" in claimed.stdout
    assert f"voice: unnamed of {bundle.as_posix()} (claimed, signer not trusted)" in claimed.stdout
    assert run(*AUDIO, str(out), "--trust", str(tmp_path / "none.pem")).returncode == 1


def test_marks_survive_another_program_and_its_metadata_is_gone(bundle: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "speech.wav", tmp_path / "other.m4a"
    text = f"{TEXT} {TEXT}"  # the vocoder of the tiny voice makes noise, of which little is left in a codec
    assert run(*SAY, "--bundle", str(bundle), "--text", text, "--out", str(out)).returncode == 0
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(out), "-b:a", "96k", str(other)], check=True)
    done = run(*AUDIO, str(other), "--bundle", str(bundle))
    assert done.returncode == 0, done.stderr
    assert "credentials: none" in done.stdout
    assert "voice: unnamed" in done.stdout


def test_a_person_is_not_marked(tmp_path: Path) -> None:
    recording = next(Path("tests/data/people/lj").glob("*.flac"))
    done = run(*AUDIO, str(recording))
    assert done.returncode == 3
    assert "audio_not_marked" in done.stderr
    assert "watermark: none" in done.stdout


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all"])
def test_what_is_no_sound_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    done = run(*AUDIO, str(path))
    assert done.returncode == 1
    assert done.stderr.startswith("[voice-verify][error] audio_")
    assert run(*AUDIO, str(tmp_path / "none.wav")).returncode == 1


def test_a_changed_sound_has_invalid_credentials_and_its_watermark(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "speech.wav"
    assert run(*SAY, "--bundle", str(bundle), "--text", TEXT, "--out", str(out)).returncode == 0
    data = bytearray(out.read_bytes())
    data[data.index(b"data") + 2000] ^= 1
    out.write_bytes(data)
    done = run(*AUDIO, str(out), "--bundle", str(bundle))
    assert done.returncode == 0
    assert "credentials: invalid" in done.stdout
    assert soundfile.info(out).frames > 0
