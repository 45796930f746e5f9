"""Run by the Python that has `vastai`: requests as JSON lines on stdin, answers as JSON lines on stdout.

A program of its own, because the vendor's client pins versions that are not ours (docs/adr/0010). Key and registry
token come on stdin and are on no command line and in no environment.
"""

from __future__ import annotations

import json
import sys
from typing import Any

TIMEOUT_SECONDS = 60
CALLS = ("search_offers", "create_instance", "show_instances_v1", "destroy_instance", "attach_ssh")


def main() -> int:
    """Answer until stdin ends."""
    from requests.exceptions import HTTPError, RequestException
    from vastai.sdk import VastAI

    answers, sys.stdout = sys.stdout, sys.stderr  # what the client prints is no answer
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        answer: dict[str, Any] = {"id": asked["id"]}
        try:
            if asked["call"] not in CALLS:
                raise ValueError("no such call")
            vast = VastAI(api_key=asked["key"], server_url=asked["server"], retry=asked["retry"])
            vast.client.timeout = TIMEOUT_SECONDS
            answer["value"] = getattr(vast, asked["call"])(**asked["arguments"])
        except HTTPError as error:
            answer |= {"status": getattr(error.response, "status_code", -1), "message": _message(error)}
        except RequestException as error:
            answer |= {"status": 0, "message": str(error)}
        except Exception as error:  # the process boundary: whatever the client meets is an answer
            answer |= {"status": -1, "message": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()
    return 0


def _message(error: Any) -> str:
    try:
        return str(error.response.json().get("msg") or error.response.json().get("error") or error)
    except (ValueError, AttributeError):
        return str(error)


if __name__ == "__main__":
    raise SystemExit(main())
