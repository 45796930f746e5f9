"""The Python of locks/qwen: in an image a fixed place, elsewhere a virtual environment made at its first use."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from voicemill.errors import DependencyError

LOCK = Path("locks/qwen/requirements.txt")
"""Relative to the repository."""
_SCRIPT = Path("scripts/qwen-environment.sh")


@dataclass(frozen=True)
class QwenEnvironment:
    """Where Qwen3-TTS runs.

    Attributes:
        repository: root of the checkout, or of the image's copy of it.
        cache: the cache folder.
        given: VOICEMILL_QWEN_PYTHON, a Python that has the packages; the image sets it.
        in_image: VOICEMILL_IN_IMAGE: nothing is installed.
        device: TORCH_DEVICE, or `auto`.
        variables: of this process, for the other one.
    """

    repository: Path
    cache: Path
    given: Path | None = None
    in_image: bool = False
    device: str = "auto"
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, environ: Mapping[str, str], repository: Path, cache: Path) -> QwenEnvironment:
        """From the environment, for an entry point."""
        given = environ.get("VOICEMILL_QWEN_PYTHON", "").strip()
        return cls(
            repository,
            cache,
            given=Path(given) if given else None,
            in_image=bool(environ.get("VOICEMILL_IN_IMAGE")),
            device=environ.get("TORCH_DEVICE", "").strip() or "auto",
            variables=dict(environ),
        )

    @property
    def folder(self) -> Path:
        """Of the virtual environment outside images, named after its lock."""
        digest = hashlib.sha256((self.repository / LOCK).read_bytes()).hexdigest()
        return self.cache / "environments" / f"qwen-{digest[:16]}"

    def python(self) -> Path:
        """The Python, set up now where that is needed; its progress goes to standard error.

        Raises:
            DependencyError: `runtime_dependency_missing:qwen-tts`.
        """
        if self.given is not None:
            return self.given
        if self.in_image:
            raise _missing(
                "This image has no Qwen3-TTS.",
                "Start through ./run, which builds the image that has it, or build it: docker/build.sh qwen.",
            )
        folder = self.folder.absolute()
        done = subprocess.run(
            ["bash", str(self.repository / _SCRIPT), str(folder), sys.executable],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=False,
        )
        if done.returncode:
            raise _missing(
                "The environment of Qwen3-TTS could not be set up; the lines above name the cause.",
                f"Start again to go on where it stopped; the whole log is {folder / 'setup.log'}.",
            )
        return folder / "bin" / "python"


def _missing(message: str, hint: str) -> DependencyError:
    return DependencyError(message, reason="runtime_dependency_missing:qwen-tts", hint=hint)
