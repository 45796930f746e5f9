"""Verify and promote: the checklist with what to do, and certify, sign, promote, keep, put back, export."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from voicemill import files
from voicemill.bundle import promote as promoting
from voicemill.bundle.export_formats import export_format
from voicemill.bundle.manifest import MANIFEST
from voicemill.bundle.packing import export_bundle
from voicemill.bundle.signing import generate_keys
from voicemill.bundle.statements import sign_bundle, signature_path
from voicemill.casimir.packs import SHIPPED_PACKS
from voicemill.errors import NotAcceptableError, VoicemillError
from voicemill.settings import REPOSITORY
from voicemill.verify import certificate
from voicemill.verify.checklist import Verification, verify_bundle
from voicemill.verify.rows import Demand
from voicemill.weights.allowlist import SHIPPED
from voicemill_serve.refusals import RequestRefusedError
from voicemill_studio import candidates, overview, versions
from voicemill_studio.frame import Studio, form, redirect

if TYPE_CHECKING:
    from voicemill_studio.overview import ShownFigure, VoiceOverview

ADVICE = {
    "allowlist": "Train again from a base model that the shipped allowlist permits.",
    "status": "Train to the end. A dry run, or a training outside its limits, cannot be promoted.",
    "files": "Files were changed, added or lost after promotion. Put back a kept version, or promote the bundle again.",
    "complete": "Run the training to the end again: it writes every file that is missing here.",
    "archives": "A model file is not what it should be. Do not use it; put back a kept version, or train again.",
    "consent": "Record the speaker's consent on the page Record, or give it with the dataset, then train again.",
    "reproducibility": "Train inside a checkout of the repository, so that commit, settings and dataset are recorded.",
    "casimir": "Press Certify: it measures the bundle and writes the certificate. If that fails, the voice is outside "
    "its limits: train longer, or record more.",
    "signature": "Press Sign. A signature of an older state of the bundle does not hold for this one.",
}
"""What to do about a NO-GO, by row of the checklist."""
ADVICE_BEFORE = {**ADVICE, "casimir": "Comes after promotion."}
"""The same for a bundle that is not promoted yet."""
FORMATS = {
    "bundle": "Everything, for another voicemill",
    "onnx": "ONNX graph with its tokens",
    "sherpa-onnx": "For sherpa-onnx",
    "piper": "For Piper and Home Assistant",
}
KEYS = "keys"
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Release:
    """Everything about the release of a voice.

    Attributes:
        verification: of the promoted bundle; None without one.
        candidate: of the trained bundle that waits, or of the production bundle that the last training built; None
            without one.
        candidate_is_promoted: the promoted bundle was made from it.
        waits: the candidate waits in `candidates`, so it has its name already.
        figures: of the candidate that waits, compared with the promoted bundle.
        keys: names of the private keys on this server.
    """

    verification: Verification | None
    candidate: Verification | None
    candidate_is_promoted: bool
    waits: bool
    figures: list[ShownFigure]
    keys: list[str]


def release_of(studio: Studio, voice: VoiceOverview) -> Release:
    """Verify what there is of a voice."""
    root = voice.promoted.root if voice.promoted else None
    promoted = _verified(root, studio) if root else None
    if voice.candidate is not None:
        now = overview.read_evaluation(voice.candidate.root)
        figures = [overview.shown_figure(name, title, now, voice.evaluation) for name, title in overview.FIGURES]
        return Release(promoted, _verified(voice.candidate.root), False, True, figures, keys(studio))
    built = studio.workspace.production_bundle
    last = _trained_last(studio) if voice.training is None and (built / MANIFEST).is_file() else ("", "")
    candidate = _verified(built) if last[0] == voice.id else None
    loaded = candidate.check.loaded if candidate is not None else None
    if loaded is not None and getattr(loaded.manifest, "dataset_sha256", None) != last[1]:
        candidate = loaded = None  # the bundle of an earlier training
    same = False
    if root is not None and loaded is not None:
        try:
            stated = files.read_json(root / MANIFEST)["provenance"]["source_manifest_sha256"]
            same = stated == loaded.sha256
        except (OSError, ValueError, KeyError, TypeError, VoicemillError):
            same = False
    return Release(promoted, candidate, same, False, [], keys(studio))


def _verified(root: Path, studio: Studio | None = None) -> Verification:
    """The checklist; with the signature, where there is one and its public key is among the server's."""
    demand = None
    if studio is not None and signature_path(root).is_file():
        demand = next(iter(Demand(folder_of_keys(studio) / f"{name}.pub.pem") for name in keys(studio)), None)
    return verify_bundle(root, REPOSITORY / SHIPPED, signature=demand)


def _trained_last(studio: Studio) -> tuple[str, str]:
    """The voice and the digest of the dataset that the training status of the workspace names; empty without one."""
    try:
        status = files.read_json(studio.workspace.artifacts / "prod_tts_train_status.json")
        return Path(str(status["dataset_manifest"])).parent.name, str(status["dataset_sha256"])
    except (OSError, ValueError, KeyError, TypeError, VoicemillError):
        return "", ""


def folder_of_keys(studio: Studio) -> Path:
    """Folder of the server's keys."""
    return studio.workspace.work / KEYS


def keys(studio: Studio) -> list[str]:
    """Names of the private keys on this server."""
    found = folder_of_keys(studio).glob("*.pem")
    return sorted(path.name.removesuffix(".pem") for path in found if not path.name.endswith(".pub.pem"))


def routes(studio: Studio) -> list[BaseRoute]:
    """What is done to a voice, below `/studio/voices/<voice>/`."""
    found = _Actions(studio)
    address = "/studio/voices/{voice}/"
    posts = {
        "certify": found.certify,
        "sign": found.sign,
        "promote": found.promote,
        "keep": found.keep,
        "restore": found.restore,
    }
    made: list[BaseRoute] = [
        Route(address + name, studio.endpoint(action), methods=["POST"]) for name, action in posts.items()
    ]
    return [*made, Route(address + "export", studio.endpoint(found.export), methods=["GET"])]


class _Actions:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def certify(self, request: Request) -> Response:
        root = await self._root(request)
        await _in_thread(lambda: certify(root))
        return self._back(request, "certified")

    async def sign(self, request: Request) -> Response:
        root, fields = await self._root(request), await form(request)
        name = fields.get("key") or fields.get("new", "")
        if not _KEY.fullmatch(name) or ".." in name:
            raise RequestRefusedError(
                "The key's name must have 1 to 64 letters, digits, '.', '_' or '-'.", reason="bad_usage"
            )
        await _in_thread(lambda: self._sign(root, name, new=not fields.get("key")))
        return self._back(request, "signed")

    def _sign(self, root: Path, name: str, *, new: bool) -> None:
        folder = folder_of_keys(self._studio)
        private = folder / f"{name}.pem"
        if new:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            generate_keys(private, folder / f"{name}.pub.pem")
        elif name not in keys(self._studio):
            raise RequestRefusedError(f"There is no key {name!r} on this server.", reason="bad_usage")
        sign_bundle(root, private)

    async def promote(self, request: Request) -> Response:
        voice, fields = request.path_params["voice"], await form(request)
        bundles = self._studio.services.settings.bundles[0]
        current = self._studio.services.voices.folders().get(voice)
        name = fields.get("display_name", "")
        await _in_thread(lambda: promote(self._studio, voice, name, bundles, current))
        return self._back(request, "promoted")

    async def keep(self, request: Request) -> Response:
        voice, root = request.path_params["voice"], await self._root(request)
        await _in_thread(lambda: versions.keep(self._studio.workspace, voice, root))
        return self._back(request, "kept")

    async def restore(self, request: Request) -> Response:
        voice, fields = request.path_params["voice"], await form(request)
        version = versions.get(self._studio.workspace, voice, fields.get("version", ""))
        root = self._studio.services.voices.folders().get(voice)
        bundles = root.parents[1] if root else self._studio.services.settings.bundles[0]

        def put_back() -> None:
            if root is not None:
                versions.keep_whole(self._studio.workspace, voice, root)
            versions.put_back(version, bundles)

        await _in_thread(put_back)
        return self._back(request, "restored")

    async def export(self, request: Request) -> Response:
        voice, root = request.path_params["voice"], await self._root(request)
        wanted = request.query_params.get("format", "bundle")
        if wanted not in FORMATS:
            raise RequestRefusedError(f"There is no format {wanted[:40]!r}.", reason="bad_usage")
        folder = tempfile.TemporaryDirectory(prefix="voicemill-export-")
        name = f"{voice}.tar" if wanted == "bundle" else f"{voice}-{wanted}.tar"
        target = Path(folder.name) / name
        try:
            if wanted == "bundle":
                await _in_thread(lambda: export_bundle(root, target))
            else:
                await _in_thread(lambda: export_format(root, target, wanted))  # type: ignore[arg-type]
        except BaseException:
            folder.cleanup()
            raise
        return FileResponse(
            target, filename=name, media_type="application/x-tar", background=BackgroundTask(folder.cleanup)
        )

    async def _root(self, request: Request) -> Path:
        state = await self._studio.services.voices.state(request.path_params["voice"])
        return state.root

    def _back(self, request: Request, done: str) -> Response:
        voice = request.path_params["voice"]
        self._studio.services.log.write("voice_changed", voice=voice, what=done)
        return redirect(f"/studio/voices/{voice}?done={done}#release")


def certify(root: Path) -> None:
    """Measure a promoted bundle and write its certificate, as `voice-verify certify` does.

    Raises:
        NotAcceptableError: the verdict is no PASS.
    """
    verification = verify_bundle(root, REPOSITORY / SHIPPED)
    target = certificate.certificate_path(root)
    outcome, answer = certificate.certify(verification.check, verification.demands, REPOSITORY / SHIPPED_PACKS, target)
    certificate.require(outcome, answer, "The voice")


def promote(studio: Studio, voice: str, display_name: str, bundles: Path, current: Path | None) -> None:
    """Promote the trained bundle that waits, else the production bundle of the last training, if it verifies; the
    present bundle is kept as a version.

    Raises:
        RequestRefusedError: `not_found`, the last training was of another voice.
        NotAcceptableError: `verification_failed`, `dry_run_not_promotable`.
        UsageError: the display name cannot be used.
    """
    waiting = candidates.root_of(studio.workspace, voice)
    if waiting is None and _trained_last(studio)[0] != voice:
        raise RequestRefusedError(f"No trained bundle of {voice} waits to be promoted.", reason="not_found")
    built = waiting or studio.workspace.production_bundle
    verification = verify_bundle(built, REPOSITORY / SHIPPED)
    if not verification.ok:
        row = next((row for row in verification.rows if not row.go and not row.certification_only), None)
        raise NotAcceptableError(
            "The bundle does not verify, so it is not promoted" + (f": {row.detail}." if row else "."),
            reason=verification.reason,
            hint=ADVICE.get(row.key, "") if row else ADVICE["files"],
        )
    if current is not None:
        versions.keep_whole(studio.workspace, voice, current)
    if waiting is not None:
        candidates.promote(studio.workspace, voice, bundles)
        return
    promoting.promote(
        built / MANIFEST,
        bundles,
        voice,
        display_name or voice,
        allowlist=REPOSITORY / SHIPPED,
        base=studio.workspace.work,
    )


async def _in_thread(work: Callable[[], object]) -> None:
    await asyncio.get_running_loop().run_in_executor(None, work)
