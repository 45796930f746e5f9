from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from tests.unit.conftest import Voice

from voicemill.bundle.differences import check_bundle
from voicemill.bundle.export_formats import Format, export_format
from voicemill.bundle.manifest import load_manifest
from voicemill.bundle.piper_format import piper_config
from voicemill.errors import BundleError, UsageError, VoicemillError
from voicemill.settings import REPOSITORY
from voicemill.text.lexicon import PHONES, Lexicon
from voicemill.training.onnx_export import export_voice
from voicemill.training.speaker import Speaker
from voicemill.verify.checklist import verify_bundle
from voicemill.weights.allowlist import SHIPPED
from voicemill_marks.detector import detect
from voicemill_marks.origin import Origin
from voicemill_runtime.bundle import bundle_origin
from voicemill_runtime.graph import VoiceGraph
from voicemill_runtime.voice import Voice as SpeakingVoice

pytestmark = pytest.mark.slow

ARTIFACTS = ("fastpitch.nemo", "hifigan.nemo", "sample.wav", "voice.onnx", "lexicon.txt")
TEXT = "Good morning, thank you for listening."
NAMES = {"ATTRIBUTION.txt", "LICENSES.json", "README.md", "lexicon.txt", "tokens.txt", "voice.onnx"}


@pytest.fixture
def promoted(voice: Voice, exported: Path) -> Path:
    """A promoted bundle with a graph that speaks."""
    for name in ("voice.onnx", "lexicon.txt"):
        shutil.copyfile(exported / name, voice.root / name)
    return voice.publish(artifacts=ARTIFACTS)


def speech(root: Path, text: str, origin: Origin | None = None) -> np.ndarray:
    """A text through our own runtime, with the dictionary of a folder; the watermark is that of the origin."""
    lines = (line.split() for line in (root / "lexicon.txt").read_text().splitlines())
    lexicon = Lexicon({word: tuple(phones) for word, *phones in lines})
    voice = SpeakingVoice(VoiceGraph((root / "voice.onnx").read_bytes()), lexicon, origin)
    return np.concatenate([chunk.samples for chunk in voice.speak(text)])


def spoken(folder: Path) -> np.ndarray:
    """The text through our own runtime, with the exported dictionary."""
    return speech(folder, TEXT)


def sherpa_order(folder: Path) -> list[int]:
    """The tokens of the text in sherpa-onnx's order: a space after each word, marks behind it."""
    lines = (folder / "tokens.txt").read_text(encoding="utf-8").splitlines()
    numbers = {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1]) for line in lines}
    lexicon = dict(line.split(maxsplit=1) for line in (folder / "lexicon.txt").read_text().splitlines())
    symbols: list[str] = []
    for word in TEXT.lower().replace(",", " ,").replace(".", " .").split():
        symbols += [word] if word in ",." else [*lexicon[word].split(), " "]
    return [numbers[symbol] for symbol in symbols]


def test_the_folder_holds_graph_dictionary_and_notices(promoted: Path, tmp_path: Path) -> None:
    names = export_format(promoted, tmp_path / "out", "onnx")
    assert set(names) == NAMES == {path.name for path in (tmp_path / "out").iterdir()}
    assert (tmp_path / "out/ATTRIBUTION.txt").read_bytes() == (promoted / "ATTRIBUTION.txt").read_bytes()
    lexicon = (tmp_path / "out/lexicon.txt").read_text()
    assert "\nb B IY\n" in lexicon
    assert "\nnguyen " in lexicon


def test_the_graph_marks_what_it_speaks(promoted: Path, tmp_path: Path) -> None:
    export_format(promoted, tmp_path / "out", "onnx")
    origin = bundle_origin(promoted)
    assert origin is not None
    theirs = spoken(tmp_path / "out")
    assert np.abs(theirs - speech(promoted, TEXT, origin)).max() < 1e-4
    assert np.abs(theirs - speech(promoted, TEXT)).max() > 1e-2
    assert detect(theirs, 22_050, speeds=False).payload == origin.payload
    assert "watermark" in (tmp_path / "out/README.md").read_text()


def test_a_voice_that_is_unmarked_by_decision_is_exported_with_its_reason(
    voice: Voice, exported: Path, tmp_path: Path
) -> None:
    for name in ("voice.onnx", "lexicon.txt"):
        shutil.copyfile(exported / name, voice.root / name)
    promoted = voice.publish(artifacts=ARTIFACTS, unmarked="a model railway")
    export_format(promoted, tmp_path / "out", "onnx")
    assert (tmp_path / "out/voice.onnx").read_bytes() == (promoted / "voice.onnx").read_bytes()
    assert "Reason: a model railway" in (tmp_path / "out/README.md").read_text()


def test_the_manifests_state_licence_and_opset_of_the_graph(promoted: Path, voice: Voice) -> None:
    model = onnx.load(promoted / "voice.onnx")
    opset = next(entry.version for entry in model.opset_import if entry.domain == "")
    for root in (promoted, voice.root / "built"):
        manifest = json.loads((root / "manifest.json").read_text())
        entries = {entry["path"]: entry for entry in manifest["files"]}
        assert entries["voice.onnx"]["opset"] == opset
        assert "LicenseRef-own-data" in entries["voice.onnx"]["licence"]
        assert entries["lexicon.txt"]["licence"] == "BSD-2-Clause"
        assert "licence" not in entries["sample.wav"]
        assert check_bundle(root).loaded is not None
    assert load_manifest(promoted).artifact_sha256_ok
    assert verify_bundle(promoted, REPOSITORY / SHIPPED).check.ok


def test_sherpas_order_of_tokens_gives_our_samples(promoted: Path, tmp_path: Path) -> None:
    export_format(promoted, tmp_path / "plain", "onnx")
    export_format(promoted, tmp_path / "sherpa", "sherpa-onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "sherpa/voice.onnx"), providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert {facts["model_type"], facts["sample_rate"], facts["add_blank"]} == {"vits", "22050", "0"}
    tokens = np.array([sherpa_order(tmp_path / "sherpa")])
    scales = dict.fromkeys(("noise_scale", "length_scale", "noise_scale_w"), np.ones(1, np.float32))
    (samples,) = session.run(["y"], {"x": tokens, "x_length": np.array([tokens.shape[1]]), **scales})
    ours = spoken(tmp_path / "plain")
    assert samples.shape == (1, 1, len(ours))
    assert np.abs(samples[0, 0] - ours).max() < 1e-5
    (slower,) = session.run(
        ["y"],
        {"x": tokens, "x_length": np.array([tokens.shape[1]]), **scales, "length_scale": np.full(1, 1.5, np.float32)},
    )
    assert 1.3 < slower.shape[2] / len(ours) < 1.7


def piper_ids(folder: Path, phonemes: str) -> list[int]:
    """The ids of eSpeak's phonemes as Piper looks them up: clusters first, padding between them."""
    config = json.loads((folder / "voice.onnx.json").read_text(encoding="utf-8"))
    ids, clusters = config["phoneme_id_map"], {"".join(each) for each in config["vowel_clusters"]}
    found = [*ids["^"], *ids["_"]]
    while phonemes:
        size = next((n for n in (2, 1) if n == 1 or phonemes[:n] in clusters), 1)
        found += [*ids[phonemes[:size]], *ids["_"]]
        phonemes = phonemes[size:]
    return [*found, *ids["$"]]


def test_pipers_phonemes_give_our_samples(promoted: Path, tmp_path: Path) -> None:
    names = export_format(promoted, tmp_path / "piper", "piper")
    assert set(names) == {"ATTRIBUTION.txt", "LICENSES.json", "README.md", "voice.onnx", "voice.onnx.json"}
    ids = np.array([piper_ids(tmp_path / "piper", "ɡʊd mˈɔːɹnɪŋ, t͡ʃˈeɪndʒ.".replace("͡", ""))])
    session = onnxruntime.InferenceSession(str(tmp_path / "piper/voice.onnx"), providers=["CPUExecutionProvider"])
    lengths = np.array([ids.shape[1]])
    feed = {"input": ids, "input_lengths": lengths, "scales": np.array([0, 1, 0], np.float32)}
    (samples,) = session.run(["output"], feed)
    ours = speech(promoted, "Good morning, change.", bundle_origin(promoted))
    assert samples.shape == (1, 1, len(ours))
    assert np.abs(samples[0, 0] - ours).max() < 1e-4
    (slower,) = session.run(["output"], feed | {"scales": np.array([0, 1.5, 0], np.float32)})
    assert 1.3 < slower.shape[2] / len(ours) < 1.7


AFTERWARDS = """
import importlib.util, json
found = audio.samples if "audio" in globals() else samples[0]
print(json.dumps([len(found), float(max(map(abs, found))), importlib.util.find_spec("voicemill") is None]))
"""


@pytest.mark.parametrize("form", ["onnx", "sherpa-onnx"])
def test_the_page_of_an_export_speaks_where_this_repository_is_not(
    form: Format, promoted: Path, tmp_path: Path
) -> None:
    """The tar is unpacked elsewhere, and the code of its page runs there in an isolated interpreter."""
    export_format(promoted, tmp_path / "voice.tar", form)
    with tarfile.open(tmp_path / "voice.tar") as tar:
        tar.extractall(tmp_path / "elsewhere", filter="data")
    folder = tmp_path / "elsewhere/voice"
    (code,) = re.findall(r"```python\n(.+?)```", (folder / "README.md").read_text(), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-I", "-c", code + AFTERWARDS],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    count, peak, alone = json.loads(done.stdout.splitlines()[-1])
    assert count > 22_050 / 10
    assert 1e-3 < peak < 2
    assert alone


@pytest.mark.parametrize("form", ["onnx", "sherpa-onnx", "piper"])
def test_a_tar_holds_the_same_files(form: Format, promoted: Path, tmp_path: Path) -> None:
    names = export_format(promoted, tmp_path / "anna", form)
    for target in (tmp_path / "a/anna.tar", tmp_path / "b/anna.tar"):
        target.parent.mkdir()
        assert export_format(promoted, target, form) == names
    assert (tmp_path / "a/anna.tar").read_bytes() == (tmp_path / "b/anna.tar").read_bytes()
    with tarfile.open(tmp_path / "a/anna.tar") as tar:
        assert tar.getnames() == [f"anna/{name}" for name in names]
        for name in names:
            member = tar.extractfile(f"anna/{name}")
            assert member is not None
            assert member.read() == (tmp_path / "anna" / name).read_bytes()
    with pytest.raises(UsageError) as caught:
        export_format(promoted, tmp_path / "a/anna.tar", form)
    assert caught.value.code == "export_exists"


def test_a_voice_without_english_phones_is_no_piper_voice() -> None:
    tokens = [" ", *(phone for phone in PHONES if phone not in ("ZH", "AA"))]
    with pytest.raises(BundleError) as caught:
        piper_config({"tokens": json.dumps(tokens), "sample_rate": "22050", "hop_length": "256"})
    assert caught.value.reason == "piper_phones_missing:AA,ZH"


def test_an_existing_folder_is_not_replaced(promoted: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError) as caught:
        export_format(promoted, tmp_path / "out", "onnx")
    assert caught.value.code == "export_exists"


def test_a_graph_that_ends_at_the_mel_is_exported_only_for_an_unmarked_voice(
    voice: Voice, mel_speaker: Speaker, tmp_path: Path
) -> None:
    export_voice(mel_speaker, voice.root)
    facts = {
        "artifacts": tuple(name for name in ARTIFACTS if name != "hifigan.nemo"),
        "vocoder": "griffin-lim",
        "vocoder_weights_id": None,
    }
    with pytest.raises(BundleError) as caught:
        export_format(voice.publish(**facts), tmp_path / "out", "onnx")
    assert caught.value.code == "export_not_marked"
    assert not (tmp_path / "out").exists()
    assert "voice.onnx" in export_format(voice.publish(unmarked="a test"), tmp_path / "out", "onnx")


@pytest.mark.parametrize("form", ["sherpa-onnx", "piper"])
def test_a_voice_with_griffin_lim_is_no_voice_of_others(
    form: Format, voice: Voice, mel_speaker: Speaker, tmp_path: Path
) -> None:
    export_voice(mel_speaker, voice.root)
    artifacts = tuple(name for name in ARTIFACTS if name != "hifigan.nemo")
    promoted = voice.publish(artifacts=artifacts, vocoder="griffin-lim", vocoder_weights_id=None)
    with pytest.raises(BundleError) as caught:
        export_format(promoted, tmp_path / "out", form)
    assert caught.value.code == "griffin_lim_not_exportable"
    assert not (tmp_path / "out").exists()


def test_a_bundle_without_a_graph_is_refused(voice: Voice, tmp_path: Path) -> None:
    with pytest.raises(VoicemillError) as caught:
        export_format(voice.publish(), tmp_path / "out", "onnx")
    assert caught.value.code == "bundle_without_graph"


SHERPA = "sherpa-onnx==2.0.1"
SPEAK = """
import sys, numpy, sherpa_onnx
folder, text, out = sys.argv[1:]
paths = {"model": f"{folder}/voice.onnx", "lexicon": f"{folder}/lexicon.txt", "tokens": f"{folder}/tokens.txt"}
model = sherpa_onnx.OfflineTtsModelConfig(vits=sherpa_onnx.OfflineTtsVitsModelConfig(**paths), num_threads=1)
audio = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=model)).generate(text, speed=1.0)
numpy.save(out, numpy.array(audio.samples, dtype=numpy.float32))
"""


@pytest.mark.exhaustive
def test_the_real_sherpa_onnx_gives_our_samples(promoted: Path, tmp_path: Path) -> None:
    """sherpa-onnx from the package index, in an environment of its own."""
    export_format(promoted, tmp_path / "plain", "onnx")
    export_format(promoted, tmp_path / "sherpa", "sherpa-onnx")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", SHERPA, "numpy"]
    subprocess.run(pip, check=True, timeout=600)
    subprocess.run(
        [str(python), "-c", SPEAK, str(tmp_path / "sherpa"), TEXT, str(tmp_path / "samples.npy")],
        check=True,
        timeout=120,
    )
    samples, ours = np.load(tmp_path / "samples.npy"), spoken(tmp_path / "plain")
    assert samples.shape == ours.shape
    assert np.abs(samples - ours).max() < 1e-5
    origin = bundle_origin(promoted)
    assert origin is not None
    assert detect(samples, 22_050, speeds=False).payload == origin.payload
    assert "sherpa_onnx" not in sys.modules


PIPER = "piper-tts==1.8.0"
SPEAK_WITH_PIPER = """
import sys, numpy, piper
folder, text, out = sys.argv[1:]
voice = piper.PiperVoice.load(f"{folder}/voice.onnx")
config = piper.SynthesisConfig(normalize_audio=False)
chunks = list(voice.synthesize(text, config))
print([chunk.phonemes for chunk in chunks])
numpy.save(out, numpy.concatenate([chunk.audio_float_array for chunk in chunks]))
"""


@pytest.mark.exhaustive
def test_the_real_piper_gives_our_samples(promoted: Path, tmp_path: Path) -> None:
    """Piper from the package index, a program of its own in an environment of its own."""
    export_format(promoted, tmp_path / "piper", "piper")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", PIPER]
    subprocess.run(pip, check=True, timeout=600)
    text = "Good morning, change."
    spoken_by_piper = subprocess.run(
        [str(python), "-c", SPEAK_WITH_PIPER, str(tmp_path / "piper"), text, str(tmp_path / "samples.npy")],
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert "Missing phoneme" not in spoken_by_piper.stderr
    samples = np.load(tmp_path / "samples.npy")
    ours = speech(promoted, text, bundle_origin(promoted))
    assert samples.shape == ours.shape
    assert np.abs(samples - ours).max() < 1e-4
