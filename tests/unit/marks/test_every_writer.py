"""Every place that writes sound is known: what is synthetic carries its marks, and a test of it says so.

A new call that writes sound fails here until it is listed. `MARKED` names the test that reads the marks back.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from voicemill.settings import REPOSITORY

_WRITES = re.compile(
    r"soundfile\.write\(|SoundFile\([^)\n]*\"w\"|\bwave\.open\(|\bsound_bytes\(|\bmarked_bytes\(|\bwrite_take\(|synthesise_to_file\("
)
MARKED = {
    "apps/voice-train-prod/say_command.py": "tests/unit/runtime/test_marked_speech.py::test_voice_verify_finds_the_voice",
    "lib/voicemill/lane/marked_sounds.py": "tests/unit/lane/test_marked_sounds.py::test_a_report_marks_the_voice_and_not_the_recording",
    "lib/voicemill/lane/steps.py": "tests/unit/lane/test_marked_sounds.py::test_the_sample_of_a_promoted_bundle_has_its_metadata_beside_the_bundle",
    "lib/voicemill_cloning/clone_results.py": "tests/unit/cloning/test_clone_apps.py::test_a_recording_becomes_a_voice_that_speaks",
    "lib/voicemill_cloning/designing.py": "tests/unit/cloning/test_clone_apps.py::test_a_designed_voice",
    "lib/voicemill_cloning/marked_files.py": "tests/unit/cloning/test_voice_synth.py::test_a_take_its_record_and_its_marks",
    "lib/voicemill_cloning/results.py": "tests/unit/cloning/test_voice_synth.py::test_a_take_its_record_and_its_marks",
    "lib/voicemill_runtime/sound_files.py": "tests/unit/marks/test_credentials.py::test_c2pas_own_reader_finds_the_claims",
    "lib/voicemill_serve/encoders.py": "tests/unit/serve/test_marked_answers.py::test_a_whole_file_has_signed_metadata",
    "lib/voicemill_serve/voice_api/routes.py": "tests/unit/serve/test_marked_answers.py::test_every_stream_has_the_watermark",
    "lib/voicemill_studio/sounds.py": "tests/unit/studio/test_listen.py::test_downloads",
}
"""Synthetic speech that leaves the program."""
PEOPLE = {
    "lib/voicemill/audio/decode.py",
    "lib/voicemill/audio/separation.py",
    "lib/voicemill/dataset/stages/clips.py",
    "lib/voicemill/dataset/stages/separation.py",
    "lib/voicemill/dataset/word_edges.py",
    "lib/voicemill/evaluation/pages.py",
    "lib/voicemill/verify/audio_marks.py",
    "lib/voicemill_cloning/references.py",
    "lib/voicemill_cloning/splitting.py",
    "lib/voicemill_musicgen/dataset.py",
}
"""Recordings that were given to the program, decoded, cut or cleaned."""
INTERNAL = {
    "lib/voicemill/synthesis/speech.py": "a temporary file of `say`, which marks it",
    "lib/voicemill_cloning/worker/model.py": "a temporary file between two processes; the other one marks it",
    "lib/voicemill_cloning/teaching.py": "recordings for a training, with synthetic_speech.json, which names the teacher",
}


def writers() -> set[str]:
    """The modules that write sound, relative to the repository."""
    found = set()
    for folder in ("lib", "apps"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            code = re.sub(r"^\s*(def|from|import) .*$", "", path.read_text(encoding="utf-8"), flags=re.M)
            if _WRITES.search(code):
                found.add(path.relative_to(REPOSITORY).as_posix())
    return found


def test_every_module_that_writes_sound_is_listed() -> None:
    assert writers() == set(MARKED) | PEOPLE | set(INTERNAL)


@pytest.mark.parametrize("module", sorted(MARKED))
def test_the_test_of_its_marks_exists(module: str) -> None:
    path, _, name = MARKED[module].partition("::")
    text = (REPOSITORY / Path(path)).read_text(encoding="utf-8")
    assert f"def {name}" in text
    assert re.search(r"detect|inspect_audio|c2pa|read_credentials|voice-verify|x-voice-marks", text)
