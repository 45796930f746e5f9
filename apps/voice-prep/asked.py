"""What the options of `voice-prep prepare` ask for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from model_options import models

if TYPE_CHECKING:
    from voicemill.dataset.prepare import PrepareRequest
    from voicemill.settings import Settings


def request_of(options: Mapping[str, object], settings: Settings) -> PrepareRequest:
    """The request, preset and options put together; an option wins."""
    from voicemill.audio.download import parse_source
    from voicemill.audio.timestamps import parse_time_range
    from voicemill.dataset.limits import with_changes
    from voicemill.dataset.prepare import PrepareRequest
    from voicemill.dataset.presets import SHIPPED, load_preset
    from voicemill.voices.rights import parse_rights

    lengths = {"min_duration": options["min_seconds"], "max_duration": options["max_seconds"]}
    preset = load_preset(
        settings.repository / SHIPPED,
        str(options["preset"]),
        {name: cast(float, value) for name, value in lengths.items() if value is not None},
    )
    audio, url = parse_source(options["audio"])
    start, end = parse_time_range(cast("str | None", options["start"]), cast("str | None", options["end"]))
    return PrepareRequest(
        audio=audio,
        url=url,
        start=start,
        end=end,
        **{name: cast("Path | None", options[name]) for name in ("script", "metadata", "dataset", "lexicon")},
        tier=cast("str | None", options["tier"]),
        voice=str(options["voice"] or settings.voice_profile_id),
        seed=cast(int, options["seed"]),
        sample_rate=cast(int, options["sample_rate"]),
        limits=preset.segmentation,
        quality=with_changes(preset.quality, cast("tuple[str, ...]", options["changes"])),
        keep_rejected=bool(options["keep_rejected"]),
        **models(options, settings),
        target_lufs=cast(float, options["loudness"]),
        force=bool(options["force"]),
        workers=cast("int | None", options["workers"]),
        device=str(options["device"]),
        ray=cast("str | None", options["ray"]),
        rights=parse_rights(cast("str | None", options["consent"]), cast("str | None", options["licence"])),
    )
