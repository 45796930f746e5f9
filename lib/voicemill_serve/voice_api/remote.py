"""The remote provider `elevenlabs`: a request that names it is spoken by that service, with the operator's key.

Without a key in the environment no text leaves this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from voicemill_serve.voice_api.backend import TIMEOUT_MS, BackendCall, BackendError, one_line

REMOTE_PROVIDER = "elevenlabs"
REQUIRED_VARIABLES = ["ELEVENLABS_API_KEY", "ELEVENLABS_VOICE_ID|voice_profile_id"]
_MEDIA_TYPE = "audio/mpeg"
_VOICE_ID = re.compile(r"[A-Za-z0-9_-]{1,120}")


def is_remote(provider: str) -> bool:
    """Whether a provider's name is that of the remote service."""
    return provider.strip().lower().partition(":")[0] == REMOTE_PROVIDER


@dataclass(frozen=True)
class RemoteVoice:
    """A voice of the remote service and the operator's access to it."""

    voice: str
    key: str
    model: str
    output_format: str
    base: str

    @classmethod
    def find(cls, profile: str, environ: Mapping[str, str] = os.environ) -> RemoteVoice | None:
        """The voice of a request; None where the environment has no key, or there is no voice id.

        Args:
            profile: voice id of the request; empty for `ELEVENLABS_VOICE_ID`.
            environ: see docs/operator-contract.md.

        Raises:
            ValueError: the voice id is none: letters, digits, `-` and `_`.
        """

        def value(name: str, default: str = "") -> str:
            return environ.get(name, "").strip() or default

        key = value("ELEVENLABS_API_KEY") or value("VOICE_ELEVENLABS_API_KEY")
        voice = profile.strip() or value("ELEVENLABS_VOICE_ID")
        if not key or not voice:
            return None
        if not _VOICE_ID.fullmatch(voice):
            raise ValueError("a voice id has letters, digits, - and _ only")
        return cls(
            voice,
            key,
            value("ELEVENLABS_MODEL_ID", "eleven_multilingual_v2"),
            value("ELEVENLABS_OUTPUT_FORMAT", "mp3_44100_128"),
            value("ELEVENLABS_API_BASE", "https://api.elevenlabs.io").rstrip("/"),
        )

    def call(self, text: str, *, stream: bool = False) -> BackendCall:
        """The request that speaks a text."""
        url = f"{self.base}/v1/text-to-speech/{self.voice}" + ("/stream" if stream else "")
        body = {"text": text, "model_id": self.model, "output_format": self.output_format}
        headers = {"accept": _MEDIA_TYPE, "xi-api-key": self.key}
        return BackendCall(url, body, REMOTE_PROVIDER, headers, _MEDIA_TYPE)


class RemoteStream(StreamingResponse):
    """An answer that passes a remote stream on as it arrives, and ends it when the client goes away."""

    def __init__(self, open_stream: _OpenStream, headers: dict[str, str]) -> None:
        media_type = open_stream.answer.headers.get("content-type", _MEDIA_TYPE)
        super().__init__(open_stream.parts(), headers=headers | {"content-type": media_type})
        self._open = open_stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._open.close()


@dataclass(frozen=True)
class _OpenStream:
    stack: contextlib.AsyncExitStack
    answer: httpx.Response

    async def parts(self) -> AsyncIterator[bytes]:
        async for part in self.answer.aiter_bytes():
            yield part

    async def close(self) -> None:
        await self.stack.aclose()


async def open_stream(call: BackendCall) -> _OpenStream:
    """Start a stream of a remote voice; its first bytes have `TIMEOUT_MS` to begin.

    Raises:
        BackendError: the service refuses, cannot be reached, or takes too long.
    """
    details: dict[str, Any] = {"provider": call.provider}
    stack = contextlib.AsyncExitStack()
    try:
        async with asyncio.timeout(TIMEOUT_MS / 1000):
            client = httpx.AsyncClient(timeout=TIMEOUT_MS / 1000, trust_env=False)
            await stack.enter_async_context(client)
            sent = client.stream("POST", call.url, json=call.body, headers=call.headers)
            answer = await stack.enter_async_context(sent)
            if not answer.is_success:
                details["body"] = one_line((await answer.aread()).decode("utf-8", "replace"))
                status = answer.status_code if answer.status_code < 500 else 502
                raise BackendError(status, "voice_backend_error", "The remote service refused.", details)
    except BackendError:
        await stack.aclose()
        raise
    except (TimeoutError, httpx.TimeoutException) as error:
        await stack.aclose()
        raise BackendError(504, "voice_backend_timeout", "The remote service took too long.", details) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        await stack.aclose()
        raise BackendError(502, "voice_backend_error", "The remote service cannot be reached.", details) from error
    return _OpenStream(stack, answer)
