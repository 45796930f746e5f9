"""The process of Qwen3-TTS, seen from voicemill: started once, asked many times, ended with its owner."""

from __future__ import annotations

import collections
import contextlib
import json
import queue
import subprocess
import threading
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from voicemill.errors import BlockedError, DependencyError, UsageError, VoicemillError
from voicemill_cloning.worker import messages

LIBRARY = Path(__file__).resolve().parents[2]
"""The folder `lib`, from which the process imports its own program."""
_OWN = ("TORCH_", "CUDA_", "NVIDIA_", "OMP_", "LD_LIBRARY_PATH", "PATH", "HOME", "TMPDIR", "LANG", "LC_")
"""Beginnings of the variables that the process gets; tokens and keys are not among them."""
_USAGE = (
    "bad_usage",
    "unknown_speaker",
    "language_not_spoken",
    "reference_",
    "instruct_",
    "prompt_",
    "gpu_unavailable",
)
"""Beginnings of reasons that the caller can mend: exit code 1."""
_END_SECONDS = 5.0
_LAST_LINES = 40


class QwenProcess:
    """One process with one loaded model. Use it in a `with` statement.

    The process is started by the first request. It ends when this object is closed, and by itself when this process
    ends in any way, because its standard input is then closed.
    """

    def __init__(self, python: Path, environment: Mapping[str, str]) -> None:
        """
        Args:
            python: of the environment of locks/qwen.
            environment: variables of this process, of which a few are passed on.
        """
        self._python = python
        self.variables = {name: value for name, value in environment.items() if name.startswith(_OWN)}
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._lines: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self._threads: tuple[threading.Thread, ...] = ()
        self._next = 1

    def __enter__(self) -> QwenProcess:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process is not None else None

    def load(self, request: messages.LoadRequest) -> messages.LoadedModel:
        """Load a model; errors as in `ask`."""
        answer = self.ask(request)
        names = {"languages": tuple(answer["languages"]), "speakers": tuple(answer["speakers"])}
        return messages.LoadedModel(**(answer | names))

    def generate(
        self, request: messages.GenerateRequest, progress: Callable[[int, int], object] = lambda tokens, of: None
    ) -> messages.Generated:
        """Speak a text; errors as in `ask`.

        Args:
            request: the text and the file to write.
            progress: called with the number of frames so far and the largest possible one.
        """
        return messages.Generated(**self.ask(request, progress))

    def ask(
        self, request: messages.Request, progress: Callable[[int, int], object] = lambda tokens, of: None
    ) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            UsageError: the caller can mend it: an unknown speaker or language, a reference without text.
            BlockedError: the model or the process failed; `worker_died` where the system ended it.
        """
        process = self.start()
        identity, self._next = self._next, self._next + 1
        self._send(process, messages.encode(identity, request))
        while True:
            answer = self._answers.get()
            if answer is None:
                raise self._died(process)
            if answer.get("id") != identity:
                continue
            if "progress" in answer:
                progress(int(answer["progress"]["tokens"]), int(answer["progress"]["of"]))
            elif "error" in answer:
                raise _error(answer["error"])
            else:
                return dict(answer["result"])

    def stop(self) -> None:
        """Stop the running generation from another thread; `generate` then returns what there is."""
        if self._process is not None:
            self._send(self._process, messages.encode(0, messages.StopRequest()))

    def close(self) -> None:
        """End the process: close its input, wait, then kill it."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(_END_SECONDS)

    def start(self) -> subprocess.Popen[str]:
        """Start the process, if it does not run.

        Raises:
            BlockedError: `engine_failed:qwen`.
        """
        if self._process is not None:
            return self._process
        variables = self.variables | {
            "PYTHONPATH": str(LIBRARY),
            "PYTHONUNBUFFERED": "1",
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        try:
            process = subprocess.Popen(
                [str(self._python), "-m", "voicemill_cloning.worker.program"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=variables,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then closes the other one
            )
        except OSError as error:
            raise BlockedError(
                f"Qwen3-TTS could not be started: {error.strerror}: {self._python}.",
                reason="engine_failed:qwen",
                hint="Remove its environment, so that it is set up again.",
            ) from error
        self._process, self._answers = process, queue.Queue()
        self._threads = (
            threading.Thread(target=self._read_answers, args=(process, self._answers), daemon=True),
            threading.Thread(target=self._read_lines, args=(process,), daemon=True),
        )
        for thread in self._threads:
            thread.start()
        return process

    def _send(self, process: subprocess.Popen[str], line: str) -> None:
        pipe = typing.cast(IO[str], process.stdin)
        try:
            pipe.write(line)
            pipe.flush()
        except (OSError, ValueError) as error:
            raise self._died(process) from error

    @staticmethod
    def _read_answers(process: subprocess.Popen[str], answers: queue.Queue[dict[str, Any] | None]) -> None:
        with typing.cast(IO[str], process.stdout) as pipe:
            for line in pipe:
                with contextlib.suppress(ValueError):
                    answers.put(json.loads(line))
        answers.put(None)

    def _read_lines(self, process: subprocess.Popen[str]) -> None:
        with typing.cast(IO[str], process.stderr) as pipe:
            for line in pipe:
                self._lines.append(line.rstrip())

    def _died(self, process: subprocess.Popen[str]) -> BlockedError:
        """The error of a process that has ended without an answer."""
        self.close()
        code = process.returncode
        if code is not None and code < 0:
            return BlockedError(
                f"The process of Qwen3-TTS was ended by the system (signal {-code}).",
                reason="worker_died",
                hint="This usually means too little memory: close other programs, or use the 0.6B model.",
            )
        last = next((line for line in reversed(self._lines) if line.strip()), f"exit code {code}")
        return BlockedError(
            f"The process of Qwen3-TTS ended: {last}",
            reason="engine_failed:qwen",
            hint="Start again; if it happens again, remove its environment, so that it is set up again.",
        )


def _error(answer: Mapping[str, str]) -> VoicemillError:
    reason, message, hint = answer["reason"], answer["message"], answer.get("hint", "")
    if reason.startswith("runtime_dependency_missing"):
        return DependencyError(message, reason=reason, hint=hint)
    if reason.startswith(_USAGE):
        return UsageError(message, reason=reason, hint=hint)
    return BlockedError(message, reason=reason, hint=hint)
