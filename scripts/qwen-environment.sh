#!/usr/bin/env bash
# Set up the environment of Qwen3-TTS, or find it set up (docs/adr/0022):  qwen-environment.sh [--finish] FOLDER PYTHON
#
# --finish: the packages of locks/qwen are already in FOLDER (docker/Dockerfile.qwen).
# FOLDER becomes a virtual environment with the packages of locks/qwen. PYTHON is that of the apps: its torch, with CUDA's libraries
# where they are installed, is linked and not installed a second time. Nothing is written to stdout; the log is FOLDER/setup.log.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=scripts/bootstrap.sh
. "$root/scripts/bootstrap.sh"
finish=''; if [ "${1:-}" = --finish ]; then finish=1; shift; fi
venv="${1:?a folder is missing}" base="${2:?a Python is missing}" lock="$root/locks/qwen/requirements.txt"
torch="$("$base" -c 'import importlib.util; print(importlib.util.find_spec("torch").origin)')"
want="$(cat "$lock" "$root/locks/torch.txt" "${BASH_SOURCE[0]}" - <<<"$torch" | sha256sum | cut -d' ' -f1)"
stamp="$venv/.voicemill-qwen"
if [ -z "$finish" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && [ -x "$venv/bin/python" ]; then exit 0; fi
mkdir -p "$venv" 2>/dev/null || { say "Cannot write $venv: choose another cache folder with CACHE_DIR."; exit 1; }

# link_torch: the packages of torch in PYTHON's environment, one symbolic link for each of their folders
link_torch() {
  "$base" - "$1" <<'PYTHON'
import importlib.metadata, re, sys
from pathlib import Path

target = Path(sys.argv[1])
for package in importlib.metadata.distributions():
    name = re.sub(r"[-_.]+", "-", package.metadata["Name"] or "").lower()
    if re.fullmatch(r"torch|triton|nvidia-.+|cuda-.+", name):
        for top in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            link = target / top
            link.unlink(missing_ok=True)
            link.symlink_to(Path(package.locate_file(top)).resolve())
PYTHON
}

# finish_environment LOG: torch linked, and what needs it tried
finish_environment() {
  local packages
  packages="$("$VOICEMILL_PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  link_torch "$packages"
  # The compiled part of torchaudio is built for CUDA and cannot be loaded beside a torch without it. qwen-tts uses a part in Python.
  if ! "$VOICEMILL_PYTHON" -c 'import torchaudio' >>"$1" 2>&1; then
    rm -f "$packages"/torchaudio/lib/*.so
    "$VOICEMILL_PYTHON" -c 'import torchaudio' >>"$1" 2>&1 || { tail -n 5 "$1" >&2; say "torchaudio does not work here."; return 1; }
  fi
  "$VOICEMILL_PYTHON" -c 'import qwen_tts' >>"$1" 2>&1 || { tail -n 5 "$1" >&2; say "qwen-tts does not work here."; return 1; }
}

VOICEMILL_PYTHON="$venv/bin/python"
if [ -n "$finish" ]; then
  log="$(mktemp)" code=0
  finish_environment "$log" || code=1
  rm -f "$log"
  exit "$code"
fi
( # a subshell holds the lock, and lets it go however it ends
  flock 9
  [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && exit 0
  log="$venv/setup.log"
  say "Setting up Qwen3-TTS in $venv (once; a few minutes)."
  if ! "$VOICEMILL_PYTHON" -m pip --version >/dev/null 2>&1; then
    rm -rf "${venv:?}/bin" "${venv:?}/lib" "${venv:?}/lib64" "${venv:?}/include" "$venv/pyvenv.cfg"
    "$base" -m venv "$venv" >>"$log" 2>&1 || { tail -n 5 "$log" >&2; say "Could not make $venv."; exit 1; }
  fi
  forget_halves "$venv"
  pip_step "$log" "Installing the locked packages of Qwen3-TTS." --no-deps --require-hashes -r "$lock" || exit 1
  finish_environment "$log" || exit 1
  printf '%s\n' "$want" > "$stamp.new" && mv "$stamp.new" "$stamp"
  say "Ready."
) 9>"$venv.lock"
