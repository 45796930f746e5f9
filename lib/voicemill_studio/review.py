"""Review of a prepared dataset: the page of `voicemill.review`, some clips at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from voicemill import files
from voicemill.dataset import doubts
from voicemill.dataset.prepared import PreparedDataset, load_checked
from voicemill.errors import UsageError
from voicemill.evaluation.pages import Card
from voicemill.review import dataset_view, rejections
from voicemill.review.dataset_view import ClipRow
from voicemill.review.pictures import PictureTask, pictures_of
from voicemill.review.rejections import ClipSound, RejectedRow
from voicemill.review.session import Decision, ReviewSession, RowState
from voicemill.workspace import profile_id
from voicemill_serve.guard import note
from voicemill_serve.refusals import RequestRefusedError, json_response
from voicemill_studio import preparation
from voicemill_studio.frame import API, Link, Studio, redirect

HOME = "/studio/review"
CLIPS, STRETCHES = 20, 50
"""Of one page: clips, and rejected stretches."""
MAX_BODY = 64 * 1024
SORTS = (
    ("order", "as recorded"),
    ("score", "alignment, worst first"),
    ("snr", "noisiest first"),
    ("seconds", "shortest first"),
    ("-seconds", "longest first"),
    ("loudness", "quietest first"),
    ("-loudness", "loudest first"),
    ("-rate", "fastest first"),
    ("rate", "slowest first"),
)
SHOWN = (
    ("", "all"),
    ("doubtful", "doubtful"),
    ("edited", "edited"),
    ("recognised", "recognised texts"),
    ("train", "training"),
    ("validation", "validation"),
)


@dataclass(frozen=True)
class Asked:
    """What a page shows.

    Attributes:
        find: words that a clip or stretch must contain.
        sort: one of `SORTS`; a minus is descending.
        show: one of `SHOWN`.
        page: of the clips, from 1.
        reason: of rejected stretches; empty for all.
        left: page of the rejected stretches, from 1.
    """

    find: str = ""
    sort: str = "order"
    show: str = ""
    page: int = 1
    reason: str = ""
    left: int = 1

    @classmethod
    def read(cls, request: Request) -> Asked:
        """From the address; what is not valid is left out."""
        given = request.query_params

        def number(name: str) -> int:
            text = given.get(name, "1")
            return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1

        sort, show = given.get("sort", "order"), given.get("show", "")
        return cls(
            find=given.get("find", "").strip()[:200],
            sort=sort if sort in dict(SORTS) else "order",
            show=show if show in dict(SHOWN) else "",
            page=number("page"),
            reason=given.get("reason", "")[:100],
            left=number("left"),
        )

    def address(self, **changes: object) -> str:
        """The query of another page with the same choices."""
        fields = {**self.__dict__, **changes}
        return "?" + urlencode({name: value for name, value in fields.items() if value not in ("", 1, "order")})


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/review` and what its script calls."""
    studio.links.append(Link("review", "Review", HOME))
    found = _Endpoints(studio)
    return [
        Route(HOME, studio.endpoint(found.datasets), methods=["GET"]),
        Route(f"{HOME}/{{voice}}", studio.endpoint(found.show), methods=["GET"]),
        Route(f"{HOME}/{{voice}}/prepare", studio.endpoint(found.prepare), methods=["POST"]),
        Route(f"{HOME}/{{voice}}/sound/{{path:path}}", studio.endpoint(found.sound), methods=["GET"]),
        Route(f"{API}review/{{voice}}", studio.endpoint(found.decide), methods=["POST"]),
    ]


class _Endpoints:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._known: dict[Path, tuple[tuple[int, int], ReviewSession]] = {}

    async def datasets(self, request: Request) -> Response:
        folder = self._studio.workspace.work / "datasets"
        names = sorted(path.parent.name for path in folder.glob("*/dataset.json"))
        return self._studio.page("review.html.j2", active="review", datasets=names)

    async def show(self, request: Request) -> Response:
        session = await asyncio.to_thread(self._session, request)
        asked = Asked.read(request)
        values = await asyncio.to_thread(_values, session, asked, self._studio.workspace.stage_cache)
        return self._studio.page(
            "review_dataset.html.j2", active="review", asked=asked, sorts=SORTS, shown=SHOWN, **values
        )

    async def prepare(self, request: Request) -> Response:
        """Prepare the voice again from the same recordings, with the decisions of the review."""
        session = await asyncio.to_thread(self._session, request)
        voice = profile_id(request.path_params["voice"])
        rate = session.dataset.description.settings.sample_rate
        job = await preparation.submit(self._studio, voice, ["--voice", voice, "--sample-rate", str(rate)])
        note(request.state, voice=voice)
        return redirect(preparation.address_of(job))

    async def sound(self, request: Request) -> Response:
        session = await asyncio.to_thread(self._session, request)
        path = session.sound_file(request.path_params["path"])
        if path is None or not path.is_file():
            raise RequestRefusedError("There is no such sound.", reason="not_found")
        return FileResponse(path, media_type="audio/wav")

    async def decide(self, request: Request) -> Response:
        session = await asyncio.to_thread(self._session, request)
        try:
            decision = Decision.model_validate(files.parse_json(await request.body(), max_bytes=MAX_BODY))
        except (files.InvalidJsonError, ValidationError) as error:
            raise RequestRefusedError("The request is not a valid decision.", reason="bad_usage") from error
        state = await asyncio.to_thread(session.decide, decision)
        note(request.state, voice=request.path_params["voice"])
        return json_response(state.model_dump(mode="json"))

    def _session(self, request: Request) -> ReviewSession:
        """The dataset of a voice, checked and loaded once for each preparation of it."""
        root = self._studio.workspace.dataset(profile_id(request.path_params["voice"]))
        try:
            stat = (root / "dataset.json").stat()
        except OSError as error:
            raise UsageError("There is no prepared dataset of this name.", reason="dataset_not_found") from error
        stamp = (stat.st_mtime_ns, stat.st_ino)
        known = self._known.get(root)
        if known is None or known[0] != stamp:
            known = self._known[root] = (stamp, ReviewSession(load_checked(root)))
        return known[1]


def _values(session: ReviewSession, asked: Asked, cache: Path) -> dict[str, Any]:
    """The variables of the template."""
    dataset = session.dataset
    states = session.states()
    rows = _clips(dataset, states, asked, cache)
    left = _stretches(dataset, asked)
    first, begin = (asked.page - 1) * CLIPS, (asked.left - 1) * STRETCHES
    clips, stretches = rows[first : first + CLIPS], left[begin : begin + STRETCHES]
    drawn = [_drawn(dataset, index, cache) for index in clips]
    clips_shown, rows_shown = {row.id for row in drawn}, {row.number for row in stretches}
    return {
        "voice": dataset.description.settings.voice,
        "sha256": dataset.sha256,
        "headline": dataset_view.headline(dataset),
        "cards": list[Card](dataset_view.cards(dataset)),
        "clips": drawn,
        "rejected": stretches,
        "reasons": [(reason, total.count) for reason, total in dataset.report.by_reason.items()],
        "counts": (len(rows), len(dataset.entries), len(left), len(dataset.report.rejected)),
        "pages_of": (_pages(len(rows), CLIPS), _pages(len(left), STRETCHES)),
        "states": [
            state.model_dump(mode="json")
            for state in states
            if state.clip in clips_shown or (state.clip is None and state.rejected in rows_shown)
        ],
    }


def _pages(count: int, size: int) -> int:
    return max(1, -(-count // size))


def _clips(dataset: PreparedDataset, states: Sequence[RowState], asked: Asked, cache: Path) -> list[int]:
    """Indices of the clips that are asked for, in their order."""
    doubtful = doubts.read(dataset.root)
    edited = {state.clip for state in states if state.clip and _is_edited(state)}
    texts = {state.clip: state.text or "" for state in states if state.clip}
    terms = asked.find.lower().split()
    found = []
    for index, entry in enumerate(dataset.entries):
        keep = {
            "doubtful": entry.id in doubtful,
            "edited": entry.id in edited,
            "recognised": entry.text_source == "recogniser",
            "train": entry.split != "validation",
            "validation": entry.split == "validation",
        }.get(asked.show, True)
        text = f"{entry.id} {entry.text} {texts.get(entry.id, '')} {entry.source}".lower()
        if keep and all(term in text for term in terms):
            found.append(index)
    if asked.sort == "order":
        return sorted(found, key=lambda index: dataset.entries[index].id not in doubtful)
    name = asked.sort.removeprefix("-")
    return sorted(found, key=lambda index: _key(dataset, index, name), reverse=asked.sort.startswith("-"))


def _key(dataset: PreparedDataset, index: int, name: str) -> float:
    entry = dataset.entries[index]
    return {
        "score": entry.quality.alignment_score,
        "snr": entry.quality.snr_db,
        "seconds": entry.duration,
        "loudness": entry.quality.loudness_dbfs,
        "rate": dataset_view.syllables_per_second(entry),
    }[name]


def _is_edited(state: RowState) -> bool:
    moved = state.edges != state.stood
    return state.text is not None or state.verdict is not None or moved or bool(state.pronunciations)


def _drawn(dataset: PreparedDataset, index: int, cache: Path) -> ClipRow:
    entry = dataset.entries[index]
    pitch = dataset.root / "supplementary" / f"{entry.id}.npz"
    drawn = pictures_of(PictureTask(dataset.root / entry.audio_filepath, entry.sha256, pitch, cache))
    sound = _sound(dataset, entry.audio_filepath)
    return dataset_view.clip_row(entry, drawn, sound, doubts.read(dataset.root).get(entry.id, ()))


def _stretches(dataset: PreparedDataset, asked: Asked) -> list[RejectedRow]:
    terms = asked.find.lower().split()
    found = []
    for number, row in enumerate(dataset.report.rejected):
        made = rejections.rejected_row(number, row, _sound(dataset, row.audio) if row.audio else None)
        text = f"{made.reason} {made.means} {made.text} {made.source} {made.detail}".lower()
        if asked.reason in ("", made.reason) and all(term in text for term in terms):
            found.append(made)
    return found


def _sound(dataset: PreparedDataset, path: str) -> ClipSound:
    return ClipSound(f"{HOME}/{dataset.root.name}/sound/{path}", embedded=False)
