"""The table of voices, the page of one, and what is done to it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.records import measured
from tests.unit.serve.conftest import Server, certify, end, publish, start_server

from voicemill import files
from voicemill.dataset.rights import Rights
from voicemill.errors import RefusedError
from voicemill.evaluation.model import Evaluation
from voicemill.settings import REPOSITORY
from voicemill.verify import opinions
from voicemill_cloning.voice_file import SpeakingVoice
from voicemill_serve.job_store import ScriptJob
from voicemill_studio import overview, versions
from voicemill_studio.promotion import ADVICE
from voicemill_studio.voices import Deletion, delete, trend_chart

HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;"


def post(server: Server, path: str, **fields: str) -> httpx.Response:
    return httpx.post(server.url + path, data=fields, headers={"Origin": server.url}, timeout=120)


@pytest.fixture(scope="module")
def shop(certified: Path, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server that tests may change: anna is certified, eve has a hostile name; and its work folder."""
    base = tmp_path_factory.mktemp("shop")
    shutil.copytree(certified, base / "work/bundles")
    certify(publish(made, base / "work/bundles", "eve", HOSTILE))
    server = start_server(base / "work/bundles", base / "work", CACHE_DIR=str(base / "cache"))
    yield server, base / "work"
    end(server)


class TestTable:
    def test_every_voice_with_its_state(self, shop: tuple[Server, Path]) -> None:
        text = shop[0].get("/studio/").text
        assert "Anna" in text
        assert text.count(">certified</span>") == 2

    def test_search_and_sort(self, shop: tuple[Server, Path]) -> None:
        server, _ = shop
        found = server.get("/studio/?q=anna+CERTIFIED&sort=wer_whisper").text
        assert "Anna" in found
        assert "voices/eve" not in found
        assert "No voice matches" in server.get("/studio/?q=nothing").text

    def test_a_hostile_name_is_text(self, shop: tuple[Server, Path]) -> None:
        for path in ("/studio/", "/studio/voices/eve", "/studio/voices/eve/delete"):
            text = shop[0].get(path).text
            assert HOSTILE not in text, path
            assert "&lt;img src=x onerror=alert(1)&gt;" in text, path
        text = shop[0].get('/studio/?q="><script>alert(1)</script>').text
        assert "<script>alert" not in text


class TestVoice:
    def test_an_unknown_voice_is_one_sentence(self, shop: tuple[Server, Path]) -> None:
        for path in ("/studio/voices/nobody", "/studio/voices/..%2fanna", "/studio/voices/nobody/export"):
            answer = shop[0].get(path)
            assert answer.status_code == 404, path
        assert "There is no voice &#39;nobody&#39;." in shop[0].get("/studio/voices/nobody").text

    def test_sign_with_a_new_key(self, shop: tuple[Server, Path]) -> None:
        server, work = shop
        assert post(server, "/studio/voices/anna/sign", new="../anna").status_code == 400
        assert (
            post(server, "/studio/voices/anna/sign", new="studio").headers["location"].endswith("done=signed#release")
        )
        assert (work / "keys/studio.pem").stat().st_mode & 0o777 == 0o600
        page = server.get("/studio/voices/anna").text
        assert "by the key studio.pub.pem" in page
        assert ">signed</span>" in page

    def test_a_damaged_bundle_has_a_remedy(self, shop: tuple[Server, Path]) -> None:
        server, work = shop
        sample = work / "bundles/eve/voice_bundle/sample.wav"
        data = sample.read_bytes()
        sample.write_bytes(data + b"\0")
        page = server.get("/studio/voices/eve").text
        assert "does not verify" in page
        assert "put back a kept version" in page.lower()
        answer = post(server, "/studio/voices/eve/certify")
        assert answer.status_code >= 400
        assert "is not certified" in answer.text
        sample.write_bytes(data)

    def test_keep_and_put_back(self, shop: tuple[Server, Path]) -> None:
        server, work = shop
        assert post(server, "/studio/voices/anna/keep").status_code == 303
        kept = [path.stem for path in (work / "versions/anna").glob("*.tar")]
        assert len(kept) == 1
        before = (work / "bundles/anna/voice_bundle/manifest.json").read_bytes()
        (work / "bundles/anna/voice_bundle/sample.wav").write_bytes(b"damaged")
        unknown = post(server, "/studio/voices/anna/restore", version="20200101T000000Z-000000000000")
        assert (unknown.status_code, unknown.headers["x-voicemill-reason"]) == (404, "version_unknown")
        back = post(server, "/studio/voices/anna/restore", version=kept[0])
        assert back.status_code == 303, back.text
        assert (work / "bundles/anna/voice_bundle/manifest.json").read_bytes() == before
        assert ">certified</span>" in server.get("/studio/voices/anna").text

    def test_export(self, shop: tuple[Server, Path], tmp_path: Path) -> None:
        answer = shop[0].get("/studio/voices/anna/export?format=bundle")
        assert answer.headers["content-disposition"] == 'attachment; filename="anna.tar"'
        (tmp_path / "anna.tar").write_bytes(answer.content)
        from voicemill.bundle.packing import import_bundle

        assert import_bundle(tmp_path / "anna.tar", tmp_path / "bundles").voice == "anna"
        assert shop[0].get("/studio/voices/anna/export?format=exe").status_code == 400

    def test_only_a_bundle_that_verifies_is_promoted(self, shop: tuple[Server, Path], made: Path) -> None:
        server, work = shop
        built = work / "checkpoints/prod_tts_voice_bundle"
        shutil.copytree(made / "built", built)
        (work / "artifacts").mkdir(exist_ok=True)
        trained = files.read_json(made / "status.json") | {"dataset_manifest": "datasets/mia/manifest.jsonl"}
        files.write_json(work / "artifacts/prod_tts_train_status.json", trained)
        (built / "extra").write_text("x")
        answer = post(server, "/studio/voices/mia/promote", display_name="Mia")
        assert "does not verify, so it is not promoted" in answer.text
        assert not (work / "bundles/mia").exists()
        (built / "extra").unlink()
        assert post(server, "/studio/voices/mia/promote", display_name="").status_code == 303
        assert post(server, "/studio/voices/mia/promote", display_name="Mia").status_code == 303
        page = server.get("/studio/voices/mia").text
        assert "Mia" in page
        assert "Checklist of the new bundle" not in page, "it is promoted"
        manifest = work / "bundles/mia/voice_bundle/manifest.json"
        manifest.write_text(
            manifest.read_text("utf-8").replace("source_manifest_sha256", "source_manifest_of"), "utf-8"
        )
        page = server.get("/studio/voices/mia").text
        assert "Checklist of the new bundle" in page
        assert "Comes after promotion." in page
        assert post(server, "/studio/voices/mia/promote", display_name="Mia").status_code == 303
        assert 1 <= len(list((work / "versions/mia").glob("*.tar"))) <= 2

    def test_a_trained_bundle_waits_until_it_is_promoted(self, shop: tuple[Server, Path], made: Path) -> None:
        server, work = shop
        certify(publish(made, work / "candidates", "nora", "Nora"))
        assert ">to be promoted</span>" in server.get("/studio/?q=nora").text
        assert "Nora, not promoted yet" in server.get("/studio/listen?voice=nora@new").text
        assert "nora" not in [voice["id"] for voice in server.get("/v1/models").json()["data"]], "it is not served"
        body = {"voice": "nora@new", "text": "Good morning."}
        spoken = httpx.post(f"{server.url}/studio/api/speak", json=body, headers={"Origin": server.url}, timeout=120)
        assert spoken.status_code == 200, spoken.text
        page = post(server, "/studio/listening-tests", rater="Ann", first="nora@new", sentences="Good morning.")
        post(server, page.headers["location"], number="0", answer="4")
        assert (work / "candidates/nora/opinions.json").is_file()
        manifest = (work / "candidates/nora/voice_bundle/manifest.json").read_bytes()
        (work / "candidates/nora/voice_bundle/extra").write_text("x")
        refused = post(server, "/studio/voices/nora/promote")
        assert "does not verify, so it is not promoted" in refused.text
        (work / "candidates/nora/voice_bundle/extra").unlink()
        assert post(server, "/studio/voices/nora/promote").status_code == 303
        assert (work / "bundles/nora/voice_bundle/manifest.json").read_bytes() == manifest
        assert not (work / "candidates/nora").exists()
        voice = server.get("/studio/voices/nora").text
        assert ">certified</span>" in voice
        assert "<b>4.00</b>" in voice, "the answers are still those about this bundle"
        assert "1 answer of 1 rater" in voice
        # The next one replaces it: answers about both are kept, also when the first one is put back.
        publish(made, work / "candidates", "nora", "Nora 2")
        page = post(server, "/studio/listening-tests", rater="Ben", first="nora", sentences="Good evening.")
        post(server, page.headers["location"], number="0", answer="2")
        assert post(server, "/studio/voices/nora/promote").status_code == 303
        assert len(opinions.read(work / "bundles/nora/voice_bundle").answers) == 2
        (work / "bundles/nora/opinions.json").unlink()
        (kept,) = (path.stem for path in (work / "versions/nora").glob("*.tar"))
        assert post(server, "/studio/voices/nora/restore", version=kept).status_code == 303
        assert "2 answers of 2 raters" in server.get("/studio/voices/nora").text
        again = post(server, "/studio/voices/nora/promote")
        assert again.headers["x-voicemill-reason"] == "not_found", "the last training was of another voice"

    def test_delete_asks_and_deletes_what_was_chosen(self, shop: tuple[Server, Path], made: Path) -> None:
        server, work = shop
        publish(made, work / "bundles", "tom", "Tom")
        versions_before = post(server, "/studio/voices/tom/keep")
        assert versions_before.status_code == 303
        assert post(server, "/studio/voices/tom/delete").status_code == 400
        assert (work / "bundles/tom").is_dir()
        assert post(server, "/studio/voices/tom/delete", bundle="on").status_code == 303
        assert not (work / "bundles/tom").exists()
        assert (work / "versions/tom").is_dir()


def test_a_voice_in_training_is_not_deleted(tmp_path: Path) -> None:
    job = ScriptJob("1", overview.TRAINING, "running", "", 0, metadata={"voice": "anna"})
    voice = overview.VoiceOverview("anna", "Anna", jobs=(job,))
    with pytest.raises(RefusedError) as refused:
        delete(None, voice, Deletion(dataset=True, bundle=True, versions=True))  # type: ignore[arg-type]
    assert refused.value.code == "voice_in_training"


def test_every_row_of_the_checklist_has_a_remedy() -> None:
    source = (REPOSITORY / "lib/voicemill/verify").glob("*.py")
    keys = {key for path in source for key in re.findall(r'ChecklistRow\(\s*"(\w+)"', path.read_text("utf-8"))}
    assert keys - {"marks", "recordings"} == set(ADVICE), "those two are never NO-GO"


def evaluated(**values: float) -> Evaluation:
    found = measured()
    like = found.figures["cer"]
    return found.model_copy(
        update={"figures": {name: like.model_copy(update={"value": values[name]}) for name in values}}
    )


@pytest.mark.parametrize(
    ("name", "before", "now", "trend"),
    [
        ("wer_whisper", 0.20, 0.10, "better"),
        ("wer_whisper", 0.10, 0.20, "worse"),
        ("wer_whisper", 0.200, 0.201, "same"),
        ("dnsmos_p808", 3.0, 3.5, "better"),
        ("dnsmos_p808", 3.5, 3.0, "worse"),
        ("speaker_similarity_ratio", 0.90, 0.95, "better"),
    ],
)
def test_a_figure_has_its_trend(name: str, before: float, now: float, trend: str) -> None:
    found = overview.shown_figure(name, "Title", evaluated(**{name: now}), evaluated(**{name: before}))
    assert (found.trend, found.value) == (trend, now)
    assert found.before
    assert overview.shown_figure(name, "Title", evaluated(**{name: now}), None).trend == ""


def test_the_chart_of_versions_compares_one_recogniser() -> None:
    def voice(*rates: Evaluation) -> overview.VoiceOverview:
        *older, now = rates
        kept = tuple(versions.Version("anna", str(number), Path(), one) for number, one in enumerate(reversed(older)))
        return overview.VoiceOverview("anna", "Anna", versions=kept, evaluation=now, version="now")

    chart = trend_chart(voice(evaluated(wer=0.3), evaluated(wer=0.2), evaluated(wer=0.1)))
    assert chart is not None
    assert chart.title == "Words wrong by version"
    assert trend_chart(voice(evaluated(wer=0.1))) is None
    assert trend_chart(voice(evaluated(wer=0.3), evaluated(wer_whisper=0.1))) is None


def test_ages() -> None:
    assert [overview.ago(1000.0, now) for now in (1030.0, 1060.0, 1000.0 + 7200, 1000.0 + 86_400 * 40)] == [
        "just now",
        "1 minute",
        "2 hours",
        "1 month",
    ]


def test_a_version_of_no_tar_has_no_figures(tmp_path: Path) -> None:
    from voicemill.workspace import Workspace

    workspace = Workspace(tmp_path / "work", tmp_path / "cache")
    folder = versions.folder(workspace, "anna")
    folder.mkdir(parents=True)
    (folder / "20261130T000000Z-0123456789ab.tar").write_bytes(b"no tar")
    (folder / "notes.tar").write_bytes(b"")
    (found,) = versions.kept(workspace, "anna")
    assert (found.evaluation, found.promoted_at) == (None, "2026-11-30T00:00:00Z")


def test_a_cloned_voice_is_in_the_table(shop: tuple[Server, Path]) -> None:
    server, work = shop
    folder = work.parent / "cache/voices/clara"
    folder.mkdir(parents=True)
    now = "2026-11-30T10:00:00+00:00"
    rights = Rights(consent="I agree.", licence="CC0-1.0")
    voice = SpeakingVoice(
        slug="clara", display_name=HOSTILE, created_at=now, updated_at=now, engine="clone_prompt", rights=rights
    )
    (folder / "voice.json").write_text(voice.dump(), "utf-8")
    broken = work.parent / "cache/voices/broken"
    broken.mkdir()
    (broken / "voice.json").write_text("{", "utf-8")
    text = server.get("/studio/?q=cloned").text
    assert "/studio/voices/clara" in text
    assert HOSTILE not in text
    assert "CC0-1.0" in text
    page = server.get("/studio/voices/clara")
    assert page.status_code == 200
    assert "cannot speak yet" in page.text
