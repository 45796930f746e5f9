"""Errors as HTTP answers: `{"error", "message"}`, and OpenAI's shape below `/v1`."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from voicemill.errors import RefusedError, VoicemillError

JSON_TYPE = "application/json; charset=utf-8"
CROSS_ORIGIN = "/api/voice/"
"""Pages of other origins may call these paths; all of their answers have the headers `CORS`."""
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Authorization, X-Tenant-Id, X-Customer-Id",
}
_STATUS = {
    "voice_unknown": 404,
    "version_unknown": 404,
    "voice_in_training": 409,
    "model_not_found": 404,
    "voice_not_served": 503,
    "server_busy": 503,
    "speech_timeout": 504,
    "text_too_long": 400,
    "text_invalid": 400,
    "nothing_to_say": 400,
    "markup_unsupported": 400,
    "bad_usage": 400,
    "sound_format": 400,
    "rate_limited": 429,
    "body_too_large": 413,
    "body_timeout": 408,
    "unauthorized": 401,
    "foreign_host": 403,
    "foreign_origin": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "training_unavailable": 503,
    "jobs_busy": 503,
    "upload_offset": 409,
    "upload_busy": 409,
    "upload_too_large": 413,
    "upload_unknown": 404,
    "draft_unknown": 404,
    "session_unknown": 404,
    "sentence_unknown": 404,
    "take_unknown": 404,
    "dataset_changed": 409,
    "dataset_not_found": 404,
    "no_such_clip": 404,
    "disk_full": 507,
}
"""Status of a stable reason. Of others, a refusal is 400, and the rest a failure of the server, 500."""
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
RETRY_AFTER = 1
"""Seconds after which a client may try again where the server is busy."""


class RequestRefusedError(VoicemillError):
    """A request that is not answered with what it asks for.

    Attributes:
        parameter: the field of the request that is wrong; empty where none is.
    """

    def __init__(self, message: str, *, reason: str, hint: str = "", parameter: str = "") -> None:
        super().__init__(message, reason=reason, hint=hint)
        self.parameter = parameter


def status_of(error: VoicemillError) -> int:
    """The HTTP status of an error."""
    return _STATUS.get(error.code, 400 if isinstance(error, RefusedError) else 500)


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Compact JSON that is not stored by caches."""
    response = JSONResponse(body, status, {"Cache-Control": "no-store", **(headers or {})})
    response.headers["Content-Type"] = JSON_TYPE
    return response


def refusal(path: str, error: VoicemillError, status: int | None = None) -> Response:
    """The answer to a refused request, in the shape that clients of the path expect."""
    status = status or status_of(error)
    message = f"{error} {error.hint}".strip()
    headers = {"X-Voicemill-Reason": error.code, **(CORS if path.startswith(CROSS_ORIGIN) else {})}
    if status in (429, 503):
        headers["Retry-After"] = str(RETRY_AFTER)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if path == "/v1" or path.startswith("/v1/"):
        kind = _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
        parameter = getattr(error, "parameter", "") or None
        code = "invalid_api_key" if status == 401 else error.code
        body: dict[str, Any] = {"error": {"message": message, "type": kind, "param": parameter, "code": code}}
    elif error.code == "not_found":
        body = {"error": "not_found"}
    else:
        body = {"error": error.code, "message": message}
    return json_response(body, status, headers)
