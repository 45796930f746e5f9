"""Blind listening tests: two voices compared in random order, or one voice scored from 1 to 5.

The page of a question tells nothing about which voice speaks: the sounds have random addresses and are made before the
first question. The answers of a test are written beside the bundle when its last question is answered, or whenever the
listener ends it.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill.verify import opinions
from voicemill.verify.opinions import SCORES, Answer, Preference, Score
from voicemill_serve.refusals import RequestRefusedError
from voicemill_serve.speech import SpeechRequest, checked_text
from voicemill_studio import candidates, versions
from voicemill_studio.frame import Studio, form, redirect
from voicemill_studio.listen import choices
from voicemill_studio.sounds import Sound

ADDRESS = "/studio/listening-tests"
MOST_TESTS = 200
MOST_SENTENCES = 20
LONGEST_NAME = 100
SENTENCES = (
    "The birch canoe slid on the smooth planks.",
    "Four hours of steady work faced us.",
    "She asked whether the last train had left, and nobody knew.",
    "Please call me on Tuesday, at half past nine.",
    "A rich farm is rare in this sandy waste.",
)
"""The first, second and last are of the Harvard sentences (IEEE, 1969)."""


@dataclass
class ListeningTest:
    """One test of one listener.

    Attributes:
        voices: one to score, or two to compare; as `Sound.voice`.
        questions: the sounds of each question in the order in which they are shown.
        answers: of the questions so far.
        saved: the answers are in the file.
    """

    id: str
    rater: str
    voices: tuple[str, ...]
    questions: list[tuple[Sound, ...]]
    answers: list[Answer] = field(default_factory=list)
    saved: bool = False

    @property
    def number(self) -> int:
        """Of the question that is next, from 0."""
        return len(self.answers)

    @property
    def is_over(self) -> bool:
        """Whether every question is answered, or the listener has ended the test."""
        return self.saved or self.number >= len(self.questions)

    def answer(self, given: str) -> Answer:
        """The answer to the next question.

        Raises:
            RequestRefusedError: `bad_usage`.
        """
        shown = self.questions[self.number]
        if len(shown) == 1:
            if given not in [str(score) for score in range(1, 1 + len(SCORES))]:
                raise RequestRefusedError("Choose one of the five scores.", reason="bad_usage")
            return self._signed(shown[0], score=int(given))
        if given not in ("a", "b", "neither"):
            raise RequestRefusedError("Choose A, B or no difference.", reason="bad_usage")
        first = next(sound for sound in shown if sound.voice == self.voices[0])
        other = next(sound for sound in shown if sound is not first)
        chosen = None if given == "neither" else shown["ab".index(given)]
        preferred = "neither" if chosen is None else "this" if chosen is first else "other"
        return self._signed(first, other=other.manifest, preferred=preferred)

    def _signed(self, sound: Sound, **given: object) -> Answer:
        """An answer about a sound, with rater and time."""
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        known = {"bundle": sound.manifest, "rater": self.rater, "time": time, "text": sound.text}
        return Answer.model_validate(known | given)


@dataclass(frozen=True)
class Result:
    """What is known of a voice's bundle from all of its listeners."""

    title: str
    score: Score | None
    preferences: list[tuple[str, Preference]]


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/listening-tests` and below."""
    found = _Tests(studio)
    return [
        Route(ADDRESS, studio.endpoint(found.choose), methods=["GET"]),
        Route(ADDRESS, studio.endpoint(found.start), methods=["POST"]),
        Route(ADDRESS + "/{test}", studio.endpoint(found.show), methods=["GET"]),
        Route(ADDRESS + "/{test}", studio.endpoint(found.take), methods=["POST"]),
    ]


class _Tests:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._tests: OrderedDict[str, ListeningTest] = OrderedDict()

    async def choose(self, request: Request) -> Response:
        known = await choices(self._studio)
        return self._studio.page(
            "listening_tests.html.j2",
            active="listen",
            choices=known,
            asked=request.query_params.getlist("voice"),
            sentences="\n".join(SENTENCES),
            most=MOST_SENTENCES,
            results=[found for choice in known if (found := result_of(self._studio, choice.name, choice.title))],
        )

    async def start(self, request: Request) -> Response:
        fields = await form(request)
        rater = fields.get("rater", "")
        if not rater or len(rater) > LONGEST_NAME or not rater.isprintable():
            raise RequestRefusedError("Give your name, in at most 100 characters.", reason="bad_usage")
        first, second = fields.get("first", ""), fields.get("second", "")
        if first == second:
            raise RequestRefusedError("Choose two different voices, or one to score.", reason="bad_usage")
        limit = self._studio.services.settings.limits.characters
        lines = [checked_text(line, limit) for line in fields.get("sentences", "").splitlines() if line.strip()]
        if not 1 <= len(lines) <= MOST_SENTENCES:
            raise RequestRefusedError(f"Give 1 to {MOST_SENTENCES} sentences, one a line.", reason="bad_usage")
        voices = (first, second) if second else (first,)
        questions = []
        for line in lines:
            spoken = [await self._studio.sounds.speak(request, SpeechRequest(voice, line)) for voice in voices]
            random.SystemRandom().shuffle(spoken)
            questions.append(tuple(spoken))
        random.SystemRandom().shuffle(questions)
        test = ListeningTest(secrets.token_urlsafe(12), rater, voices, questions)
        self._tests[test.id] = test
        while len(self._tests) > MOST_TESTS:
            self._tests.popitem(last=False)
        return redirect(f"{ADDRESS}/{test.id}")

    async def show(self, request: Request) -> Response:
        test = self._test(request)
        if not test.is_over:
            shown = test.questions[test.number]
            template = "listening_question.html.j2"
            return self._studio.page(template, active="listen", test=test, sounds=shown, scores=SCORES)
        titles = {choice.name: choice.title for choice in await choices(self._studio)}
        results = [result_of(self._studio, voice, titles.get(voice, voice)) for voice in test.voices]
        return self._studio.page(
            "listening_result.html.j2", active="listen", test=test, results=[one for one in results if one]
        )

    async def take(self, request: Request) -> Response:
        test, fields = self._test(request), await form(request)
        if fields.get("number") == str(test.number) and not test.is_over:
            if "end" not in fields:
                test.answers.append(test.answer(fields.get("answer", "")))
            if test.is_over or "end" in fields:
                await asyncio.get_running_loop().run_in_executor(None, self._save, test)
        return redirect(f"{ADDRESS}/{test.id}")

    def _save(self, test: ListeningTest) -> None:
        if test.answers:
            opinions.add(root_of(self._studio, test.voices[0]), test.answers)
        test.saved = True

    def _test(self, request: Request) -> ListeningTest:
        test = self._tests.get(request.path_params["test"])
        if test is None:
            raise RequestRefusedError("This listening test is no longer here. Begin it again.", reason="not_found")
        return test


def result_of(studio: Studio, voice: str, title: str) -> Result | None:
    """What listeners think of a voice or version; None without an answer.

    Raises:
        RequestRefusedError: `voice_unknown`.
        BundleError: `opinions_invalid`.
    """
    root = root_of(studio, voice)
    known = opinions.read(root)
    if not known.answers:
        return None
    name, _, version = voice.partition(versions.SEPARATOR)
    bundle = versions.digest_of(root)
    if version == candidates.SUFFIX:
        waiting = candidates.root_of(studio.workspace, name)
        if waiting is None:
            return None
        bundle = versions.digest_of(waiting)
    elif version:
        unpacked = versions.unpacked(studio.workspace) / voice / "voice_bundle"
        if not unpacked.is_dir():
            return None
        bundle = versions.digest_of(unpacked)
    score = opinions.score_of(known, bundle)
    preferences = [(_name_of(studio, each.other), each) for each in opinions.preferences_of(known, bundle)]
    return Result(title, score, preferences) if score or preferences else None


def root_of(studio: Studio, voice: str) -> Path:
    """The promoted bundle of a voice, beside which the answers about each of its versions are kept; the one that waits
    where none is promoted.

    Raises:
        RequestRefusedError: `voice_unknown`.
    """
    name, _, version = voice.partition(versions.SEPARATOR)
    folders = studio.services.voices.folders()
    if name not in folders and version == candidates.SUFFIX:
        waiting = candidates.root_of(studio.workspace, name)
        if waiting is not None:
            return waiting
    if name not in folders:
        raise RequestRefusedError(f"There is no voice {name[:100]!r}.", reason="voice_unknown")
    return folders[name]


def _name_of(studio: Studio, manifest: str) -> str:
    """The voice or version whose bundle has this manifest, or its first digits."""
    for name, root in studio.services.voices.folders().items():
        if versions.digest_of(root) == manifest:
            return name
    for waiting in candidates.folder(studio.workspace).glob("*/voice_bundle"):
        if versions.digest_of(waiting) == manifest:
            return f"{waiting.parent.name}, not promoted yet"
    for folder in versions.unpacked(studio.workspace).glob("*/voice_bundle"):
        if versions.digest_of(folder) == manifest:
            return folder.parent.name
    return f"the bundle {manifest[:12]}"
