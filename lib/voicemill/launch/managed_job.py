"""`TRAIN_BACKEND=managed_job`: the lane as a SkyPilot managed job (docs/managed.md).

VOICEMILL_MANAGED names the operator's task file, which selects the machine and the storage for results. This module
adds the command, code, inputs and settings, writes the task to artifacts/ and passes it to the `sky` command, so
SkyPilot can be installed in a separate environment. SkyPilot finds a machine, recovers on another one if a spot machine
is preempted, and releases it.
"""

from __future__ import annotations

import re
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from voicemill import files
from voicemill.boundary import Interrupts
from voicemill.errors import ConfigError, DependencyError, InterruptedRunError, RefusedError
from voicemill.launch import local_docker, paths, relay
from voicemill.launch.lanes import Lane, check_light
from voicemill.protocol import Protocol, read_progress
from voicemill.settings import DEMO_AUDIO, Settings

TASK_FILE = "managed_job.sky.yaml"
"""The task passed to SkyPilot, in the artifacts folder."""
INPUTS = PurePosixPath("/voicemill-inputs")
OURS = ("name", "workdir", "run")
"""Keys of the task file that this module writes."""
RUN = """\
set -eu
# After a recovery the checkpoints of the preempted machine are in WORK_DIR.
if find "$WORK_DIR/checkpoints" -name '*.checkpoint' 2>/dev/null | grep -q .; then export PROD_TTS_RESUME=1; fi
if ! python3 -c 'import importlib.util as u; raise SystemExit(u.find_spec("nemo") is None)' 2>/dev/null; then
  . scripts/bootstrap.sh
  bootstrap runtime
fi
TRAIN_BACKEND=local bash scripts/voice/train_production_voice.sh
"""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
FROM_THE_JOB = re.compile(r"\([^()]*\bpid=\d+[^()]*\) (.*)")
"""A line of the job as SkyPilot shows it: `(name, pid=123) PROGRESS 1 9`."""


def run_lane(
    lane: Lane,
    settings: Settings,
    environ: Mapping[str, str],
    protocol: Protocol,
    interrupts: Interrupts,
    log: relay.Log,
) -> Path:
    """Launch the job and follow it; its PROGRESS and STATS go to stdout, everything else to stderr.

    Returns:
        The launched task file. The lane's results are in the storage that the operator's file names.

    Raises:
        ConfigError: `managed_job_invalid:<what>`.
        DependencyError: SkyPilot or a YAML reader is not installed.
        RefusedError: `managed_job_failed`.
        InterruptedRunError: a signal; the job was cancelled.
    """
    check_light()
    task = make_task(lane, settings, environ)
    if shutil.which("sky") is None:
        raise DependencyError(
            "SkyPilot's command sky is not on PATH.",
            reason="runtime_dependency_missing:skypilot",
            hint="Install it in a separate environment (pipx install skypilot, with your cloud as an extra).",
        )
    path = settings.workspace.artifacts / TASK_FILE
    files.write_text(path, _dumped(task))
    for local in task["file_mounts"].values():
        if isinstance(local, str) and "://" not in local:
            _log(f"leaves this machine, for the job's storage: {local}", log)
    output = JobOutput(protocol)
    code = relay.run(
        ["sky", "jobs", "launch", "--yes", "--name", task["name"], str(path)],
        on_line=output.line,
        log=log,
        interrupts=interrupts,
    )
    if interrupts.received is not None:
        _log(f"cancelling the job {task['name']}", log)
        cancel = ["sky", "jobs", "cancel", "--yes", "--name", task["name"]]
        if relay.run(cancel, on_line=lambda line: _log(line, log), log=log) != 0:
            _log(f"THE JOB MAY STILL RUN AND COST MONEY: {' '.join(cancel)}", log)
        raise InterruptedRunError(interrupts.received)
    if code != 0:
        raise RefusedError(
            f"The managed job {task['name']} ended with exit code {code}.",
            reason="managed_job_failed",
            hint=f"Its log: sky jobs logs --name {task['name']}; partial results are in its WORK_DIR.",
            details={"exit_code": code, "job": task["name"], **({"lane": output.reason} if output.reason else {})},
        )
    return path


def make_task(lane: Lane, settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """The operator's task file with the keys of this module added.

    Raises:
        ConfigError: `managed_job_invalid:<what>`: not a task file, or its results would be lost.
    """
    task = _read(settings.launch.managed or Path())
    for key in OURS:
        if key in task:
            raise _invalid(settings, key, f"{key} is written by voicemill: remove it")
    if task.get("num_nodes", 1) != 1:
        raise _invalid(settings, "num_nodes", "a lane runs on one node")
    mounts = dict(_mapping(settings, task, "file_mounts"))
    given = {str(name): str(value) for name, value in _mapping(settings, task, "envs").items() if value is not None}
    stores = (
        path for path, what in mounts.items() if isinstance(what, dict) and str(what.get("mode")).upper() != "COPY"
    )
    kept = [str(path) for path in (*stores, *_mapping(settings, task, "volumes"))]
    work = PurePosixPath(given.get("WORK_DIR", ""))
    if not any(work.is_relative_to(path) for path in kept):
        lost = "envs must put WORK_DIR below mounted storage or a volume, or results are lost with the machine"
        raise _invalid(settings, "WORK_DIR", lost)
    inputs, ours = _inputs(settings, environ)
    passed = {name: environ[name].strip() for name in local_docker.PLAIN if environ.get(name, "").strip()}
    head = {"VOICEMILL_COMMIT": settings.head, "PROD_TTS_COMMIT": settings.commit, "TRAIN_LANE": lane.name}
    voice = re.sub("[^a-z0-9]+", "-", settings.voice.profile_id.lower()).strip("-")
    return {
        **task,
        "name": f"voicemill-{voice[:30]}-{settings.head[:8]}-{secrets.token_hex(3)}",
        "workdir": str(settings.repository),
        "file_mounts": mounts | inputs,
        "envs": given | passed | ours | head,
        "run": RUN,
    }


def _inputs(settings: Settings, environ: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The file mounts of the inputs, and the variables that name them on the job's machine.

    Inputs inside the repository travel with the checkout. A recording is sent with its companions (transcripts beside
    it), any other input with the folder that contains it.
    """
    mounts: dict[str, str] = {}
    named: dict[str, str] = {}
    root = settings.repository.resolve()
    for number, name in enumerate(name for name in local_docker.INPUTS if environ.get(name, "").strip()):
        path = Path(environ[name].strip()).resolve()
        target = INPUTS / str(number)
        if any(path.is_relative_to(root / part) for part in ("configs", "data")):
            named[name] = path.relative_to(root).as_posix()
        elif path.is_dir():
            mounts[str(target)], named[name] = str(path), str(target)
        elif name == "AUDIO_PATH":
            travelling = (path, *paths.companions(path, "recording"))
            mounts |= {str(target / each.name): str(each) for each in travelling if each.is_file()}
            named[name] = str(target / path.name)
        else:
            mounts[str(target)], named[name] = str(path.parent), str(target / path.name)
    if not any(name in named for name in ("AUDIO_PATH", "PROD_TTS_DATASET_MANIFEST", "PROD_TTS_SOURCE_DIR")):
        named["AUDIO_PATH"] = DEMO_AUDIO.as_posix()
    return mounts, named


class JobOutput:
    """Splits SkyPilot's output into the job's protocol lines and text for people."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.reason = ""

    def line(self, text: str) -> None:
        """Handle a line of `sky jobs launch`. ARTIFACT lines name remote files, so they are only shown."""
        plain = COLOUR.sub("", text).rstrip()
        found = FROM_THE_JOB.fullmatch(plain)
        message = found[1] if found else ""
        if (steps := read_progress(message)) is not None:
            self._protocol.progress(*steps)  # after a recovery it may have gone back
        elif message.startswith("STATS ") and _is_object(message.removeprefix("STATS ")):
            self._protocol.line(message)
        else:
            if message.startswith("[tts-prod][error] "):
                self.reason = message.split()[1]
            sys.stderr.write(f"{plain}\n")
            sys.stderr.flush()


def _is_object(text: str) -> bool:
    try:
        return isinstance(files.parse_json(text.encode()), dict)
    except files.InvalidJsonError:
        return False


def _read(path: Path) -> dict[str, Any]:
    from voicemill import yaml_text

    try:
        task = yaml_text.read(path)
    except (OSError, yaml_text.InvalidYamlError) as error:
        why = str(error).splitlines()[0]
        raise ConfigError(
            f"VOICEMILL_MANAGED names {path}, which cannot be read: {why}.",
            reason="managed_job_invalid:unreadable",
            hint="It must be a SkyPilot task file; docs/managed.md has an example.",
        ) from error
    if not isinstance(task, dict):
        raise ConfigError(
            f"{path} is not a SkyPilot task file: it is not a mapping.",
            reason="managed_job_invalid:no_mapping",
            hint="docs/managed.md has an example.",
        )
    return task


def _mapping(settings: Settings, task: Mapping[str, Any], key: str) -> dict[Any, Any]:
    value = task.get(key) or {}
    if not isinstance(value, dict):
        raise _invalid(settings, key, f"{key} must be a mapping")
    return value


def _invalid(settings: Settings, what: str, why: str) -> ConfigError:
    return ConfigError(
        f"{settings.launch.managed} cannot be launched: {why}.",
        reason=f"managed_job_invalid:{what}",
        hint="docs/managed.md describes the task file.",
    )


def _dumped(task: Mapping[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(dict(task), sort_keys=False, allow_unicode=True, width=120)
    return text


def _log(text: str, log: relay.Log) -> None:
    log.say(text)
    sys.stderr.write(f"[managed] {text}\n")
    sys.stderr.flush()
