#!/usr/bin/env python3
"""voice-serve: finished voices over HTTP. See README.md."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

import click

from voicemill import console
from voicemill.commands import WithDefault

if TYPE_CHECKING:
    from voicemill.settings import Settings
    from voicemill_serve.services import Router

PATH = click.Path(path_type=Path)
EXAMPLES = """\b
Examples:
  voice-serve                                     every certified voice of work/bundles, on 127.0.0.1:5051
                                                  with the studio for a browser at http://127.0.0.1:5051/studio/
  voice-serve --bundles shared/voices --port 8080
  voice-serve --host 0.0.0.0 --token-file tokens.txt
  voice-serve --wyoming 10200 --wyoming-host 0.0.0.0

\b
  curl -d '{"text":"Good morning."}' http://127.0.0.1:5051/speak --output morning.wav
  docs/serving.md: the OpenAI client, Home Assistant, systemd.

\b
Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 refused (bad usage), 2 blocked (port taken, disk)."""


@click.command(
    "serve", context_settings={"max_content_width": 120, "help_option_names": ["-h", "--help"]}, epilog=EXAMPLES
)
@click.option("--host", help="Address to listen on.  [default: LOCAL_TTS_HOST or 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="0 for a free one.  [default: LOCAL_TTS_PORT or 5051]")
@click.option("--bundles", type=PATH, multiple=True, help="Folder of promoted voices, or one bundle; repeatable.")
@click.option("--voice", help="Voice of requests that name none.  [default: VOICE_PROFILE_ID or dottie_default]")
@click.option("--uncertified", is_flag=True, help="Serve voices without a certificate too; every answer says so.")
@click.option("--token-file", type=PATH, help="Bearer tokens, one a line; needed beyond the loopback interface.")
@click.option("--without-token", is_flag=True, help="No tokens beyond loopback: behind a container or proxy.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="Name of this server in clients' addresses.")
@click.option(
    "--loudness",
    type=click.FloatRange(-40.0, -10.0),
    default=-23.0,
    show_default=True,
    help="Integrated loudness of speech, in LUFS.",
)
@click.option(
    "--characters", type=click.IntRange(1, 100_000), default=4096, show_default=True, help="Longest text of a request."
)
@click.option("--queue", type=click.IntRange(1, 10_000), default=64, show_default=True, help="Requests at a time.")
@click.option("--rate", type=click.IntRange(0), default=0, help="Requests a minute of one address; 0 for no limit.")
@click.option(
    "--seconds",
    type=click.FloatRange(1.0, 3600.0),
    default=120.0,
    show_default=True,
    help="Longest time of a request, from its arrival to its last sound.",
)
@click.option(
    "--idle", type=click.FloatRange(1.0), default=600.0, show_default=True, help="Seconds until a voice is unloaded."
)
@click.option("--open-detector", is_flag=True, help="The detector of synthetic speech needs no token.")
@click.option("--agent-policies", is_flag=True, help="Apply a voice agent's rules to /api/voice/speak.")
@click.option("--no-training", is_flag=True, help="Offer no training jobs.")
@click.option("--no-studio", is_flag=True, help="Offer no pages for a browser.")
@click.option("--parallel-jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Jobs at a time.")
@click.option("--wyoming", type=click.IntRange(0, 65_535), metavar="PORT", help="Serve Home Assistant's protocol too.")
@click.option("--wyoming-host", default="127.0.0.1", show_default=True, help="Its address; it has no tokens.")
@click.option("--log-text", is_flag=True, help="Write the spoken texts into the log.")
def serve_command(
    host: str | None,
    port: int | None,
    bundles: tuple[Path, ...],
    voice: str | None,
    uncertified: bool,
    token_file: Path | None,
    without_token: bool,
    hosts: tuple[str, ...],
    loudness: float,
    characters: int,
    queue: int,
    rate: int,
    seconds: float,
    idle: float,
    open_detector: bool,
    agent_policies: bool,
    no_training: bool,
    no_studio: bool,
    parallel_jobs: int,
    wyoming: int | None,
    wyoming_host: str,
    log_text: bool,
) -> None:
    """Serve finished voices over HTTP: the studio, OpenAI's interface, the backend of a voice agent, metrics."""
    from voicemill.errors import UsageError
    from voicemill.held_signals import release_signals
    from voicemill.settings import Settings
    from voicemill_serve import server
    from voicemill_serve.settings import (
        Limits,
        ServeSettings,
        Tokens,
        backend_environment,
        require_token_beyond_loopback,
    )

    release_signals()
    settings = Settings.from_environment(os.environ)
    given = backend_environment(os.environ)
    host = host or given.host
    tokens = Tokens.read(token_file) if token_file else Tokens()
    require_token_beyond_loopback(host, tokens, without_token=without_token)
    for folder in bundles:
        if not folder.is_dir():
            raise UsageError(f"There is no folder {folder}.", hint="Give a folder of promoted voices.")
    server.run(
        ServeSettings(
            bundles=bundles or given.bundles or (settings.paths.promoted_bundles,),
            work=settings.workspace.work,
            marks=settings.workspace.marks,
            default_voice=voice or settings.voice.profile_id,
            host=host,
            port=given.port if port is None else port,
            tokens=tokens,
            hosts=hosts,
            uncertified=uncertified,
            sample_fallback=given.sample_fallback,
            sample=given.sample,
            loudness_lufs=loudness,
            log_text=log_text,
            open_detector=open_detector,
            agent_policies=agent_policies,
            training=not no_training,
            parallel_jobs=parallel_jobs,
            wyoming_port=wyoming,
            wyoming_host=wyoming_host,
            limits=Limits(characters=characters, queue=queue, rate_per_minute=rate, seconds=seconds, idle_seconds=idle),
        ),
        _routers(settings, studio=not no_studio),
    )


def _routers(settings: Settings, *, studio: bool) -> Sequence[Router]:
    """The server's routes, with the studio where it is wanted and its templates can be rendered."""
    from voicemill_serve.application import ROUTERS

    if not studio or importlib.util.find_spec("jinja2") is None:
        return ROUTERS
    from voicemill_studio.application import mounted

    return (*ROUTERS, mounted(settings.workspace))


main = WithDefault("voice-serve", serve_command)

if __name__ == "__main__":
    raise SystemExit(console.run(main, program="voice-serve"))
