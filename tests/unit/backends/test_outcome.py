from __future__ import annotations

import dataclasses
from pathlib import Path

from voicemill.backends.outcome import recordings_notice
from voicemill.bundle.attribution import attribution_text
from voicemill.dataset.prepare import PreparedDataset
from voicemill.dataset.rights import Rights


def test_consent_and_licence_reach_the_attribution(prepared: PreparedDataset, tmp_path: Path) -> None:
    assert recordings_notice(prepared, None) == ""
    (tmp_path / "notice.txt").write_text("Shipped notice.\n")
    held = Rights(consent="I, Ann, agree.", consent_sha256="ab" * 32, licence="CC-BY-4.0")
    stating = dataclasses.replace(prepared, description=prepared.description.model_copy(update={"rights": held}))
    text = attribution_text([], recordings_notice(stating, tmp_path / "notice.txt"))
    wanted = ("Training recordings", "Shipped notice.", "CC-BY-4.0", "ab" * 32, "I, Ann, agree.")
    places = [text.index(part) for part in wanted]
    assert places == sorted(places)
