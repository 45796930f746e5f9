"""Which voices are served: verified, certified, loaded on demand, dropped when idle, loaded again after a promotion."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.unit.serve.conftest import TEXT, Start, certify, publish

from voicemill_serve.refusals import RequestRefusedError
from voicemill_serve.voice_store import VoiceStore


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as found:
        yield found


def refused(store: VoiceStore, voice: str) -> RequestRefusedError:
    with pytest.raises(RequestRefusedError) as caught:
        asyncio.run(store.get(voice))
    return caught.value


def test_a_voice_is_loaded_on_demand_and_dropped_when_idle(bundles: Path, pool: ThreadPoolExecutor) -> None:
    store = VoiceStore([bundles], pool, idle_seconds=60)

    async def use() -> None:
        assert [state.voice_id for state in await store.states()] == ["anna"]
        assert store.loaded == 0
        first = await store.get("anna")
        assert await store.get("anna") is first
        assert store.drop_idle(first.used + 59) == []
        first.speaking += 1
        assert store.drop_idle(first.used + 61) == []
        first.speaking -= 1
        assert store.drop_idle(first.used + 61) == ["anna"]
        assert store.loaded == 0
        assert await store.get("anna") is not first

    asyncio.run(use())


def test_an_unknown_voice_gets_the_list(bundles: Path, pool: ThreadPoolExecutor) -> None:
    store = VoiceStore([bundles, bundles / "missing"], pool)
    for name in ("bob", "", "..", "../bundles/anna", "anna/voice_bundle", "/etc/passwd", "an\x00na"):
        error = refused(store, name)
        assert error.reason == "voice_unknown"
        assert "anna" in str(error)


def test_a_single_bundle_has_the_name_of_its_manifest(bundles: Path, pool: ThreadPoolExecutor) -> None:
    assert list(VoiceStore([bundles / "anna/voice_bundle"], pool).folders()) == ["anna"]


@pytest.mark.parametrize("name", ["voice.onnx", "lexicon.txt", "fastpitch.nemo"])
def test_a_changed_file_is_never_served(bundles: Path, pool: ThreadPoolExecutor, name: str) -> None:
    store = VoiceStore([bundles], pool, uncertified=True)

    async def load_then_change() -> None:
        await store.get("anna")
        path = bundles / "anna/voice_bundle" / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    asyncio.run(load_then_change())
    error = refused(store, "anna")
    assert error.reason == "voice_not_served:anna:checksum_mismatch"
    assert name in str(error)


def test_only_certified_voices_unless_the_operator_says_so(
    made: Path, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    publish(made, tmp_path / "fresh", "bob", "Bob")
    error = refused(VoiceStore([tmp_path / "fresh"], pool), "bob")
    assert error.reason == "voice_not_served:bob:not_certified"
    assert "--uncertified" in str(error)
    served = asyncio.run(VoiceStore([tmp_path / "fresh"], pool, uncertified=True).get("bob"))
    assert not served.state.certified


def test_a_promotion_is_served_without_a_gap(bundles: Path, made: Path, pool: ThreadPoolExecutor) -> None:
    store = VoiceStore([bundles], pool)

    async def replace() -> None:
        first = await store.get("anna")
        root = publish(made, bundles, "anna", "Anna, promoted again")
        assert await store.get("anna") is first  # its certificate is not there yet
        certify(root)
        second = await store.get("anna")
        assert second is not first
        assert second.state.display_name == "Anna, promoted again"

    asyncio.run(replace())


def test_a_bundle_of_a_dry_run_is_not_served(bundles: Path, pool: ThreadPoolExecutor) -> None:
    manifest = bundles / "anna/voice_bundle/manifest.json"
    manifest.write_text(manifest.read_text().replace('"dry_run": false', '"dry_run": true'))
    assert refused(VoiceStore([bundles], pool, uncertified=True), "anna").code == "voice_not_served"


@pytest.mark.slow
def test_every_answer_of_a_server_of_uncertified_voices_says_so(start: Start, made: Path, tmp_path: Path) -> None:
    publish(made, tmp_path / "fresh", "bob", "Bob")
    server = start(tmp_path / "fresh", "--uncertified")
    for answer in (server.get("/health"), server.get("/nothing"), server.post("/speak", {"text": TEXT})):
        assert answer.headers["x-voicemill-uncertified"] == "allowed"
    assert server.post("/speak", {"text": TEXT}).headers["x-voice-certified"] == "false"


@pytest.mark.slow
def test_a_voice_that_appears_is_served_and_one_that_is_damaged_says_why(
    start: Start, bundles: Path, made: Path
) -> None:
    server = start(bundles)
    certify(publish(made, bundles, "carla", "Carla"))
    body = {"model": "tts-1", "voice": "carla", "input": TEXT, "response_format": "wav"}
    assert server.post("/v1/audio/speech", body).headers["x-voice-profile"] == "carla"
    (bundles / "carla/voice_bundle/extra.txt").write_text("not listed")
    answer = server.post("/v1/audio/speech", body)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "voice_not_served"
    assert "extra.txt" in answer.json()["error"]["message"]
    listed = server.get("/v1/audio/voices").json()
    assert [voice["id"] for voice in listed["voices"]] == ["anna"]
    assert [(voice["id"], voice["reason"]) for voice in listed["not_served"]] == [("carla", "unlisted_file")]
    shutil.rmtree(bundles / "carla")
    assert server.post("/v1/audio/speech", body).status_code == 404
