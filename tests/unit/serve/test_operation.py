"""What operators and attackers see: hosts, origins, tokens, limits, logs, metrics, the end."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.unit.serve.conftest import APP, LONG, TEXT, Server, Start

from voicemill.errors import UsageError
from voicemill_serve.guard import AccessLog, Rates, host_name
from voicemill_serve.metrics import Histogram
from voicemill_serve.server import listen
from voicemill_serve.settings import ServeSettings, Tokens, require_token_beyond_loopback

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef" * 2
SPEECH = {"model": "tts-1", "voice": "anna", "input": LONG, "response_format": "pcm"}


def test_metrics_are_prometheus_text(server: Server) -> None:
    server.post("/speak", {"text": TEXT})
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    rows = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert float(rows['voicemill_requests_total{route="/speak",status="200"}']) >= 1
    assert float(rows["voicemill_first_sound_seconds_count"]) >= 1
    assert float(rows['voicemill_first_sound_seconds_bucket{le="+Inf"}']) == float(
        rows["voicemill_first_sound_seconds_count"]
    )
    assert float(rows["voicemill_sound_seconds_total"]) > 1
    assert float(rows["voicemill_voices_loaded"]) == 1
    assert float(rows["voicemill_resident_bytes"]) > 1e7


def test_a_histogram_counts_below_each_bound() -> None:
    histogram = Histogram("x", "x", (1.0, 2.0))
    for figure in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(figure)
    assert histogram.lines() == [
        'x_bucket{le="1.0"} 2',
        'x_bucket{le="2.0"} 3',
        'x_bucket{le="+Inf"} 4',
        "x_sum 12.000000",
        "x_count 4",
    ]


def test_the_log_has_figures_and_no_text(server: Server) -> None:
    server.post("/speak", {"text": "A secret about the harbour."})
    # The module shares the server, and a row may come after its answer: the row is known by its length.
    found = wait_for_log(server, "/speak", characters=27)[-1]
    assert found["status"] == 200
    assert found["voice"] == "anna"
    assert found["sound_seconds"] > 0.5
    assert "harbour" not in "".join(server.lines)


def test_the_text_is_logged_where_the_operator_asks_for_it(start: Start, certified: Path) -> None:
    server = start(certified, "--log-text")
    server.post("/speak", {"text": "A harbour."})
    assert wait_for_log(server, "/speak")[-1]["text"] == "A harbour."


def wait_for_log(server: Server, path: str, **figures: object) -> list[dict[str, object]]:
    wanted = {"path": path, **figures}
    for _ in range(200):
        rows = [row for row in server.log if wanted.items() <= row.items()]
        if rows:
            return rows
        time.sleep(0.02)
    raise AssertionError(server.lines)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:5051", "[::2]", "a]b", ""])
def test_a_foreign_host_is_refused(server: Server, host: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(str(server.started["port"])))
    connection.putrequest("POST", "/speak", skip_host=True)
    connection.putheader("Host", host)
    connection.putheader("Content-Length", "2")
    connection.endheaders(b"{}")
    answer = connection.getresponse()
    assert answer.status in (400, 403)
    assert answer.status == 400 or json.loads(answer.read())["error"] == "foreign_host"
    connection.close()


def test_a_page_of_another_origin_is_refused(server: Server) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1", "http://[", server.url.replace("http", "ftp")):
        answer = server.post("/v1/audio/speech", SPEECH, headers={"Origin": origin})
        if answer.status_code == 200:
            assert origin.startswith("ftp")
            continue
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin")
    assert server.post("/speak", {"text": TEXT}, headers={"Origin": server.url}).status_code == 200


def test_tokens(start: Start, certified: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.txt"
    tokens.write_text(f"# ours\n{TOKEN}\n\nanother-token-of-ours\n")
    server = start(certified, "--token-file", str(tokens))
    for given in ({}, {"Authorization": TOKEN}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": "Bearer x"}):
        answer = server.get("/v1/models", headers=given)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert server.get("/health").json()["error"] == "unauthorized"
    assert server.get("/ready").status_code == 200
    for token in (TOKEN, "another-token-of-ours"):
        assert server.get("/v1/models", headers={"Authorization": f"bearer {token}"}).status_code == 200


def test_every_token_is_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import hmac

    path = tmp_path / "tokens"
    path.write_text("\n".join(f"{number}{TOKEN}" for number in range(5)))
    tokens, compared = Tokens.read(path), []
    real = hmac.compare_digest
    monkeypatch.setattr(
        hmac, "compare_digest", lambda one, two: compared.append((len(one), len(two))) or real(one, two)
    )
    assert tokens.accept(f"0{TOKEN}")
    assert not tokens.accept("x")
    assert compared == [(32, 32)] * 10


@pytest.mark.parametrize("content", ["", "# none\n", "short\n", f"{TOKEN}\nshort\n"])
def test_a_token_file_without_a_usable_token(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokens").write_text(content)
    with pytest.raises(UsageError) as caught:
        Tokens.read(tmp_path / "tokens")
    assert caught.value.reason == "token_file_invalid"


def test_beyond_loopback_a_token_is_needed() -> None:
    with pytest.raises(UsageError) as caught:
        require_token_beyond_loopback("0.0.0.0", Tokens(), without_token=False)
    assert caught.value.reason == "token_required"
    require_token_beyond_loopback("0.0.0.0", Tokens(), without_token=True)
    require_token_beyond_loopback("0.0.0.0", Tokens((b"x",)), without_token=False)
    require_token_beyond_loopback("127.0.0.3", Tokens(), without_token=False)


def test_the_name_of_a_host_header() -> None:
    assert [host_name(host) for host in ("LocalHost:80", "[::1]:5", "a@b:1", "")] == ["localhost", "::1", "b", ""]


def test_names_of_a_server_on_every_interface(tmp_path: Path) -> None:
    loopback = ServeSettings((tmp_path,), tmp_path)
    everywhere = ServeSettings((tmp_path,), tmp_path, host="0.0.0.0", hosts=("Voices.example.org",))
    names = ("localhost", "10.0.0.1", "::2", "voices.example.org", "evil.example", "", "10.0.0.1.evil.example")
    assert [loopback.allows_host(name) for name in names] == [True, False, False, False, False, False, False]
    assert [everywhere.allows_host(name) for name in names] == [True, True, True, True, False, False, False]


def test_the_rate_of_one_address() -> None:
    rates = Rates(2)
    assert [rates.take("a", 0.0), rates.take("a", 1.0), rates.take("a", 2.0), rates.take("b", 2.0)] == [
        True,
        True,
        False,
        True,
    ]
    assert rates.take("a", 60.0)
    assert not rates.take("a", 60.5)


def test_a_client_that_asks_too_often(start: Start, certified: Path) -> None:
    server = start(certified, "--rate", "2")
    answers = [server.get("/v1/models") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["error"] | {"message": ""} == {
        "message": "",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limited",
    }
    assert answers[-1].headers["retry-after"] == "1"


def test_bodies_that_are_too_large(server: Server) -> None:
    answer = server.post("/speak", {"text": "a" * 1_100_000})
    assert (answer.status_code, answer.json()["error"]) == (413, "body_too_large")

    def parts():
        for _ in range(40):
            yield b"a" * 65_536

    import httpx

    answer = httpx.post(f"{server.url}/speak", content=parts(), timeout=30)
    assert answer.status_code == 413


def test_a_body_that_never_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import asyncio

    import httpx

    from voicemill_serve import guard
    from voicemill_serve.application import create_application, create_services
    from voicemill_serve.settings import ServeSettings

    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)
    log = io.StringIO()
    services = create_services(ServeSettings((tmp_path,), tmp_path), AccessLog(log))

    async def slow():
        yield b"{"
        await asyncio.sleep(20)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_application(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/speak", content=slow())

    answer = asyncio.run(ask())
    services.pool.shutdown()
    assert (answer.status_code, answer.json()["error"]) == (408, "body_timeout")
    assert json.loads(log.getvalue())["reason"] == "body_timeout"


def test_more_clients_than_the_queue_holds(start: Start, certified: Path) -> None:
    server = start(certified, "--queue", "1")
    import httpx

    with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=SPEECH | {"input": LONG * 8}) as busy:
        assert busy.status_code == 200
        answer = server.post("/speak", {"text": TEXT})
        assert (answer.status_code, answer.json()["error"]) == (503, "server_busy")
        assert answer.headers["retry-after"] == "1"
    assert wait_until(lambda: server.post("/speak", {"text": TEXT}).status_code == 200)


def test_a_text_that_takes_too_long(start: Start, certified: Path) -> None:
    server = start(certified, "--seconds", "1", "--characters", "100000")
    answer = server.post("/v1/audio/speech", SPEECH | {"input": LONG * 200, "response_format": "flac"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "speech_timeout")
    assert server.get("/health").json()["active_requests"] == 0


def test_a_client_that_goes_away_frees_its_place(server: Server) -> None:
    import httpx

    with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=SPEECH | {"input": (LONG * 8)[:4000]}) as stream:
        next(stream.iter_raw())
    assert wait_until(lambda: server.get("/health").json()["active_requests"] == 0)
    with socket.create_connection(("127.0.0.1", int(str(server.started["port"])))) as raw:
        body = json.dumps({"text": (LONG * 8)[:4000]}).encode()
        raw.sendall(b"POST /speak HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert wait_until(lambda: server.get("/health").json()["active_requests"] == 0)
    assert wait_until(lambda: any(row.get("reason") == "client_gone" for row in server.log))


def wait_until(condition) -> bool:
    for _ in range(300):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_the_last_part_of_a_stream_does_not_wait_for_an_acknowledgement() -> None:
    """Without Nagle's algorithm; with it, a client that asked for one sound after the other lost 40 ms with each."""

    async def option_of_a_connection() -> int:
        options: asyncio.Queue[int] = asyncio.Queue()

        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            options.put_nowait(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listen("127.0.0.1", 0) as listener:
            async with await asyncio.start_server(connected, sock=listener):
                _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
                found = await options.get()
                writer.close()
                return found

    assert asyncio.run(option_of_a_connection())


def test_a_port_in_use(certified: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        argv = [sys.executable, str(APP), "--port", str(taken.getsockname()[1]), "--bundles", str(certified)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("[voice-serve][error] port_unavailable:")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--host", "0.0.0.0"], "token_required"),
        (["--bundles", "/nowhere"], "bad_usage"),
        (["--token-file", "/nowhere"], "not_readable"),
        (["--port", "70000"], "bad_usage"),
        (["--host", "192.0.2.1", "--without-token"], "port_unavailable"),
    ],
)
def test_a_server_that_cannot_start(tmp_path: Path, argv: list[str], reason: str) -> None:
    done = subprocess.run(
        [sys.executable, str(APP), *argv], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(f"[voice-serve][error] {reason}")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_what_is_being_spoken(start: Start, certified: Path, number: int) -> None:
    server = start(certified)
    whole = server.post("/v1/audio/speech", SPEECH).content
    import httpx

    stopped: list[int] = []
    with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=SPEECH, timeout=60) as stream:
        parts = stream.iter_raw()
        data = next(parts)
        thread = threading.Thread(target=lambda: stopped.append(server.stop(number)))
        thread.start()
        data += b"".join(parts)
    thread.join(60)
    assert data == whole
    assert stopped == [0]
