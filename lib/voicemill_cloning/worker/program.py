"""The process of Qwen3-TTS: `python -m voicemill_cloning.worker.program`, with the Python of locks/qwen.

Reads requests from standard input and answers on standard output. What packages print goes to standard error. The
process ends when its standard input is closed, so also when its parent is killed.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
from dataclasses import asdict
from typing import Any, TextIO

from voicemill_cloning.worker import messages


def main() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # packages print to standard output when they are imported
    requests: queue.Queue[tuple[int, messages.Request]] = queue.Queue()
    stop = threading.Event()
    threading.Thread(target=_read, args=(requests, stop), daemon=True).start()
    server = _Server(answers, stop)
    while True:
        server.answer(*requests.get())


def _read(requests: queue.Queue[tuple[int, messages.Request]], stop: threading.Event) -> None:
    for line in sys.stdin:
        identity, request = messages.decode(line)
        if isinstance(request, messages.StopRequest):
            stop.set()
        else:
            requests.put((identity, request))
    os._exit(0)


class _Server:
    def __init__(self, answers: TextIO, stop: threading.Event) -> None:
        self._answers, self._stop = answers, stop
        self._model: Any = None

    def answer(self, identity: int, request: messages.Request) -> None:
        """Fulfil a request and write its answer."""
        self._stop.clear()
        try:
            self._write(identity, result=self._fulfil(identity, request))
        except messages.EngineFailureError as error:
            self._write(identity, error={"reason": error.reason, "message": str(error), "hint": error.hint})
        except Exception as error:  # the boundary of the process: the parent reports it
            self._write(identity, error=_unexpected(error))

    def _fulfil(self, identity: int, request: messages.Request) -> dict[str, Any]:
        try:
            from voicemill_cloning.worker import model
        except ImportError as error:
            raise messages.EngineFailureError(
                f"The environment of Qwen3-TTS is not complete: {error}.",
                reason="runtime_dependency_missing:qwen-tts",
                hint="Remove it, so that it is set up again.",
            ) from error
        if isinstance(request, messages.LoadRequest):
            self._model = None
            gc.collect()  # the old model's memory is free before the new one is loaded
            self._model = model.LoadedQwen.load(request)
            return asdict(self._model.description)
        if self._model is None:
            raise messages.EngineFailureError("No model is loaded.", reason="engine_failed:qwen")
        if isinstance(request, messages.PromptRequest):
            self._model.build_prompt(request)
            return {}
        if isinstance(request, messages.GenerateRequest):
            progress = model.GenerationProgress(self._stop, lambda tokens, of: self._progress(identity, tokens, of))
            return asdict(self._model.generate(request, progress))
        raise messages.EngineFailureError(f"Unknown request {request!r}.", reason="engine_failed:qwen")

    def _progress(self, identity: int, tokens: int, of: int) -> None:
        self._write(identity, progress={"tokens": tokens, "of": of})

    def _write(self, identity: int, **content: object) -> None:
        self._answers.write(json.dumps({"id": identity, **content}) + "\n")


def _unexpected(error: Exception) -> dict[str, str]:
    import traceback

    traceback.print_exception(error, file=sys.stderr)
    name, line = type(error).__name__, (str(error).strip().splitlines() or [""])[0][:300]
    if name == "OutOfMemoryError" or "out of memory" in line.lower():
        return {
            "reason": "out_of_memory",
            "message": "The device's memory does not hold the model and its speech.",
            "hint": "Use a smaller model, a shorter text, or --dtype bfloat16.",
        }
    return {
        "reason": "engine_failed:qwen",
        "message": f"Qwen3-TTS failed with {name}: {line}",
        "hint": "Its whole message is on standard error.",
    }


if __name__ == "__main__":
    main()
