"""`/api/voice/*`: each line of the request's table, the order of decisions, the answers' headers."""

from __future__ import annotations

import hashlib
import io
import json
import socketserver
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.unit.serve.conftest import TEXT
from tests.unit.serve.voice_api_client import RATE, Backend, Client

from voicemill_serve.voice_api.cache import SpeechCache


@pytest.fixture(scope="module")
def plain(certified: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Without the agent's policies."""
    client = Client(certified, tmp_path_factory.mktemp("plain"))
    yield client
    client.close()


@pytest.fixture
def strict(certified: Path, tmp_path: Path) -> Iterator[Client]:
    """With the agent's policies, and no voice, so that what passes them is answered at once."""
    (tmp_path / "none").mkdir()
    client = Client(tmp_path / "none", tmp_path, agent_policies=True)
    yield client
    client.close()


LIMITS = {
    "text": ["", " ", "a" * 601, 5, None, ["a"]],
    "mode": ["", "shout", None],
    "priority": ["high", 1],
    "voiceProfile": ["", "a" * 121, None],
    "voice_profile_id": ["", "a" * 121],
    "format": ["ogg", None],
    "consent_asserted": ["true", 1],
    "watermark_mode": ["a" * 121],
    "traceId": ["a" * 201, 5],
    "missionId": ["a" * 201],
    "eventId": ["a" * 201],
    "referenceAudioHash": ["a" * 257, 5],
    "dedupe_key": ["a" * 241],
    "provider": ["", "a" * 121],
    "durationMs": [-1, 600_001, 1.5, "5", True],
    "contextTier": [0, "tier2"],
    "sessionState": ["on"],
    "voiceMode": ["loud"],
    "utteranceId": ["a" * 201],
    "turnKey": ["a" * 201],
    "chunkIndex": [-1, 4097],
    "chunkCount": [0, 4097],
    "chunkKind": ["other"],
    "textCertainty": ["sure"],
    "voiceCertainty": ["sure"],
    "deterministic": ["yes"],
    "evidenceRefs": [["a"] * 33, [""], ["a" * 501], "a"],
    "repoAttributed": ["yes"],
    "replayMode": ["yes"],
    "streaming": ["yes"],
    "policyTsMs": [-1, 0.5],
    "tsMs": [-1],
    "voiceAuthorityState": ["all"],
    "sourceKind": ["", "a" * 121],
    "sourceTextHash": ["", "a" * 257],
    "terminal_voice_text_hash": ["", "a" * 257],
    "threadId": ["", "a" * 201],
    "turnId": ["", "a" * 201],
}


@pytest.mark.parametrize("field", LIMITS)
def test_a_field_outside_of_its_limits(plain: Client, field: str) -> None:
    for value in LIMITS[field]:
        answer = plain.ask({"text": "Hello.", field: value, "unknown": 1})
        assert answer.status_code == 400, (field, value)
        body = answer.json()
        assert (body["error"], body["message"]) == ("voice_invalid_request", "Invalid voice request payload.")
        assert list(body["details"]["issues"]["fieldErrors"]) == [field], (field, value)
        assert "traceId" not in body


@pytest.mark.parametrize("content", [b"{", b"[]", b"5", b""])
def test_what_is_no_request(plain: Client, content: bytes) -> None:
    answer = plain.ask(content=content)
    assert (answer.status_code, answer.json()["error"]) == (400, "voice_invalid_request")


def test_speech_and_its_headers(plain: Client) -> None:
    body = {
        "text": f" {TEXT} ",
        "watermark_mode": "soft",
        "durationMs": 5.0,
        "traceId": "t",
        "referenceAudioHash": None,
    }
    answer = plain.ask(body, headers={"Origin": "https://a.example"})
    assert answer.status_code == 200
    headers = answer.headers
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
    assert headers["access-control-allow-headers"] == "Content-Type, Authorization, X-Tenant-Id, X-Customer-Id"
    assert headers["cache-control"] == "no-store"
    assert headers["content-type"] == "audio/wav"
    assert (headers["x-voice-provider"], headers["x-voice-profile"]) == ("proxy", "default")
    assert (headers["x-voice-cache"], headers["x-watermark-mode"]) == ("miss", "soft")
    assert headers["x-voice-normalization"] == "pcm16_wav_applied"
    assert float(headers["x-voice-normalization-gain-db"]) > 0
    assert headers["x-voice-normalization-benchmark"] == (
        "mobile_voice_v1;enabled=1;peak=-1.0;rms=-14.0;maxGain=20.0;minGain=-14.0;minDelta=0.3;mp3=1;kbps=192"
    )
    assert (headers["x-voice-meter-request-count"], headers["x-voice-meter-char-count"]) == ("1", str(len(TEXT)))
    with wave.open(io.BytesIO(answer.content)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32_768
    assert float(headers["x-voice-meter-duration-ms"]) == pytest.approx(seconds * 1000, abs=1)
    peak, rms = 20 * np.log10(np.abs(samples).max()), 20 * np.log10(np.sqrt(np.mean(samples**2)))
    assert peak == pytest.approx(-1.0, abs=0.1) or rms == pytest.approx(-14.0, abs=0.1)
    assert peak <= -0.9
    again = plain.ask(body | {"traceId": "u", "watermark_mode": "a\nb"})
    assert (again.headers["x-voice-cache"], again.headers["x-watermark-mode"]) == ("hit", "a?b")
    assert again.content == answer.content
    assert plain.ask({"text": TEXT, "voiceProfile": "anna"}).headers["x-voice-profile"] == "anna"


def test_mp3_of_our_own_voice(plain: Client) -> None:
    answer = plain.ask({"text": TEXT, "format": "mp3"})
    assert answer.headers["content-type"] == "audio/mpeg"
    samples, rate = soundfile.read(io.BytesIO(answer.content))
    assert (rate, len(samples) > RATE // 2) == (RATE, True)


def test_a_voice_that_there_is_not(plain: Client) -> None:
    answer = plain.ask({"text": "Hello.", "voiceProfile": "bob", "traceId": "t"})
    assert (answer.status_code, answer.json()["error"], answer.json()["traceId"]) == (404, "voice_unknown", "t")
    assert "anna" in answer.json()["message"]


def test_consent(plain: Client) -> None:
    for given in ({}, {"consent_asserted": False}):
        answer = plain.ask({"text": "Hello.", "referenceAudioHash": "x"} | given)
        assert (answer.status_code, answer.json()["error"]) == (400, "voice_consent_required")
        assert answer.json()["details"] == {"referenceAudioHash": True}
    assert plain.ask({"text": "Hello.", "referenceAudioHash": " "}).status_code == 200
    assert plain.ask({"text": "Hello.", "referenceAudioHash": "x", "consent_asserted": True}).status_code == 200


def test_only_remote_providers_stream(plain: Client) -> None:
    answer = plain.ask({"text": "Hello.", "streaming": True})
    assert (answer.status_code, answer.json()["details"]) == (400, {"provider": "local-chatterbox"})


def test_what_cannot_be_spoken(plain: Client) -> None:
    answer = plain.ask({"text": "...", "traceId": "t"})
    assert (answer.status_code, answer.json()["error"], answer.json()["traceId"]) == (502, "voice_backend_error", "t")


@pytest.mark.parametrize(
    ("variables", "provider", "details"),
    [
        (
            {"VOICE_MANAGED_PROVIDERS_ENABLED": "0"},
            "elevenlabs",
            {"provider": "elevenlabs", "managedProvidersEnabled": False},
        ),
        ({"VOICE_PROVIDER_MODE": "local_only"}, "elevenlabs", {"provider": "elevenlabs", "providerMode": "local_only"}),
        (
            {"VOICE_COMMERCIAL_MODE": "1", "VOICE_PROVIDER_ALLOWLIST": "a, b"},
            "local-chatterbox",
            {"provider": "local-chatterbox", "commercialMode": True},
        ),
    ],
)
def test_providers(
    plain: Client, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], provider: str, details: dict[str, object]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    answer = plain.ask({"text": "Hello.", "provider": provider})
    assert (answer.status_code, answer.json()["error"]) == (403, "voice_provider_not_allowed")
    assert answer.json()["details"] == details
    urgent = plain.ask({"text": "Hello.", "provider": "elevenlabs", "priority": "critical"})
    assert urgent.status_code == (403 if "VOICE_COMMERCIAL_MODE" in variables else 200)


def test_options(plain: Client) -> None:
    answer = plain.ask(method="OPTIONS")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_page_of_another_origin_can_read_every_refusal(plain: Client) -> None:
    answers = [
        plain.ask({"text": "a" * 1_100_000}),
        plain.ask(path="nothing", method="GET"),
        plain.ask(method="GET"),
        plain.ask({"text": "Hello."}, headers={"Host": "elsewhere.example"}),
    ]
    assert [answer.status_code for answer in answers] == [413, 404, 404, 403]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}


def test_recent_events_have_no_text(plain: Client) -> None:
    plain.ask({"text": "A secret.", "chunkKind": "narrator_read", "eventId": "e", "evidenceRefs": ["a", "b"]})
    body = plain.ask(path="debug/recent?limit=1", method="GET").json()
    assert (body["schema"], body["count"], body["limit"]) == ("helix.voice_speak_debug_recent.v1", 1, 1)
    assert body["filters"] == {"chunkKind": None, "narratorOnly": False}
    assert body["assistant_answer"] is body["terminal_eligible"] is body["raw_content_included"] is False
    (event,) = body["events"]
    assert event["schema"] == "helix.voice_speak_debug_event.v1"
    assert event["textHash"] == f"sha256:{hashlib.sha256(b'A secret.').hexdigest()}"
    assert (event["textLength"], event["evidenceRefCount"], event["narrator"]) == (9, 2, True)
    assert (event["statusCode"], event["outcome"], event["cache"]) == (200, "audio_response", "miss")
    assert "secret" not in json.dumps(body)
    plain.ask({"text": "", "eventId": "invalid"})
    plain.ask({"text": "Hello.", "referenceAudioHash": "x"})
    events = plain.ask(path="debug/recent", method="GET").json()["events"]
    assert events[0]["outcome"] == "error_response"
    assert all(event["eventId"] != "invalid" for event in events)
    narrated = plain.ask(path="debug/recent?narratorOnly=true&limit=999", method="GET").json()
    assert (narrated["limit"], [event["eventId"] for event in narrated["events"]]) == (200, ["e"])
    assert plain.ask(path="debug/recent?chunkKind=final", method="GET").json()["count"] == 0
    limits = {"": 50, "x": 50, "7.9": 7, "12x": 12, "-5": 1, "0": 1, "1" * 30: 200}
    asked = {given: plain.ask(path=f"debug/recent?limit={given}", method="GET").json()["limit"] for given in limits}
    assert asked == limits
    filters = plain.ask(path="debug/recent?narrator=0&narratorOnly=1&chunkKind=%20", method="GET").json()["filters"]
    assert filters == {"chunkKind": None, "narratorOnly": False}


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    with Backend() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("TTS_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}//")
        yield server
        server.shutdown()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path, tmp_path)
    yield client
    client.close()


def test_a_backend_gets_the_request_with_its_defaults(proxy: Client, backend: Backend) -> None:
    answer = proxy.ask({"text": " Hello. ", "voice_profile_id": "p", "other": 1, "durationMs": 7})
    assert backend.bodies == [
        {
            "text": "Hello.", "mode": "callout", "priority": "info", "format": "wav", "provider": "local-chatterbox",
            "voice_profile_id": "p", "voiceProfile": "p", "durationMs": 7,
        }
    ]  # fmt: skip
    assert answer.headers["x-voice-meter-duration-ms"] == "1000"
    assert answer.headers["x-voice-normalization-gain-db"] == "20.00"
    assert answer.headers["x-voice-profile"] == "p"


def test_the_duration_of_the_meter(proxy: Client, backend: Backend) -> None:
    backend.duration = None
    given = [proxy.ask({"text": f"Number {n}.", "durationMs": n}).headers for n in (0, 5)]
    assert [headers.get("x-voice-meter-duration-ms") for headers in given] == [None, "5"]
    again = proxy.ask({"text": "Number 5."}).headers
    assert (again["x-voice-cache"], again["x-voice-meter-duration-ms"]) == ("hit", "5")


@pytest.mark.parametrize(
    ("answers", "status", "error", "calls"),
    [
        ([(500, "text/plain", b"a"), (503, "text/plain", b"b")], 502, "voice_backend_error", 2),
        ([(429, "text/plain", b"a"), (429, "text/plain", b"b")], 429, "voice_backend_error", 2),
        ([(404, "text/plain", b"a  b\n" * 200)], 404, "voice_backend_error", 1),
        ([(500, "text/plain", b"a")], 200, "", 2),
    ],
)
def test_a_backend_that_fails(
    proxy: Client, backend: Backend, answers: list[tuple[int, str, bytes]], status: int, error: str, calls: int
) -> None:
    backend.answers = list(answers)
    answer = proxy.ask({"text": "Hello.", "traceId": "t"})
    assert (answer.status_code, len(backend.bodies)) == (status, calls)
    if error:
        body = answer.json()
        assert (body["error"], body["traceId"], body["details"]["timeoutMs"]) == (error, "t", 15_000)
        attempts = body["details"]["attempts"]
        assert [attempt["status"] for attempt in attempts] == [given if given < 500 else 502 for given, _, _ in answers]
        assert {attempt["provider"] for attempt in attempts} == {"proxy"}
        assert all(len(attempt["body"]) <= 400 and "\n" not in attempt["body"] for attempt in attempts)
        assert [attempt["body"].endswith("...") for attempt in attempts] == [len(data) > 400 for _, _, data in answers]


def test_a_backend_that_cannot_be_reached_or_takes_too_long(proxy: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_BASE_URL", "http://127.0.0.1:9")
    assert [attempt["status"] for attempt in proxy.ask({"text": "Hello."}).json()["details"]["attempts"]] == [502, 502]
    from voicemill_serve.voice_api import backend as module

    monkeypatch.setattr(module, "TIMEOUT_MS", 50)
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as silent:
        monkeypatch.setenv("TTS_BASE_URL", f"http://127.0.0.1:{silent.server_address[1]}")
        answer = proxy.ask({"text": "Hello."})
    assert (answer.status_code, answer.json()["error"]) == (504, "voice_backend_timeout")
    assert [attempt["status"] for attempt in answer.json()["details"]["attempts"]] == [504, 504]


def test_the_circuit_breaker(proxy: Client, backend: Backend) -> None:
    backend.answers = [(500, "text/plain", b"")] * 6
    assert [proxy.ask({"text": f"Number {n}."}).status_code for n in range(3)] == [502] * 3
    answer = proxy.ask({"text": "Hello."})
    assert (answer.status_code, answer.json()["error"]) == (503, "voice_backend_error")
    assert answer.json()["details"]["circuitBreakerOpen"] is True
    assert 0 < answer.json()["details"]["retryAfterMs"] <= 30_000
    assert len(backend.bodies) == 6


def test_the_cache_ends(proxy: Client, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    from voicemill_serve.voice_api import routes

    now = [1_000_000]
    monkeypatch.setattr(routes, "_now", lambda: now[0])
    found = []
    for step in (0, 29_999, 1, 0):
        now[0] += step
        found.append(proxy.ask({"text": "Hello."}).headers["x-voice-cache"])
    assert found == ["miss", "hit", "miss", "hit"]
    for change in (
        {"voiceProfile": "p"},
        {"format": "mp3"},
        {"mode": "briefing"},
        {"provider": "local-b"},
        {"text": "B"},
    ):
        assert proxy.ask({"text": "Hello."} | change).headers["x-voice-cache"] == "miss"


def answer_of(client: Client, **body: object) -> dict[str, Any]:
    found: dict[str, Any] = client.ask({"text": "Hello."} | body).json()
    return found


def test_without_a_voice_a_page_goes_on_without_sound(strict: Client) -> None:
    found = answer_of(strict, traceId="t", mode="briefing")
    assert (found["ok"], found["suppressed"], found["dryRun"], found["reason"]) == (
        True,
        True,
        True,
        "voice_unavailable",
    )
    assert found["details"]["providerConfigured"] is False
    assert found["traceId"] == "t"


TERMINAL = {
    "schema": "helix.turn_terminal_authority.v1",
    "server_authoritative": True,
    "thread_id": "th",
    "turn_id": "tu",
    "route": "/ask",
    "terminal_kind": "answer",
    "terminal_artifact_kind": "assistant_answer",
    "final_answer_source": "terminal_final_answer",
    "terminal_text_hash": hashlib.sha256(b"Hello.").hexdigest(),
}
CANDIDATE = {
    "schema": "helix.accepted_arbitration_candidate.v1",
    "expires_at": "2099-01-01T00:00:00.000Z",
    "status": "accepted",
    "voice_authority_state": "callout_voice",
    "source_kind": "operator_callout_v1",
    "source_event_ids": ["e"],
    "evidence_refs": ["r"],
    "text_certainty": "reasoned",
    "voice_certainty": "reasoned",
    "text_hash": hashlib.sha256(b"Hello.").hexdigest(),
    "server_authoritative": True,
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"thread_id": " "}, "invalid_terminal_authority"),
        ({"schema": "other"}, "invalid_terminal_authority"),
        ({"server_authoritative": "true"}, "invalid_terminal_authority"),
        ({"route": "/asking"}, "invalid_terminal_authority"),
        ({"route": "/api/ask/x"}, ""),
        ({"turn_id": "other"}, "invalid_terminal_authority"),
        ({"turn_id": None}, ""),
        ({"terminal_kind": "other"}, "terminal_kind_not_speakable"),
        ({"terminal_kind": "situation_context_pack"}, "legacy_context_pack_not_speakable"),
        ({"terminal_artifact_kind": "unknown"}, "invalid_terminal_authority"),
        ({"final_answer_source": ""}, "invalid_terminal_authority"),
        ({"final_answer_source": "", "terminal_kind": "failure"}, ""),
        ({"final_answer_source": "raw_transcript"}, "raw_transcript_not_speakable"),
        ({"terminal_text_hash": "0"}, "terminal_text_hash_mismatch"),
    ],
)
def test_a_status_needs_the_statement_of_a_finished_answer(strict: Client, change: dict[str, Any], reason: str) -> None:
    stated = TERMINAL | change
    found = answer_of(
        strict, mode="briefing", turnId="tu", voiceProfile="dottie_default", terminal_answer_authority=stated
    )
    assert found["reason"] == (reason or "voice_unavailable")
    assert found.get("suppression_reason", "") == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"status": "open"}, "candidate_not_accepted"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "candidate_expired"),
        ({"text_certainty": "hypothesis"}, "field_hypothesis_not_speakable"),
        ({"voice_certainty": "confirmed"}, "invalid_accepted_arbitration_candidate"),
        ({"source_kind": "solver_public_commentary"}, ""),
        ({"source_kind": "raw_observation"}, "raw_observation_not_speakable"),
        ({"source_kind": "other"}, "invalid_accepted_arbitration_candidate"),
        ({"source_event_ids": []}, "candidate_evidence_missing"),
        ({"evidence_refs": [" "]}, "candidate_evidence_missing"),
        ({"text_hash": "0"}, "candidate_text_hash_mismatch"),
        ({"server_authoritative": 1.5}, "invalid_accepted_arbitration_candidate"),
    ],
)
def test_a_callout_needs_an_accepted_candidate(strict: Client, change: dict[str, Any], reason: str) -> None:
    found = answer_of(strict, voiceProfile="dottie_default", accepted_arbitration_candidate=CANDIDATE | change)
    assert found["reason"] == (reason or "voice_unavailable")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"voiceProfile": "dottie_default"}, "missing_accepted_arbitration_candidate"),
        ({"voiceProfile": "dottie_default", "mode": "briefing"}, "missing_terminal_authority"),
        ({"voiceProfile": "dottie_default", "chunkKind": "manual_read_aloud"}, "voice_unavailable"),
        ({"voiceProfile": "anecdote"}, "voice_unavailable"),
        ({"missionId": "m"}, "missing_accepted_arbitration_candidate"),
        ({"traceId": "ask:1", "mode": "briefing"}, "missing_terminal_authority"),
        ({"traceId": "a:helix:1", "mode": "briefing"}, "missing_terminal_authority"),
        ({"voiceAuthorityState": "transcribe_only"}, "transcribe_only"),
        ({"voiceAuthorityState": "command_execute"}, "command_execute_not_voice"),
        ({"sourceKind": "process_graph_summary"}, "process_graph_summary_not_speakable"),
        ({"sourceKind": "ui_projection"}, "legacy_context_pack_not_speakable"),
        (
            {
                "chunkKind": "tool_receipt",
                "eventId": "translation_obs:1",
                "utteranceId": "u:translation_obs:1",
                "traceId": "t",
            },
            "voice_unavailable",
        ),
        (
            {"chunkKind": "tool_receipt", "eventId": "other:1", "utteranceId": "other:1", "traceId": "t"},
            "missing_accepted_arbitration_candidate",
        ),
        (
            {"chunkKind": "narrator_read", "eventId": "e1", "utteranceId": "narrator:x", "evidenceRefs": ["a e1 b"]},
            "voice_unavailable",
        ),
        ({"contextTier": "tier0"}, "voice_context_ineligible"),
        ({"sessionState": "idle"}, "voice_context_ineligible"),
        ({"voiceMode": "dnd"}, "voice_context_ineligible"),
        ({"voiceMode": "critical_only", "priority": "warn"}, "voice_context_ineligible"),
        ({"voiceMode": "critical_only", "priority": "critical"}, "voice_unavailable"),
        ({"contextTier": "tier0", "mode": "briefing"}, "voice_unavailable"),
        ({"voiceCertainty": "confirmed"}, "contract_violation"),
        ({"repoAttributed": True}, "missing_evidence"),
        ({"repoAttributed": True, "deterministic": False, "evidenceRefs": ["r"]}, "contract_violation"),
        ({"repoAttributed": True, "evidenceRefs": ["r"]}, "voice_unavailable"),
    ],
)
def test_source_context_and_parity(strict: Client, body: dict[str, Any], reason: str) -> None:
    found = answer_of(strict, **body)
    assert (found["ok"], found["suppressed"], found["reason"]) == (True, True, reason)
    if reason in ("contract_violation", "missing_evidence"):
        assert set(found["replayMeta"]) == {"textCertainty", "voiceCertainty", "deterministic", "evidenceRefCount"}


def test_without_the_switch_none_of_these_rules_hold(plain: Client) -> None:
    for body in (
        {"missionId": "m"},
        {"voiceMode": "dnd"},
        {"voiceCertainty": "confirmed"},
        {"sourceKind": "raw_observation"},
    ):
        assert plain.ask({"text": "Hello."} | body).headers["content-type"] == "audio/wav"


def test_budgets(strict: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_BUDGET_MISSION_MAX_REQUESTS", "1")
    monkeypatch.setenv("VOICE_BUDGET_TENANT_DAILY_MAX_REQUESTS", "2")
    body = {"text": "Hello.", "mode": "briefing", "missionId": "m", "repoAttributed": False}
    assert strict.ask(body).status_code == 200
    answer = strict.ask(body)
    assert (answer.status_code, answer.json()["error"]) == (429, "voice_budget_exceeded")
    details = answer.json()["details"]
    assert (details["scope"], details["limit"], details["windowMs"]) == ("mission_window", 1, 60_000)
    assert details["metering"] == {"requestCount": 1, "charCount": 6, "tenantId": "single-tenant", "missionId": "m"}
    assert strict.ask(body | {"missionId": "n"}).status_code == 200
    answer = strict.ask(body | {"missionId": "o"})
    assert answer.json()["details"]["scope"] == "tenant_day"
    assert strict.ask(body | {"missionId": "p"}, headers={"X-Customer-Id": " Other "}).status_code == 200


def callout(**body: object) -> dict[str, object]:
    """A callout of a mission that its server vouches for."""
    return {"text": "Hello.", "accepted_arbitration_candidate": CANDIDATE, "evidenceRefs": ["r"]} | body


def test_rate_and_repeated_callouts(strict: Client) -> None:
    answers = [strict.ask(callout(missionId="m", eventId=f"e{number}")) for number in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["details"] == {"windowSeconds": 15, "maxCallouts": 2}
    assert strict.ask(callout(dedupe_key="k")).json()["reason"] == "voice_unavailable"
    found = strict.ask(callout(dedupe_key="k", traceId="t", eventId="e")).json()
    assert found["suppression_reason"] == "dedupe_cooldown"
    assert (found["traceId"], found["missionId"], found["eventId"]) == ("t", None, "e")


def test_the_clock_of_a_replay_is_used_where_it_is_trusted(strict: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = callout(dedupe_key="k", replayMode=True, policyTsMs=1_000_000_000_000)
    later = first | {"policyTsMs": 1_000_000_060_001}
    assert [strict.ask(body).json()["reason"] for body in (first, later)] == ["voice_unavailable", "dedupe_cooldown"]
    monkeypatch.setenv("VOICE_REPLAY_CLOCK_TRUSTED", "1")
    first, later = first | {"dedupe_key": "j"}, later | {"dedupe_key": "j"}
    assert [strict.ask(body).json()["reason"] for body in (first, later)] == ["voice_unavailable"] * 2


def test_names_of_clients_cannot_give_two_texts_one_key() -> None:
    keys = [
        SpeechCache.key("p", "v", "wav", "callout", "x|wav|callout|y", ""),
        SpeechCache.key("p|v|wav|callout", "x", "wav", "callout", "y", ""),
        SpeechCache.key("p", "v", "wav", "callout", "\u2603", ""),
    ]
    assert len(set(keys)) == 3
