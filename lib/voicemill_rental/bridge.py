"""A program for the Python that has `vastai`: requests as JSON lines on stdin, responses as JSON lines on stdout.

A separate program, because the vendor's client pins versions that conflict with this project's (docs/adr/0010). The
key and the registry token arrive on stdin, never on a command line or in the environment.
"""

from __future__ import annotations

import json
import sys
from typing import Any

TIMEOUT_SECONDS = 60
CALLS = ("search_offers", "create_instance", "show_instances_v1", "destroy_instance", "attach_ssh")


def main() -> int:
    """Serve requests until stdin ends."""
    from requests.exceptions import HTTPError, RequestException
    from vastai.sdk import VastAI

    responses, sys.stdout = sys.stdout, sys.stderr  # the client prints too
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        response: dict[str, Any] = {"id": request["id"]}
        try:
            if request["call"] not in CALLS:
                raise ValueError("unknown call")
            vast = VastAI(api_key=request["key"], server_url=request["server"], retry=request["retry"])
            vast.client.timeout = TIMEOUT_SECONDS
            response["value"] = getattr(vast, request["call"])(**request["arguments"])
        except HTTPError as error:
            response |= {"status": getattr(error.response, "status_code", -1), "message": _message(error)}
        except RequestException as error:
            response |= {"status": 0, "message": str(error)}
        except Exception as error:  # the process boundary: every error of the client is a response
            response |= {"status": -1, "message": f"{type(error).__name__}: {error}"}
        responses.write(json.dumps(response, default=str) + "\n")
        responses.flush()
    return 0


def _message(error: Any) -> str:
    try:
        return str(error.response.json().get("msg") or error.response.json().get("error") or error)
    except (ValueError, AttributeError):
        return str(error)


if __name__ == "__main__":
    raise SystemExit(main())
