from __future__ import annotations

import pytest

from voicemill.errors import AudioError
from voicemill_musicgen import sources

BIG, SMALL = b"\x01" * (sources.MIN_BYTES + 1), b"\x01" * sources.MIN_BYTES


def refused(settings):
    with pytest.raises(AudioError) as caught:
        sources.find(settings)
    assert caught.value.exit_code == 1
    return caught.value.reason


def test_the_demo_is_the_default(settings, demo_audio):
    assert sources.find(settings()) == (demo_audio,)


def test_a_recording_must_be_real(settings, tmp_path):
    path = tmp_path / "a.wav"
    assert refused(settings(AUDIO_PATH=path)) == "missing_audio_path"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n" + " " * 99)
    assert refused(settings(AUDIO_PATH=path)) == "audio_lfs_pointer"
    for content in (b"", SMALL):
        path.write_bytes(content)
        assert refused(settings(AUDIO_PATH=path)) == "audio_too_small"
    path.write_bytes(BIG)
    assert sources.find(settings(AUDIO_PATH=path)) == (path,)


def test_a_folder_counts_as_a_whole(settings, tmp_path):
    folder = tmp_path / "in"
    assert refused(settings(KNOWLEDGE_SOURCE_DIR=folder)) == "missing_audio_path"
    folder.mkdir()
    (folder / "notes.txt").write_text("no sound")
    assert refused(settings(KNOWLEDGE_SOURCE_DIR=folder)) == "missing_audio_path"
    (folder / "b.wav").write_bytes(SMALL)
    assert refused(settings(KNOWLEDGE_SOURCE_DIR=folder)) == "audio_too_small"
    (folder / "a.FLAC").write_bytes(SMALL)
    assert sources.find(settings(KNOWLEDGE_SOURCE_DIR=folder)) == (folder / "a.FLAC", folder / "b.wav")
    (tmp_path / "own.wav").write_bytes(BIG)
    both = settings(KNOWLEDGE_SOURCE_DIR=folder, AUDIO_PATH=tmp_path / "own.wav")
    assert sources.find(both) == (folder / "a.FLAC", folder / "b.wav", tmp_path / "own.wav")
    assert refused(settings(KNOWLEDGE_SOURCE_DIR=folder, AUDIO_PATH=folder / "b.wav")) == "audio_too_small"
    (folder / "c.wav").write_text("version https://git-lfs.github.com/spec/v1\n" + " " * 99)
    assert refused(settings(KNOWLEDGE_SOURCE_DIR=folder)) == "audio_lfs_pointer"
