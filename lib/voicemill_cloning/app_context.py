"""What the apps of cloned voices share: settings with their `--cache` and `--out`, the registry, judges, the signer."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from voicemill import files
from voicemill.errors import UsageError
from voicemill.lane.load_voice import read_input_text
from voicemill.progress import Observer
from voicemill.settings import Settings
from voicemill.weights.registry import WeightsRegistry
from voicemill.workspace import Workspace
from voicemill_cloning.choice import SWITCH, VoiceChoice, choose_speaker, choose_voice, custom_voice_enabled
from voicemill_cloning.judging import TakeJudges
from voicemill_cloning.opening import EngineOptions, ModelSettings
from voicemill_cloning.registry import SpeakingVoices
from voicemill_cloning.styles import SHIPPED, Instruction, find_instruction
from voicemill_cloning.worker.environment import QwenEnvironment
from voicemill_marks.signer import MarkSigner


@dataclass(frozen=True)
class AppContext:
    """Settings of one command.

    Attributes:
        settings: from the environment.
        cache: cache folder.
        out: folder of results.
        custom_voice: whether the built-in speakers of Qwen3-TTS may be used.
        environment: where Qwen3-TTS runs.
    """

    settings: Settings
    cache: Path
    out: Path
    custom_voice: bool
    environment: QwenEnvironment

    @classmethod
    def read(cls, environ: Mapping[str, str], cache: Path | None = None, out: Path | None = None) -> AppContext:
        """The settings of the environment; options come before them."""
        settings = Settings.from_environment(environ)
        return cls(
            settings,
            cache or settings.workspace.cache,
            out or settings.workspace.work,
            custom_voice_enabled(environ.get(SWITCH)),
            QwenEnvironment.of(environ, settings.repository, cache or settings.workspace.cache),
        )

    @property
    def workspace(self) -> Workspace:
        """Work and cache folder."""
        return Workspace(self.settings.workspace.work, self.cache)

    @property
    def voices(self) -> SpeakingVoices:
        """All voices that can speak."""
        return SpeakingVoices(self.cache, self.settings.paths.promoted_bundles)

    @property
    def weights(self) -> WeightsRegistry:
        """Weights of the allowlist."""
        return WeightsRegistry(self.settings.weights.allowlist, self.workspace.weights_cache, self.settings.repository)

    def judges(self, observer: Observer) -> TakeJudges:
        """Recognisers and encoder; loads no model."""
        return TakeJudges(self.weights, observer)

    def signer(self) -> MarkSigner:
        """Of the metadata of sounds."""
        return MarkSigner.find(self.cache / "marks")

    def instruction(self, text: str | None, style: str | None) -> Instruction:
        """See `styles.find_instruction`."""
        return find_instruction(text, style, self.settings.repository / SHIPPED)

    def choice(self, voice: str | None, speaker: str | None, tone: str | None, instruction: Instruction) -> VoiceChoice:
        """The voice that the options name.

        Raises:
            UsageError: none or two are named, a tone of a speaker, and see `choose_voice` and `choose_speaker`.
        """
        if (voice is None) == (speaker is None):
            raise UsageError(
                "Give either --voice or --speaker.", hint="voice-synth list-voices shows the voices, for example."
            )
        if speaker is not None:
            if tone is not None:
                raise UsageError("--tone belongs to a voice of the registry; --speaker takes --instruct instead.")
            return choose_speaker(speaker, instruction, enabled=self.custom_voice)
        return choose_voice(self.voices, voice or "", tone=tone, instruction=instruction, enabled=self.custom_voice)

    def require_writable(self, folder: Path | None = None, *targets: Path | None) -> None:
        """Refuse results that could not be written, before anything is computed.

        Args:
            folder: of the results; None is `out`.
            targets: further files.

        Raises:
            StorageError: `not_writable:<path>`, `disk_full:<path>`.
        """
        for each in (folder or self.out, self.cache):
            files.require_writable(each)
        for target in targets:
            if target is not None:
                files.require_writable_file(target)

    def engine_options(self, settings: ModelSettings, timeout: float = 0.0) -> EngineOptions:
        """Options of an engine.

        Args:
            settings: of the command line.
            timeout: seconds for one piece of text; 0 for none.
        """
        return EngineOptions(self.weights, self.environment, settings.model, settings.threads, settings.dtype, timeout)


def read_text(text: str | None, file: Path | None, stdin: IO[bytes] | None = None) -> str:
    """The text of the options; a file comes before a text.

    Raises:
        UsageError: neither is given; `text_unreadable`.
    """
    if file is not None:
        return read_input_text(file, stdin or sys.stdin.buffer)
    if text is None:
        raise UsageError("There is no text.", hint="Give it with --text, or a file with --text-file.")
    return text
