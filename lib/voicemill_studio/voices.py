"""The table of all voices, and the page of one voice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill import files
from voicemill.errors import RefusedError
from voicemill.evaluation.charts import Series, line_chart
from voicemill.evaluation.pages import Chart
from voicemill.evaluation.wording import figure_row, in_order
from voicemill.metrics.catalogue import BY_NAME
from voicemill.metrics.metric import display_of
from voicemill.voices import registry
from voicemill_serve.refusals import RequestRefusedError
from voicemill_studio import candidates, listening_tests, overview, promotion, record, reports, versions
from voicemill_studio.frame import HOME, Link, Studio, form, redirect
from voicemill_studio.overview import FIGURES, VoiceOverview

ORDERS: dict[str, Callable[[VoiceOverview], object]] = {
    "name": lambda voice: voice.display_name.casefold(),
    "minutes": lambda voice: -(voice.minutes or 0.0),
    "age": lambda voice: -(voice.changed or 0.0),
}
"""Ways to sort the table; those of the figures come with `_order`."""
DONE = {
    "certified": "The voice is certified.",
    "signed": "The voice is signed.",
    "promoted": "The bundle is promoted.",
    "kept": "The version is kept.",
    "restored": "The kept version is the voice again.",
    "deleted": "What you chose is deleted.",
}
"""What a page reports after a form; addresses name one of these and no text."""


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/` and the pages below `/studio/voices/`."""
    studio.links.append(Link("voices", "Voices", HOME))
    found = _Pages(studio)
    return [
        Route(HOME, studio.endpoint(found.table), methods=["GET"]),
        Route("/studio/voices/{voice}", studio.endpoint(found.voice), methods=["GET"]),
        Route("/studio/voices/{voice}/delete", studio.endpoint(found.ask_delete), methods=["GET"]),
        Route("/studio/voices/{voice}/delete", studio.endpoint(found.delete), methods=["POST"]),
    ]


class _Pages:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def table(self, request: Request) -> Response:
        voices = await overview.every_voice(self._studio)
        asked = request.query_params.get("q", "").strip()[:200]
        order = request.query_params.get("sort", "name")
        shown = sorted((voice for voice in voices if matches(voice, asked)), key=lambda voice: _order(voice, order))
        return self._studio.page(
            "voices.html.j2",
            active="voices",
            voices=shown,
            total=len(voices),
            asked=asked,
            order=order,
            figures=FIGURES,
            ago=overview.ago,
            moment=overview.moment,
            done=DONE.get(request.query_params.get("done", ""), ""),
        )

    async def voice(self, request: Request) -> Response:
        voice = await known(self._studio, request.path_params["voice"])
        evaluation = voice.evaluation
        rows = [figure_row(name, evaluation.figures[name]) for name in in_order(evaluation)] if evaluation else []
        loop = asyncio.get_running_loop()
        return self._studio.page(
            "voice.html.j2",
            active="voices",
            voice=voice,
            rows=rows,
            trend=trend_chart(voice),
            release=await loop.run_in_executor(None, promotion.release_of, self._studio, voice),
            opinion=listening_tests.result_of(self._studio, voice.id, voice.display_name) if voice.promoted else None,
            reports=reports.of_voice(self._studio.workspace, voice.id),
            advice=promotion.ADVICE,
            advice_before=promotion.ADVICE_BEFORE,
            formats=promotion.FORMATS,
            words_wrong=lambda evaluation: overview.shown_figure(*FIGURES[0], evaluation, None).text,
            consent=await loop.run_in_executor(None, record.unchecked_consent, self._studio, voice),
            facts=voice.prepared.rows() if voice.prepared else [],
            ago=overview.ago,
            moment=overview.moment,
            done=DONE.get(request.query_params.get("done", ""), ""),
        )

    async def ask_delete(self, request: Request) -> Response:
        voice = await known(self._studio, request.path_params["voice"])
        return self._studio.page("delete.html.j2", active="voices", voice=voice)

    async def delete(self, request: Request) -> Response:
        voice = await known(self._studio, request.path_params["voice"])
        chosen = await form(request)
        if not {"dataset", "bundle", "versions", "candidate"} & set(chosen):
            raise RequestRefusedError("Nothing was chosen, so nothing was deleted.", reason="bad_usage")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, delete, self._studio, voice, Deletion.of(chosen))
        self._studio.services.log.write("voice_deleted", voice=voice.id, what=",".join(sorted(chosen)))
        return redirect(f"{HOME}?done=deleted")


@dataclass(frozen=True)
class Deletion:
    """What of a voice is deleted."""

    dataset: bool
    bundle: bool
    versions: bool
    candidate: bool = False

    @classmethod
    def of(cls, fields: dict[str, str]) -> Deletion:
        """From the boxes of the form."""
        return cls(*(name in fields for name in ("dataset", "bundle", "versions", "candidate")))


async def known(studio: Studio, voice: str) -> VoiceOverview:
    """A voice that exists.

    Raises:
        RequestRefusedError: `voice_unknown`.
    """
    found = await overview.one_voice(studio, voice)
    if found is None:
        raise RequestRefusedError(f"There is no voice {voice[:100]!r}.", reason="voice_unknown")
    return found


def delete(studio: Studio, voice: VoiceOverview, what: Deletion) -> None:
    """Delete parts of a voice.

    Raises:
        RefusedError: `voice_in_training:<voice>`, `lane_busy:<voice>`.
        StorageError: something cannot be removed.
    """
    if voice.training is not None:
        raise RefusedError(
            f"{voice.id} is being trained.", reason=f"voice_in_training:{voice.id}", hint="Stop that job first."
        )
    if what.dataset and voice.prepared is not None:
        registry.delete(studio.workspace, voice.id)
    if what.bundle and voice.promoted is not None:
        root = voice.promoted.root
        if root.name != "voice_bundle" or root.parent.name != voice.id:
            raise RefusedError(
                f"The bundle of {voice.id} was given to the server by its path, so it is not deleted here.",
                reason=f"output_not_a_bundle:{voice.id}",
                hint="Delete its folder yourself.",
            )
        files.remove_directory(root.parent)
    if what.candidate:
        candidates.remove(studio.workspace, voice.id)
    folder = versions.folder(studio.workspace, voice.id)
    if what.versions and folder.is_dir():
        files.remove_directory(folder)
        for unpacked in versions.unpacked(studio.workspace).glob(f"{voice.id}{versions.SEPARATOR}*"):
            files.remove_directory(unpacked)


def matches(voice: VoiceOverview, asked: str) -> bool:
    """Whether every word of a search is in the voice's names, states, licence or consent."""
    states = " ".join(words for words, _ in voice.states)
    text = f"{voice.id} {voice.display_name} {states} {voice.licence} {voice.consent}".casefold()
    return all(word in text for word in asked.casefold().split())


def _order(voice: VoiceOverview, name: str) -> tuple[object, ...]:
    if name in ORDERS:
        return (ORDERS[name](voice), voice.id)
    figure = next((one for one in voice.figures if one.name == name), None)
    if figure is None or figure.value is None:
        return (1, 0.0, voice.id)
    lower = name not in ("speaker_similarity_ratio", "dnsmos_p808")
    return (0, figure.value if lower else -figure.value, voice.id)


def trend_chart(voice: VoiceOverview) -> Chart | None:
    """Words wrong in each version, the oldest first; None with fewer than two."""
    name, _ = FIGURES[0]
    evaluations = [one.evaluation for one in reversed(voice.versions) if one.name != voice.version]
    every = (*evaluations, voice.evaluation)
    for judge in (name, overview.FALLBACKS[name]):
        found = [None if each is None else each.figures.get(judge) for each in every]
        values = [None if figure is None else figure.value for figure in found]
        if sum(value is not None for value in values) > 1:
            break
    else:
        return None
    scale = display_of("ratio", BY_NAME[name])
    shown = [None if value is None else value * scale.scale for value in values]
    numbers = [float(number) for number in range(1, len(values) + 1)]
    svg = line_chart(
        [Series("words wrong", numbers, shown, "made")],
        title="Words wrong by version",
        description="Share of the words that a recogniser gets wrong, from the oldest version to the present one.",
        labels=("version", f"words wrong, {scale.suffix}"),
    )
    return Chart("Words wrong by version", svg, "The last version is the promoted one.", [("words wrong", "made")])
