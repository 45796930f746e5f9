from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest
import soundfile

from voicemill.audio.decode import decode
from voicemill.errors import AudioError, DatasetError
from voicemill.progress import SilentObserver
from voicemill.verify import schemas
from voicemill_musicgen import dataset


@pytest.fixture(scope="module")
def recording(tmp_path_factory, demo_audio):
    """Twenty-five seconds of the demo, ten of silence in between, at a rate that is not MusicGen's."""
    path = tmp_path_factory.mktemp("in") / "ä b.wav"
    decode(demo_audio, path, sample_rate=22050, start=0.0, end=25.0)
    samples, rate = soundfile.read(path)
    soundfile.write(path, np.concatenate([samples[: 10 * rate], np.zeros(10 * rate), samples[10 * rate :]]), rate)
    return path


def refused(manifest):
    with pytest.raises(DatasetError) as caught:
        dataset.read(manifest)
    assert caught.value.hint
    return caught.value.reason.partition(":")[0]


def test_pieces_of_real_sound(recording, tmp_path):
    manifest = tmp_path / "out/voice_dataset_manifest.json"
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("stays")
    made = dataset.prepare([recording], manifest, SilentObserver())
    assert [(clip.start, clip.duration) for clip in made.entries] == [(0.0, 10.0), (20.0, 10.0)]
    assert (made.silent, made.total_seconds, made.sources[0].duration) == (1, 20.0, 35.0)
    found, paths = dataset.read(manifest)
    assert found == made
    for path in paths:
        info = soundfile.info(path)
        assert (info.samplerate, info.frames, info.channels) == (32000, 320000, 1)
    text = manifest.read_text(encoding="utf-8")
    schema = schemas.schema(dataset.VoiceDataset)
    jsonschema.validate(json.loads(text), schema)
    assert str(tmp_path) not in text
    assert '"source": "ä b.wav"' in text
    first = manifest.read_bytes()
    dataset.prepare([recording], manifest, SilentObserver())
    assert manifest.read_bytes() == first, "the same recording gives the same bytes"
    assert {path.name for path in manifest.parent.iterdir()} == {"mine.txt", manifest.name, dataset.CLIPS}


def test_too_little_sound_leaves_nothing(tmp_path, clip):
    manifest = tmp_path / "out/voice_dataset_manifest.json"
    with pytest.raises(DatasetError) as caught:
        dataset.prepare([clip], manifest, SilentObserver())
    assert caught.value.reason == "dataset_no_valid_audio"
    (tmp_path / "noise.wav").write_bytes(b"\1" * 6_000_000)
    with pytest.raises(AudioError) as bad:
        dataset.prepare([tmp_path / "noise.wav"], manifest, SilentObserver())
    assert bad.value.reason == "audio_unreadable"
    assert list(manifest.parent.iterdir()) == []


def test_a_manifest_is_believed_only_as_far_as_it_can_be_checked(recording, tmp_path):
    manifest = tmp_path / "voice_dataset_manifest.json"
    assert refused(manifest) == "dataset_manifest_missing"
    dataset.prepare([recording], manifest, SilentObserver())
    document = json.loads(manifest.read_text(encoding="utf-8"))

    def rewrite(**changes):
        manifest.write_text(json.dumps(document | changes), encoding="utf-8")

    for changes in ({"mode": "other"}, {"typo": 1}, {"entries": [document["entries"][0] | {"path": "../x.wav"}]}):
        rewrite(**changes)
        assert refused(manifest) == "dataset_manifest_invalid"
    manifest.write_text("{")
    assert refused(manifest) == "dataset_manifest_invalid"
    rewrite(entries=[])
    assert refused(manifest) == "dataset_no_valid_audio"
    rewrite()
    path = tmp_path / document["entries"][1]["path"]
    data = path.read_bytes()
    path.write_bytes(data[:-2] + b"\1\1")
    assert refused(manifest) == "dataset_invalid"
    path.unlink()
    assert refused(manifest) == "missing_clip"
