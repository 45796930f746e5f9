"""./run without an engine, and what it tells one: a stub on PATH records its arguments. The real thing is tests/docker."""

from __future__ import annotations

import csv
import functools
import itertools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = (
    "bash basename cat cksum cut date dirname env find git grep head id mkdir mktemp rm sed sh sha256sum sleep sort tail"
    " tar tee timeout touch tr xargs"
)
STUB = """#!/usr/bin/env bash
printf '%s\\0' "${0##*/}" "$@" >> "$STUB_LOG"; printf '\\n\\0' >> "$STUB_LOG"
case "$1" in
  info) [ -z "${STUB_REFUSAL:-}" ] || { echo "$STUB_REFUSAL" >&2; exit 1; }; echo "${STUB_INFO:-{\\}}" ;;
  --version) echo "${0##*/} version 20.10.24" ;;
  image) case "${!#}" in *-qwen) kind=label-qwen ;; *) kind=label ;; esac
         label="$(cat "$STUB_LOG.$kind" 2>/dev/null)" || exit 1; printf '%s\\n' "$label" ;;
  build) printf '%s\\n' "${STUB_BUILD:-built}"; [ "${STUB_BUILD_CODE:-0}" = 0 ] || exit "$STUB_BUILD_CODE"
         case " $* " in *"-qwen "*) kind=label-qwen ;; *) kind=label ;; esac
         printf '%s\\n' "$@" | sed -n 's/^SOURCE_DIGEST=//p' > "$STUB_LOG.$kind" ;;
  run) case " $* " in *" --entrypoint /none "*) echo "${STUB_GPU:-exec: /none}" >&2; exit 125 ;; esac
       case " $* " in *" --entrypoint true "*) [ -z "${STUB_START:-}" ] || { echo "$STUB_START" >&2; exit 125; } ;; esac
       echo "said by the app"; exit "${STUB_CODE:-0}" ;;
esac
"""


@dataclass
class Host:
    """A machine with these tools on PATH, this Python, and the stub under the names of its engines."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *argv: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(ROOT / "run"), *argv], cwd=cwd or self.folder, env=self.environment | more, capture_output=True,
            text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def calls(self, command: str) -> list[list[str]]:
        """The arguments of each call of the engine's command (run, build, …)."""
        log = self.folder / "log"
        fields = log.read_text(encoding="utf-8").split("\0") if log.exists() else []
        found: list[list[str]] = [[]]
        for each in fields[:-1]:
            if each == "\n":
                found.append([])
            else:
                found[-1].append(each)
        return [call for call in found if call[1:2] == [command]]

    def started(self) -> Started:
        calls = [call for call in self.calls("run") if "--entrypoint" not in call]
        assert len(calls) == 1
        return Started.read(calls[0])


@dataclass
class Started:
    """One `docker run`, taken apart."""

    engine: str
    options: list[str]
    mounts: dict[str, tuple[str, bool]]
    environment: dict[str, str | None]
    image: str
    argv: list[str]

    @classmethod
    def read(cls, call: list[str]) -> Started:
        image = next(index for index, each in enumerate(call) if each.startswith("voicemill:"))
        options, mounts, environment = [], {}, dict[str, str | None]()
        rest = iter(call[2:image])
        for each in rest:
            if each == "--mount":
                (fields,) = csv.reader([next(rest)])  # as the engine reads it
                values = dict(part.partition("=")[::2] for part in fields)
                if values["type"] == "volume":
                    options.append(",".join(fields))
                    continue
                assert values["type"] == "bind"
                mounts[values["target"]] = (values["source"], "readonly" in values)
            elif each == "--env":
                name, equals, value = next(rest).partition("=")
                environment[name] = value if equals else None
            else:
                options.append(each)
        return cls(call[0], options, mounts, environment, call[image], call[image + 1 :])


@functools.cache
def digest() -> str:
    """What the label of an image says that is as new as this checkout."""
    script = '. docker/source.sh; source_digest "$PWD"'
    return subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def image(kind: str = "cpu", layer: str = "") -> str:
    """The name of the image of this checkout's code."""
    return f"voicemill:{kind}-{digest()[:12]}{layer}"


def make_host(tmp_path: Path, *engines: str) -> Host:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in TOOLS.split():
        (bin_folder / name).symlink_to(str(shutil.which(name)))
    (bin_folder / "python3").symlink_to(sys.executable)
    for name in engines:
        (bin_folder / name).write_text(STUB)
        (bin_folder / name).chmod(0o755)
    (tmp_path / "log.label").write_text(digest())
    environment = {
        "PATH": str(bin_folder),
        "HOME": str(tmp_path),
        "STUB_LOG": str(tmp_path / "log"),
        "WORK_DIR": str(tmp_path / "w"),
        "CACHE_DIR": str(tmp_path / "c"),
        "VOICEMILL_IN_IMAGE": "1",  # ./run-direct installs nothing here
    }
    return Host(tmp_path, environment)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return make_host(tmp_path, "docker")


def test_bare_it_lists_the_apps(host: Host) -> None:
    done = host.run()
    assert done.stdout.startswith("usage: ./run <app>")
    assert all(app.name in done.stdout for app in (ROOT / "apps").iterdir())
    assert not (host.folder / "log").exists()


@pytest.mark.parametrize("app", ["voice-nope", "../apps/voice-prep", "voice-prep/voice-prep"])
def test_an_unknown_app_is_refused_before_any_container(host: Host, app: str) -> None:
    done = host.run(app)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("[run][error] bad_usage\n")
    assert not (host.folder / "log").exists()


@pytest.mark.parametrize(
    ("variable", "value"), [("TOOLBOX_VARIANT", "tpu"), ("TOOLBOX_RUNTIME", "lxc"), ("VOICEMILL_IMAGE", "voicemill:no")]
)
def test_unknown_choices_are_refused(host: Host, variable: str, value: str) -> None:
    (host.folder / "log.label").unlink()
    done = host.run("voice-verify", "--help", **{variable: value})
    assert (done.returncode, done.stdout) == (1, "")
    reason, sentence = done.stderr.splitlines()
    assert reason == "[run][error] bad_usage"
    assert value in sentence
    assert not host.calls("run")


def test_with_no_engine_it_says_so_in_one_line_and_runs_here(tmp_path: Path) -> None:
    done = make_host(tmp_path).run("voice-verify", "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    (line,) = done.stderr.splitlines()
    assert "No container engine is installed" in line


DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
FORBIDDEN = "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("refusal", "says"), [(DOWN, "does not answer: start it"), (FORBIDDEN, "You may not talk to docker's socket")]
)
def test_an_engine_that_does_not_answer_is_one_line_or_a_refusal(host: Host, refusal: str, says: str) -> None:
    done = host.run("voice-verify", "--help", STUB_REFUSAL=refusal)
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    (line,) = done.stderr.splitlines()
    assert says in line
    forced = host.run("voice-verify", "--help", STUB_REFUSAL=refusal, TOOLBOX_RUNTIME="docker")
    assert (forced.returncode, forced.stdout) == (1, "")
    reason, sentence = forced.stderr.splitlines()
    assert reason == "[run][error] container_engine_unavailable"
    assert says in sentence


def test_a_forced_engine_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    done = make_host(tmp_path).run("voice-verify", "--help", TOOLBOX_RUNTIME="podman")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "[run][error] container_engine_unavailable"
    assert "podman is not installed" in done.stderr


def test_direct_asks_no_engine(host: Host) -> None:
    done = host.run("voice-verify", "--help", TOOLBOX_RUNTIME="direct")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (host.folder / "log").exists()


def test_podman_is_taken_where_there_is_no_docker_and_keeps_the_caller(tmp_path: Path) -> None:
    host = make_host(tmp_path, "podman")
    assert host.run("voice-verify", "--help", STUB_INFO='{"host":{"security":{"rootless":true}}}').returncode == 0
    started = host.started()
    assert started.engine == "podman"
    assert "--userns=keep-id" in started.options


def test_podman_of_root_is_given_the_callers_ids(tmp_path: Path) -> None:
    """keep-id exists in rootless mode only."""
    host = make_host(tmp_path, "podman")
    assert host.run("voice-verify", "--help", STUB_INFO='{"host":{"security":{"rootless":false}}}').returncode == 0
    options = host.started().options
    assert "--userns=keep-id" not in options
    assert options[options.index("--user") + 1] == f"{os.getuid()}:{os.getgid()}"


def test_podman_under_dockers_name_is_podman(host: Host) -> None:
    stub = host.folder / "bin" / "docker"
    (host.folder / "bin" / "podman").write_text(STUB)
    (host.folder / "bin" / "podman").chmod(0o755)
    stub.write_text(STUB.replace("${0##*/} version 20.10.24", "podman version 4.3.1"))
    host.run("voice-verify", "--help")
    assert host.started().engine == "podman"


def test_the_start_is_the_callers_with_the_values_of_the_compose_file(host: Host) -> None:
    done = host.run("voice-verify", "--help")
    assert (done.returncode, done.stdout, done.stderr) == (0, "said by the app\n", "")
    started = host.started()
    work, cache = host.folder / "w", host.folder / "c"
    assert started.mounts == {"/work": (str(work), False), str(work): (str(work), False), "/cache": (str(cache), False)}
    assert started.argv == ["voice-verify", "--help"]
    assert (started.image, started.environment["WORK_DIR"]) == (image(), str(work))
    assert started.environment["VOICEMILL_CWD"] == str(host.folder)  # the work folder lies below it
    options = started.options
    assert options[options.index("--user") + 1] == f"{os.getuid()}:{os.getgid()}"
    assert options[options.index("--shm-size") + 1] == "1gb"
    assert "--tty" not in options
    assert "--interactive" not in options
    # Elsewhere the app can write nothing that would be lost.
    assert "--read-only" in options
    assert "type=volume,target=/tmp" in options
    assert options[options.index("--tmpfs") + 1].startswith("/home/voicemill:")


def test_a_rootless_engine_is_given_its_root(host: Host) -> None:
    host.run("voice-verify", "--help", STUB_INFO='{"SecurityOptions":["name=rootless"]}')
    options = host.started().options
    assert options[options.index("--user") + 1] == "0:0"


@pytest.mark.parametrize(
    ("engine", "info", "disabled"),
    [
        ("docker", '{"SecurityOptions":["name=seccomp,profile=builtin"]}', False),
        ("docker", '{"SecurityOptions":["name=seccomp,profile=builtin","name=selinux","name=cgroupns"]}', True),
        ("podman", '{"host":{"security":{"rootless":true,"selinuxEnabled":true}}}', True),
        ("podman", '{"host":{"security":{"rootless":false,"selinuxEnabled":false}}}', True),
    ],
)
def test_selinux_does_not_keep_a_container_from_the_callers_folders(
    tmp_path: Path, engine: str, info: str, disabled: bool
) -> None:
    """Without the labels that the option z of a mount would leave on them."""
    host = make_host(tmp_path, engine)
    assert host.run("voice-verify", "--help", STUB_INFO=info).returncode == 0
    started = host.started()
    assert ("label=disable" in started.options) == disabled
    assert not [each for each in started.options if each.endswith((":z", ":Z"))]


NAMES = [
    "plain.wav",
    "-dash.wav",
    "a,b.wav",
    'say "hi", ok.wav',
    "a:b=c.wav",
    "two  words.wav",
    "über ÿ 声.wav",
    "$x;`y`'.wav",
]


@pytest.mark.parametrize(
    ("name", "how"),
    [(name, "apart") for name in NAMES] + [(NAMES[3], "joined"), (NAMES[1], "relative"), (NAMES[6], "variable")],
)
def test_an_input_outside_is_mounted_read_only_whatever_its_name(host: Host, name: str, how: str) -> None:
    folder = host.folder / "takes, of: ü"
    folder.mkdir()
    take = folder / name
    take.write_bytes(b"x")
    argv, more, cwd = ["--audio", str(take)], dict[str, str](), host.folder
    if how == "joined":
        argv = [f"--audio={take}"]
    elif how == "relative":
        argv, cwd = ["--audio", name], folder
    elif how == "variable":
        argv, more = [], {"AUDIO_PATH": str(take)}
    done = host.run("voice-prep", *argv, cwd=cwd, **more)
    assert done.returncode == 0, done.stderr
    started = host.started()
    inside = f"/in/1/{name}"
    assert started.mounts[inside] == (str(take), True)
    expected = {
        "apart": ["--audio", inside],
        "joined": [f"--audio={inside}"],
        "relative": ["--audio", inside],
        "variable": [],
    }
    assert started.argv == ["voice-prep", *expected[how]]
    assert started.environment.get("AUDIO_PATH") == (inside if how == "variable" else None)
    assert done.stderr == f"[run] mounted read-only: {take} is {inside} in the container\n"


def test_a_name_with_a_line_break_is_refused(host: Host) -> None:
    take = host.folder / "a\nb.wav"
    take.write_bytes(b"x")
    done = host.run("voice-prep", "--audio", str(take))
    assert done.returncode == 1
    assert done.stderr.startswith("[run][error] bad_usage\n")
    assert not host.calls("run")


def test_the_text_beside_a_recording_comes_along_and_a_folder_comes_whole(host: Host) -> None:
    folder = host.folder / "t"
    folder.mkdir()
    for name in ("a.wav", "a.txt", "a.lab", "a.srt", "a.vtt", "a.TextGrid", "a.pdf", "ab.srt", "b.txt"):
        (folder / name).write_bytes(b"x")
    host.run("voice-prep", "--audio", str(folder / "a.wav"), "--lexicon", str(folder / "b.txt"))
    inputs = {target: source for target, (source, _) in host.started().mounts.items() if target.startswith("/in/")}
    assert inputs == {
        "/in/1/a.wav": str(folder / "a.wav"),
        "/in/1/a.txt": str(folder / "a.txt"),
        "/in/1/a.lab": str(folder / "a.lab"),
        "/in/1/a.srt": str(folder / "a.srt"),
        "/in/1/a.vtt": str(folder / "a.vtt"),
        "/in/1/a.TextGrid": str(folder / "a.TextGrid"),
        "/in/2/b.txt": str(folder / "b.txt"),
    }


def test_metadata_comes_with_its_folder_and_a_manifest_with_what_it_names(host: Host) -> None:
    corpus, far = host.folder / "LJ" / "data", host.folder / "far, away"
    for each in (corpus / "wavs", far):
        each.mkdir(parents=True)
    (corpus / "metadata.csv").write_text("a|b")
    lines = [
        {"audio_filepath": str(far / "x.wav")},
        {"audio_filepath": "wavs/y.wav"},
        {"audio_filepath": "/etc/passwd"},
    ]
    (corpus / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    host.run("voice-prep", "--metadata", str(corpus / "metadata.csv"))
    started = host.started()
    assert started.argv[2] == "/in/1/data/metadata.csv"
    assert started.mounts["/in/1/data"] == (str(corpus), True)
    (host.folder / "log").unlink()
    host.run("voice-prep", "--dataset", str(corpus / "train.jsonl"))
    started = host.started()
    assert started.argv[2] == "/in/1/data/train.jsonl"
    assert started.mounts["/in/1/data"] == (str(corpus), True)
    assert started.mounts[str(far)] == (str(far), True)
    assert "/etc" not in started.mounts  # the image's own


def test_what_lies_in_the_work_folder_what_is_missing_and_what_is_no_path_stays_as_it_is(host: Host) -> None:
    work = host.folder / "w" / "bundles"
    work.mkdir(parents=True)
    (host.folder / "anna").mkdir()
    (host.folder / "bundle").mkdir()
    argv = ["voice-prep", "--voice", "anna", "--audio", "none.wav", "--script", str(work), "--force"]
    done = host.run(*argv)
    assert (host.started().argv, done.stderr) == (argv, "")
    (host.folder / "log").unlink()
    host.run("voice-verify", "bundle", "--json", "anna")
    assert host.started().argv == ["voice-verify", "bundle", "--json", "/in/1/anna"]


def test_a_flag_takes_no_value_so_the_option_after_it_is_mapped(host: Host) -> None:
    (host.folder / "take.wav").touch()
    host.run("voice-prep", "--explain", "--audio", "take.wav")
    assert host.started().argv == ["voice-prep", "--explain", "--audio", "/in/1/take.wav"]


def test_an_option_whose_value_may_be_left_out(host: Host) -> None:
    (host.folder / "take.wav").touch()
    host.run("voice-prep", "--ray", "--audio", "take.wav")
    assert host.started().argv == ["voice-prep", "--ray", "--audio", "/in/1/take.wav"]


def test_a_prompt_is_mounted_and_a_voice_of_the_same_name_as_a_folder_is_not(host: Host) -> None:
    (host.folder / "anna").mkdir()
    (host.folder / "p.safetensors").touch()
    host.run("voice-synth", "speak", "--voice", "anna", "--text", "a", VOICEMILL_IMAGE="voicemill:x")
    assert host.started().argv[:4] == ["voice-synth", "speak", "--voice", "anna"]
    (host.folder / "log").unlink()
    host.run("voice-synth", "speak", "--voice", "p.safetensors", "--text", "a", VOICEMILL_IMAGE="voicemill:x")
    started = host.started()
    assert started.argv[:4] == ["voice-synth", "speak", "--voice", "/in/1/p.safetensors"]
    assert started.mounts["/in/1/p.safetensors"] == (str(host.folder / "p.safetensors"), True)


def test_a_bundle_comes_with_what_lies_beside_it(host: Host) -> None:
    root = host.folder / "bundles" / "anna"
    (root / "voice_bundle").mkdir(parents=True)
    for name in ("certificate.json", "voice_bundle.sig", "private notes.txt"):
        (root / name).touch()
    (host.folder / "a.pem").touch()
    host.run("voice-verify", "bundle", "bundles/anna/voice_bundle", "--require-signature", "--public-key", "a.pem")
    started = host.started()
    assert started.argv == [
        "voice-verify", "bundle", "/in/1/voice_bundle", "--require-signature", "--public-key", "/in/2/a.pem"
    ]  # fmt: skip
    assert {target for target in started.mounts if target.startswith("/in/1/")} == {
        "/in/1/voice_bundle",
        "/in/1/certificate.json",
        "/in/1/voice_bundle.sig",
    }


def test_what_is_written_beside_a_bundle_or_named_as_output_is_writable(host: Host) -> None:
    (host.folder / "far" / "anna" / "voice_bundle").mkdir(parents=True)
    host.run("voice-bundle", "sign", "far/anna/voice_bundle", "--key", "none.pem", "--output", "sigs/a.sig")
    started = host.started()
    folder = str(host.folder / "far" / "anna")
    assert started.mounts[folder] == (folder, False)
    assert started.argv[2:] == [f"{folder}/voice_bundle", "--key", "none.pem", "--output", f"{host.folder}/sigs/a.sig"]
    (host.folder / "log").unlink()
    host.run("voice-bundle", "export", "far/anna/voice_bundle", "out/anna.tar")
    assert host.started().argv == ["voice-bundle", "export", "/in/1/voice_bundle", f"{host.folder}/out/anna.tar"]


def test_an_archive_written_to_the_current_folder_reaches_it(host: Host) -> None:
    place = host.folder / "over, there"
    place.mkdir()
    done = host.run("voice-prep", "export", "anna", cwd=place)
    started = host.started()
    assert started.argv == ["voice-prep", "export", "anna"]
    assert started.mounts[str(place)] == (str(place), False)
    assert started.environment["VOICEMILL_CWD"] == str(place)
    assert done.stderr == f"[run] mounted writable: {place}\n"
    for more in (["--output", "a.zip"], ["--output=a.zip"], ["--help"]):
        (host.folder / "log").unlink()
        host.run("voice-prep", "export", "anna", *more, cwd=place)
        assert host.started().environment["VOICEMILL_CWD"] == ""
    (host.folder / "log").unlink()
    host.run("voice-prep", "export", "anna", cwd=host.folder / "w")
    started = host.started()
    assert started.environment["VOICEMILL_CWD"] == str(host.folder / "w")
    assert len(started.mounts) == 3  # the work folder is mounted in any case


def test_a_dataset_to_review_is_writable_wherever_it_is(host: Host) -> None:
    (host.folder / "sets" / "anna").mkdir(parents=True)
    host.run("voice-prep", "review", "sets/anna")
    started = host.started()
    folder = str(host.folder / "sets" / "anna")
    assert started.argv == ["voice-prep", "review", folder]
    assert started.mounts[folder] == (folder, False)
    (host.folder / "log").unlink()
    host.run("voice-prep", "review", "--port", "0", "berta")
    assert host.started().argv == ["voice-prep", "review", "--port", "0", "berta"]


def test_standard_input_reaches_the_app_where_it_is_asked_for(host: Host) -> None:
    host.run("voice-verify", "casimir", "--request", "-")
    assert "--interactive" in host.started().options
    (host.folder / "log").unlink()
    host.run("voice-verify", "casimir", "--request", "request.json")
    assert "--interactive" not in host.started().options


def test_the_review_page_is_served_on_this_machines_loopback(host: Host) -> None:
    assert host.run("voice-prep", "review", "anna").stderr == ""
    assert host.started().options[-2:] == ["--network", "host"]


def test_a_server_on_macos_names_the_setting_that_it_needs(host: Host) -> None:
    done = host.run("voice-serve", OSTYPE="darwin23")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "host networking" in line
    assert host.started().options[-2:] == ["--network", "host"]


def test_the_key_of_the_marks_reaches_the_container_read_only(host: Host) -> None:
    (host.folder / "marks.pem").touch()
    host.run("voice-train-prod", "say", "--text", "Hello", VOICEMILL_MARKS_KEY="marks.pem")
    started = host.started()
    assert started.environment["VOICEMILL_MARKS_KEY"] == "/in/1/marks.pem"
    assert started.mounts["/in/1/marks.pem"] == (str(host.folder / "marks.pem"), True)


@pytest.mark.parametrize(
    ("name", "value", "mounted"),
    [
        ("PROMOTED_BUNDLE_ROOT", "shelf: a, b", "shelf: a, b"),
        ("PROD_TTS_BUNDLE_DIR", "some/bundle", "some"),
        ("PROD_TTS_EVAL_PATH", "some/where/eval.json", "some/where"),
        ("TRAIN_STATUS_PATH", "w/artifacts/status.json", None),
    ],
)
def test_outputs_keep_their_place(host: Host, name: str, value: str, mounted: str | None) -> None:
    done = host.run("voice-train-prod", **{name: value})
    assert done.returncode == 0, done.stderr
    started = host.started()
    expected = value if mounted is None else str(host.folder / value)
    assert started.environment[name] in (expected, str(host.folder / value))
    if mounted is None:
        assert len(started.mounts) == 3
    else:
        assert started.mounts[str(host.folder / mounted)] == (str(host.folder / mounted), False)
        assert (host.folder / mounted).is_dir()


def test_an_output_over_a_folder_of_the_image_is_refused(host: Host) -> None:
    done = host.run("voice-bundle", "promote", "--output-root", "/usr/lib")
    assert done.returncode == 1
    assert done.stderr.startswith("[run][error] bad_usage\n")


def test_the_contracts_variables_pass_by_name_and_nothing_else_does(host: Host) -> None:
    passed = {
        "VOICE_PROFILE_ID": "anna, ü",
        "PROD_TTS_DRY_RUN": "1",
        "EXPECTED_HEAD": "abc",
        "TRAIN_JOB_TYPE": "t",
        "HF_TOKEN": "secret",
        "CASIMIR_URL": "x",
        "TORCH_DEVICE": "cpu",
    }
    host.run("voice-train-prod", **passed, AWS_SECRET="no", HF_HOME="/elsewhere", LD_PRELOAD="")
    given = host.started().environment
    assert {name: given.get(name, "missing") for name in passed} == dict.fromkeys(passed)
    assert set(given) - set(passed) <= {"WORK_DIR", "VOICEMILL_CWD", "VOICEMILL_COMMIT"}


def test_a_missing_image_is_built_and_an_older_one_brought_up_to_date(host: Host) -> None:
    (host.folder / "log.label").unlink()
    done = host.run("voice-verify", "--help", VOICEMILL_BASE_IMAGE="mirror/python:3.11", VOICEMILL_NETWORK="host")
    assert (done.returncode, done.stdout) == (0, "said by the app\n")
    assert "[run] Building the image voicemill:cpu" in done.stderr
    (build,) = host.calls("build")
    assert "BASE_IMAGE=mirror/python:3.11" in build
    assert build[build.index("--network") + 1] == "host"
    assert any(each.startswith("COMMIT=") for each in build)
    assert host.run("voice-verify", "--help").stderr == ""
    assert len(host.calls("build")) == 1
    (host.folder / "log.label").write_text("older\n")
    assert "Bringing the image voicemill:cpu up to date" in host.run("voice-verify", "--help").stderr
    assert len(host.calls("build")) == 2


def test_a_build_removes_what_it_replaces_and_keeps_the_newest(host: Host) -> None:
    """The engine lists images by age; the one that was just built may carry an old date."""
    others = [f"voicemill:cpu-{number:012x}" for number in range(6)]
    listed = "\\n".join([*others[:5], image(), others[5]])
    stub = (host.folder / "bin/docker").read_text()
    answer = f'image) if [ "$2" = ls ]; then printf "{listed}\\n"; exit; fi;'
    (host.folder / "bin/docker").write_text(stub.replace("image)", answer, 1))
    (host.folder / "log.label").unlink()
    assert host.run("voice-verify", "--help").returncode == 0
    calls = [call[2:] for call in host.calls("image")]
    assert [call[1] for call in calls if call[0] == "rm"] == others[4:]
    assert ["prune", "--force", "--filter", "label=voicemill.build"] in calls
    assert next(call for call in calls if call[0] == "ls")[-1] == "reference=voicemill:cpu-????????????"
    (build,) = host.calls("build")
    assert build[build.index("--label") + 1] == "voicemill.build=cpu"
    assert [build[index + 1] for index, each in enumerate(build) if each == "--tag"] == ["voicemill:cpu", image()]
    assert host.started().image == image()


@pytest.mark.parametrize(("epoch", "date"), [("1700000000", "2023-11-14T22:13:20Z"), ("tomorrow", None)])
def test_an_image_is_dated_by_source_date_epoch(host: Host, epoch: str, date: str | None) -> None:
    done = build(host, "cpu", SOURCE_DATE_EPOCH=epoch)
    if date is None:
        assert done.returncode == 1
        assert "SOURCE_DATE_EPOCH must be whole seconds" in done.stderr
        return
    (call,) = host.calls("build")
    assert {f"BUILD_DATE={date}", f"SOURCE_DATE_EPOCH={epoch}"} <= set(call)


QWEN = ["voice-synth", "speak", "--text", "Hello."]


@pytest.mark.parametrize("command", [[*QWEN, "--voice", "anna"], [*QWEN, "--voice=anna"], [*QWEN, "--speaker", "Ryan"]])
def test_what_speaks_with_qwen_gets_the_image_that_has_it(host: Host, command: list[str]) -> None:
    done = host.run(*command)
    assert done.returncode == 0, done.stderr
    assert "Adding Qwen3-TTS to the image voicemill:cpu" in done.stderr
    (build,) = host.calls("build")
    assert f"QWEN_ON={image()}" in build
    assert build[build.index("--tag") + 1] == image(layer="-qwen")
    assert host.started().image == image(layer="-qwen")
    host.run(*command)
    assert len(host.calls("build")) == 1, "the second start builds nothing"


@pytest.mark.parametrize(
    "command",
    [
        [*QWEN, "--voice", "trained"],
        [*QWEN, "--voice=trained"],
        [*QWEN, "--speaker", "flite:slt"],
        [*QWEN, "--speaker=espeak-ng:en-gb"],
        [*QWEN, "--help"],
        ["voice-synth", "list-voices"],
        ["voice-verify", "--help"],
    ],
)
def test_what_speaks_without_qwen_gets_the_usual_image(host: Host, command: list[str]) -> None:
    (host.folder / "w/bundles/trained/voice_bundle").mkdir(parents=True)
    assert host.run(*command).returncode == 0
    assert not host.calls("build")
    assert host.started().image == image()


def test_qwen_on_a_gpu(host: Host) -> None:
    done = host.run(*QWEN, "--voice", "anna", TOOLBOX_VARIANT="gpu", DOCKER_HOST="tcp://gpu-box:2376")
    assert done.returncode == 0, done.stderr
    assert host.started().image == image("cuda", "-qwen")


def test_a_given_image_is_used_as_it_is(host: Host) -> None:
    (host.folder / "log.label").write_text("older\n")
    assert host.run("voice-verify", "--help", VOICEMILL_IMAGE="voicemill:mine").stderr == ""
    started = host.started()
    assert started.image == "voicemill:mine"
    assert "VOICEMILL_COMMIT" not in started.environment
    assert not host.calls("build")


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("write /x: no space left on device", "the engine's disk is full"),
        ("Could not resolve 'deb.debian.org'", "a download failed"),
        ("W: Failed to fetch http://x/InRelease  Temporary failure resolving 'deb.debian.org'", "a download failed"),
        ("Could not connect to deb.debian.org:80 (1.2.3.4), connection timed out", "a download failed"),
        ("dial tcp: lookup registry-1.docker.io: no such host", "a download failed"),
        ("ReadTimeoutError: Read timed out.", "a download failed"),
        ("ProxyError('Cannot connect to proxy.')", "the proxy of the engine refused"),
        ("process did not complete successfully: exit code: 137", "memory ran out"),
        ("anything else", "could not be built"),
    ],
)
def test_a_build_that_fails_is_told_and_nothing_starts(host: Host, output: str, says: str) -> None:
    (host.folder / "log.label").unlink()
    done = host.run("voice-verify", "--help", STUB_BUILD=output, STUB_BUILD_CODE="17")
    assert (done.returncode, done.stdout) == (1, "")
    assert "[run][error] docker_build_failed" in done.stderr
    assert says in done.stderr
    assert not host.calls("run")


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("Temporary failure in name resolution", "Check the network and the proxy of https_proxy,"),
        ("407 Proxy Authentication Required", "the proxy of https_proxy refused"),
    ],
)
def test_a_proxy_is_named_without_its_password(host: Host, output: str, says: str) -> None:
    (host.folder / "log.label").unlink()
    proxy = "http://me:secret@proxy:3128"
    done = host.run("voice-verify", "--help", STUB_BUILD=output, STUB_BUILD_CODE="1", https_proxy=proxy)
    assert says in done.stderr
    assert "secret" not in done.stderr
    (build,) = host.calls("build")
    assert build[build.index("https_proxy") - 1] == "--build-arg"
    assert not any("secret" in each for each in build)


@pytest.mark.parametrize("code", [0, 2, 3, 143])
def test_the_apps_exit_code_is_ours(host: Host, code: int) -> None:
    assert host.run("voice-verify", "--help", STUB_CODE=str(code)).returncode == code


def test_a_container_that_does_not_start_is_refused_in_a_sentence(host: Host) -> None:
    done = host.run("voice-verify", "--help", STUB_CODE="125")
    assert done.returncode == 1
    assert "[run][error] docker_run_failed" in done.stderr


def test_the_gpu_variant_uses_the_cuda_image_and_the_overlay(host: Host) -> None:
    done = host.run("voice-train-prod", TOOLBOX_VARIANT="gpu", DOCKER_HOST="tcp://gpu-box:2376")
    assert done.returncode == 0, done.stderr
    assert [call[call.index("--tag") + 1] for call in host.calls("build")] == []
    started = host.started()
    assert started.image == image("cuda")
    options = started.options
    assert options[options.index("--shm-size") + 1] == "8gb"
    assert options[options.index("--gpus") + 1] == "all"


def test_without_cuda_images_both_are_built_base_first(host: Host) -> None:
    (host.folder / "log.label").unlink()
    done = host.run("voice-train-prod", TOOLBOX_VARIANT="gpu", DOCKER_HOST="tcp://gpu-box:2376")
    assert done.returncode == 0, done.stderr
    assert [call[call.index("--tag") + 1] for call in host.calls("build")] == ["voicemill:cuda-base", "voicemill:cuda"]


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
def test_without_a_gpu_here_the_variant_is_refused_before_anything_is_built(host: Host) -> None:
    done = host.run("voice-train-prod", TOOLBOX_VARIANT="gpu")
    assert done.returncode == 1
    assert done.stderr.startswith("[run][error] gpu_unavailable\n")
    assert not host.calls("build")


@pytest.mark.parametrize(
    ("engine", "error", "way"),
    [
        ("docker", 'could not select device driver "" with capabilities: [[gpu]]', "nvidia-ctk runtime configure"),
        ("podman", "setting up CDI devices: unresolvable CDI devices nvidia.com/gpu=all", "nvidia-ctk cdi generate"),
    ],
)
def test_without_nvidias_toolkit_nothing_is_built_and_the_engines_error_is_shown(
    tmp_path: Path, engine: str, error: str, way: str
) -> None:
    host = make_host(tmp_path, engine)
    (tmp_path / "log.label").unlink()
    done = host.run("voice-train-prod", TOOLBOX_VARIANT="gpu", DOCKER_HOST="tcp://gpu-box:2376", STUB_GPU=error)
    assert (done.returncode, done.stdout) == (1, "")
    reason, sentence = done.stderr.splitlines()
    assert reason == "[run][error] gpu_unavailable"
    assert way in sentence
    assert error in sentence
    assert not host.calls("build")


OLD_DRIVER = "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.0, please update your driver"


def test_a_driver_that_is_too_old_is_named_before_anything_is_built(host: Host) -> None:
    (host.folder / "log.label").unlink()
    smi = host.folder / "bin" / "nvidia-smi"
    smi.write_text("#!/usr/bin/env bash\necho 550.54.15\n")
    smi.chmod(0o755)
    done = host.run("voice-train-prod", TOOLBOX_VARIANT="gpu")
    assert (done.returncode, done.stdout) == (1, "")
    reason, sentence = done.stderr.splitlines()
    assert reason == "[run][error] gpu_unavailable"
    assert "550.54.15" in sentence
    assert "580" in sentence
    assert not host.calls("build")
    smi.write_text("#!/usr/bin/env bash\necho 580.65.06\n")
    assert "too old" not in host.run("voice-train-prod", TOOLBOX_VARIANT="gpu").stderr


def test_a_toolkit_that_refuses_the_driver_is_told_in_a_sentence(host: Host) -> None:
    start = f"docker: Error response from daemon: failed to create task\n{OLD_DRIVER}"
    done = host.run("voice-train-prod", TOOLBOX_VARIANT="gpu", DOCKER_HOST="tcp://gpu-box:2376", STUB_START=start)
    assert (done.returncode, done.stdout) == (1, "")
    reason, sentence = done.stderr.splitlines()
    assert reason == "[run][error] gpu_unavailable"
    assert "install a newer one (CUDA 13 needs 580)" in sentence
    assert OLD_DRIVER in sentence


def script(host: Host, name: str, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    """One of the scripts behind `make test` and `make shell`."""
    return subprocess.run(
        ["bash", str(ROOT / "scripts" / name), *argv], env=host.environment | more, cwd=host.folder,
        capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_make_test_runs_pytest_in_the_development_image_on_the_checkout(host: Host) -> None:
    done = script(host, "test.sh", "-m", "not slow", STUB_CODE="5")
    assert done.returncode == 5  # pytest's
    (build,) = host.calls("build")
    assert build[build.index("--target") + 1] == "dev"
    (call,) = host.calls("run")
    image = call.index("voicemill:dev")
    assert call[image + 1 :] == [
        "python3", "-m", "pytest", "-p", "no:cacheprovider", "--ignore=tests/docker", "-m", "not slow"
    ]  # fmt: skip
    assert call[call.index("--user") + 1] == f"{os.getuid()}:{os.getgid()}"
    (fields,) = csv.reader([call[call.index("--mount") + 1]])
    assert fields == ["type=bind", f"source={ROOT}", "target=/src"]
    assert call[call.index("--workdir") + 1] == "/src"


def test_make_test_runs_nothing_where_the_image_could_not_be_built(host: Host) -> None:
    done = script(host, "test.sh", STUB_BUILD="no space left on device", STUB_BUILD_CODE="3")
    assert done.returncode == 3
    assert "the engine's disk is full" in done.stderr
    assert not host.calls("run")


def test_make_test_does_not_replace_an_engine_that_was_named(host: Host) -> None:
    done = script(host, "test.sh", TOOLBOX_RUNTIME="docker", STUB_REFUSAL=DOWN)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "does not answer: start it" in line


def test_make_shell_starts_the_cpu_image_with_both_folders(host: Host) -> None:
    done = script(host, "shell.sh", STUB_CODE="7")
    assert done.returncode == 7
    (build,) = host.calls("build")
    assert build[build.index("--tag") + 1] == "voicemill:cpu"
    (call,) = host.calls("run")
    assert call[-2:] == ["voicemill:cpu", "bash"]
    assert "--tty" not in call
    mounts = [next(csv.reader([value])) for flag, value in itertools.pairwise(call) if flag == "--mount"]
    assert [fields[1:] for fields in mounts] == [
        [f"source={ROOT}/work", "target=/work"],
        [f"source={ROOT}/cache", "target=/cache"],
    ]


def test_make_shell_gpu_asks_for_the_gpu_before_it_builds(host: Host) -> None:
    error = 'could not select device driver "" with capabilities: [[gpu]]'
    done = script(host, "shell.sh", "gpu", STUB_GPU=error)
    assert (done.returncode, done.stdout) == (1, "")
    assert error in done.stderr
    assert not host.calls("build")
    assert script(host, "shell.sh", "gpu").returncode == 0
    assert [call[call.index("--tag") + 1] for call in host.calls("build")] == ["voicemill:cuda-base", "voicemill:cuda"]
    assert host.calls("run")[-1][-2:] == ["voicemill:cuda", "bash"]
    assert "--gpus" in host.calls("run")[-1]


def test_make_shell_gpu_stops_at_a_base_that_could_not_be_built(host: Host) -> None:
    done = script(host, "shell.sh", "gpu", STUB_BUILD="anything", STUB_BUILD_CODE="4")
    assert done.returncode == 4
    assert len(host.calls("build")) == 1
    assert not [call for call in host.calls("run") if "/none" not in call]


def test_make_shell_without_an_engine_is_one_sentence(tmp_path: Path) -> None:
    done = script(make_host(tmp_path), "shell.sh")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "No container engine is installed" in line


def test_a_gpu_is_not_replaced_by_the_cpu_where_no_engine_answers(host: Host) -> None:
    done = host.run("voice-verify", "--help", STUB_REFUSAL=DOWN, TOOLBOX_VARIANT="gpu")
    assert (done.returncode, done.stdout) == (1, "")
    reason, sentence = done.stderr.splitlines()
    assert reason == "[run][error] container_engine_unavailable"
    assert "does not answer: start it" in sentence


@pytest.mark.parametrize(
    ("argv", "environment", "builds"),
    [
        (["--preset", "finetune"], {}, False),
        (["--preset=finetune"], {}, False),
        ([], {"PROD_TTS_PRESET": "finetune"}, False),
        (["--preset", "gpu"], {"PROD_TTS_PRESET": "finetune"}, True),
        (["--preset", "finetune", "--dry-run"], {}, True),
        ([], {}, True),
    ],
)
def test_unpinned_checkpoints_are_refused_before_anything_is_built(
    host: Host, argv: list[str], environment: dict[str, str], builds: bool
) -> None:
    (host.folder / "log.label").unlink()
    done = host.run("voice-train-prod", *argv, **environment)
    assert bool(host.calls("build")) == builds
    if not builds:
        assert (done.returncode, done.stdout) == (2, "")
        reason, sentence = done.stderr.splitlines()
        assert reason == "[run][error] weights_unavailable:nvidia/nemo-tts-fastpitch-en"
        assert "scripts/voice/pin_weights.py" in sentence


def test_a_killed_container_is_one_sentence(host: Host) -> None:
    done = host.run("voice-verify", "--help", STUB_CODE="137")
    assert done.returncode == 137
    reason, sentence = done.stderr.splitlines()
    assert reason == "[run][error] container_killed"
    assert "memory" in sentence


def test_the_context_of_a_build_is_what_git_tracks(host: Host, tmp_path: Path) -> None:
    """Secrets and recordings that lie below copied folders reach no engine; nor do files that git ignores."""
    copy = tmp_path / "copy"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in ("lib/voicemill/__init__.py", *(each for each in listed.split("\0") if each.startswith("docker/"))):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    for name in ("apps", "configs", "data/base", "data/construction", "data/demo", "locks", "scripts"):
        (copy / name).mkdir(parents=True)
        (copy / name / "kept.txt").touch()
    for name in ("run-direct", "LICENSE", "NOTICE", "locks/requirements.txt", "locks/torch.txt", "data/demo/demo.flac"):
        (copy / name).touch()
    (copy / ".gitignore").write_text("*.wav\n")
    git = "git init -q . && git add -A && git -c user.name=t -c user.email=t@example.org commit -qm x"
    subprocess.run(["bash", "-c", git], cwd=copy, check=True)
    planted = ("configs/.env", "docker/id.pem", "data/demo/take.wav", "data/recordings/private.txt", "lib/notes.txt")
    for name in planted:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text("secret")
    stub = (host.folder / "bin" / "docker").read_text()
    listing = 'build) for last; do :; done; (cd "$last" && find . -type f) > "$STUB_LOG.context";'
    (host.folder / "bin" / "docker").write_text(stub.replace("build)", listing, 1))
    for git_is_there in (True, False):
        done = subprocess.run(
            [str(copy / "docker/build.sh"), "cpu"], env=host.environment, cwd=tmp_path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        context = set((tmp_path / "log.context").read_text().split())
        assert {"./lib/voicemill/__init__.py", "./docker/Dockerfile", "./configs/kept.txt", "./NOTICE"} <= context
        assert "./data/demo/demo.flac" in context
        secret = planted if git_is_there else planted[:4]
        assert not {f"./{name}" for name in secret} & context
        assert not list((copy / "cache").iterdir())
        shutil.rmtree(copy / ".git", ignore_errors=True)


def test_a_work_folder_that_is_a_file_is_one_sentence(host: Host) -> None:
    (host.folder / "w").write_text("a file")
    done = host.run("voice-verify", "--help")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"[run][error] not_writable:{host.folder}/w"
    assert len(done.stderr.splitlines()) == 2


def build(host: Host, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "docker/build.sh"), *argv], env=host.environment | more, cwd=host.folder, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_build_writes_its_log_where_asked_and_keeps_the_exit_code(host: Host) -> None:
    log = host.folder / "b.log"
    done = build(host, "cuda-base", "--tag", "x:y", "--log", str(log), STUB_BUILD_CODE="17", STUB_BUILD="broken")
    assert (done.returncode, done.stdout) == (17, "")
    assert log.read_text() == "broken\n"
    (call,) = host.calls("build")
    assert call[call.index("--tag") + 1] == "x:y"
    assert str(ROOT / "docker/Dockerfile.cuda-base") in call


@pytest.mark.parametrize("argv", [["gpu"], ["cpu", "cuda"], ["--tag"], ["--nope"]])
def test_build_refuses_what_it_does_not_know(host: Host, argv: list[str]) -> None:
    done = build(host, *argv)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert not host.calls("build")


@pytest.mark.parametrize(
    ("info", "generator", "attestations"),
    [
        ('[["driver-type","io.containerd.snapshotter.v1"]]', "", ["--provenance=mode=min", "--sbom=true"]),
        ('[["driver-type","io.containerd.snapshotter.v1"]]', "r/scan:1", ["--provenance=mode=min", "--sbom=generator=r/scan:1"]),
        ('[["Backing Filesystem","extfs"]]', "", []),
    ],
)  # fmt: skip
def test_sbom_and_provenance_go_with_an_image_where_the_engine_keeps_them(
    host: Host, info: str, generator: str, attestations: list[str]
) -> None:
    more = {"STUB_INFO": info} | ({"VOICEMILL_SBOM_GENERATOR": generator} if generator else {})
    assert build(host, "cpu", **more).returncode == 0
    done = build(host, "cpu", "--attest", **more)
    assert done.returncode == 0, done.stderr
    plain, attested = host.calls("build")
    assert [each for each in attested if each.startswith(("--provenance", "--sbom"))] == attestations
    assert not [each for each in plain if each.startswith(("--provenance", "--sbom"))]
    assert ("has no SBOM and no provenance" in done.stderr) == (not attestations)


def test_podman_is_never_asked_for_attestations(tmp_path: Path) -> None:
    host = make_host(tmp_path, "podman")
    done = build(host, "cpu", "--attest", STUB_INFO="io.containerd.snapshotter")
    assert done.returncode == 0, done.stderr
    assert "has no SBOM and no provenance" in done.stderr


def test_a_client_without_buildkit_is_named(host: Host) -> None:
    stub = host.folder / "bin" / "docker"
    stub.write_text(
        STUB.replace("version 20.10.24", "version 28.2.2").replace("case", '[ "$1" != buildx ] || exit 1\ncase', 1)
    )
    done = build(host, "cpu")
    assert done.returncode == 1
    assert "buildx" in done.stderr
