from __future__ import annotations

import json
from pathlib import Path

import pytest

from voicemill.errors import ConfigError
from voicemill.evaluation.other_speakers import PROFILES, SpeakerFile, shipped_profiles
from voicemill.metrics.speaker import StoredProfile, speaker_distance, speaker_profile


def test_the_shipped_speakers_are_others_than_the_demo_s_and_differ(repository: Path) -> None:
    profiles = shipped_profiles(repository)
    assert len(profiles) >= 2
    assert "slt" not in profiles
    names = sorted(profiles)
    for index, name in enumerate(names):
        for other in names[index + 1 :]:
            assert speaker_distance(profiles[name], profiles[other]) > 0.3


@pytest.mark.parametrize("content", [None, "", "{}", '{"version": "voicemill_speakers/2", "speakers": []}'])
def test_a_missing_or_broken_file_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / PROFILES
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        shipped_profiles(tmp_path)
    assert caught.value.reason == "speakers_invalid"


def test_a_written_file_is_read_back(tmp_path: Path, talk) -> None:
    profile = speaker_profile([talk()])
    stored = SpeakerFile(speakers=(StoredProfile.of("one", "a test", profile),))
    path = tmp_path / PROFILES
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(stored.model_dump()), encoding="utf-8")
    assert shipped_profiles(tmp_path)["one"].frames == profile.frames
