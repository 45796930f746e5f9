# shellcheck shell=bash
# Set-up by use, sourced by run-direct, the Makefile and CI:  bootstrap runtime|dev
#
# Makes the virtual environment (VOICEMILL_VENV, default .venv), installs what locks/ pins and names missing system tools.
# A stamp in the environment holds the hash of the lock, so that a second start costs nothing; a set-up that was interrupted
# has no stamp and is simply done again, pip keeping what is whole. Nothing is written to stdout.

voicemill_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# One place for the pin, for hosts and images: torch comes first and alone, so that no other package pulls another build
# (docs/adr/0002).
voicemill_torch="$(cat "$voicemill_root/locks/torch.txt")"

say() { printf '[setup] %s\n' "$*" >&2; }

need_python() {
  local candidate
  for candidate in "${VOICEMILL_BASE_PYTHON:-}" python3.11 python3 python; do
    [ -n "$candidate" ] || continue
    if command -v "$candidate" >/dev/null 2>&1 \
        && "$candidate" -c 'import sys, venv, ensurepip; raise SystemExit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      command -v "$candidate"; return 0
    fi
  done
  say "Python 3.11 with venv is needed and was not found: install it (Debian 12: apt-get install python3 python3-venv)."
  return 1
}

need_tools() {
  command -v ffmpeg >/dev/null 2>&1 && command -v ffprobe >/dev/null 2>&1 && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "ffmpeg is missing: installing it with apt-get."
    if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ffmpeg; } \
        >>"$1" 2>&1; then return 0; fi
  fi
  say "ffmpeg is missing and could not be installed: install it yourself (Debian: sudo apt-get install ffmpeg)."
  return 1
}

pip_step() { # pip_step LOG SENTENCE ARGUMENTS...
  local log="$1"; say "$2"; shift 2
  if ! "$VOICEMILL_PYTHON" -m pip install --disable-pip-version-check --no-input "$@" >>"$log" 2>&1; then
    tail -n 15 "$log" >&2
    say "The installation failed; the whole log is $log. Start again to go on where it stopped."
    return 1
  fi
}

# The index for torch. A machine without an NVIDIA device takes PyTorch's CPU index (locks/torch-index.txt) if it responds: the build
# of pip's default index also runs there and is several gigabytes larger.
torch_index() {
  if [ -n "${VOICEMILL_TORCH_INDEX:-}" ]; then printf '%s' "$VOICEMILL_TORCH_INDEX"; return; fi
  if [ -e /dev/nvidiactl ] || command -v nvidia-smi >/dev/null 2>&1; then return; fi
  local small; small="$(cat "$voicemill_root/locks/torch-index.txt")"
  if "$VOICEMILL_PYTHON" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=15)' "$small" 2>/dev/null; then
    printf '%s' "$small"
  else
    say "$small does not respond: torch comes from pip's index, with CUDA, which takes several gigabytes more."
  fi
}

# pip writes a package's RECORD last: without it the package was cut off while it was copied, and pip would keep the half.
forget_halves() {
  local info
  for info in "$1"/lib/python3*/site-packages/*.dist-info; do
    if [ -d "$info" ] && [ ! -s "$info/RECORD" ]; then rm -rf "$info"; fi
  done
}

# Several starts at once (a batch, two terminals) take turns on a lock beside the environment.
bootstrap() {
  local kind="$1" venv="${VOICEMILL_VENV:-$voicemill_root/.venv}" locks="$voicemill_root/locks"
  local stamp="$venv/.voicemill-$kind" log want
  VOICEMILL_PYTHON="$venv/bin/python"
  want="$(cat "$locks/requirements.txt" "$locks/requirements-dev.txt" "$locks/torch.txt" "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)"
  if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && [ -x "$VOICEMILL_PYTHON" ]; then
    need_tools /dev/null; return
  fi
  mkdir -p "$venv" 2>/dev/null || { say "Cannot write $venv: choose another place with VOICEMILL_VENV."; return 1; }
  log="$venv/setup.log"
  ( # a subshell holds the lock, and lets it go however it ends
    flock 9
    [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && exit 0
    say "Setting up $venv (once; a few minutes)."
    need_tools "$log" || exit 1
    if ! "$VOICEMILL_PYTHON" -m pip --version >/dev/null 2>&1; then
      base="$(need_python)" || exit 1
      rm -rf "${venv:?}/bin" "${venv:?}/lib" "${venv:?}/lib64" "${venv:?}/include" "$venv/pyvenv.cfg"
      "$base" -m venv "$venv" >>"$log" 2>&1 || { tail -n 5 "$log" >&2; say "Could not make $venv."; exit 1; }
    fi
    forget_halves "$venv"
    if ! "$VOICEMILL_PYTHON" -c "import importlib.metadata as m; raise SystemExit('torch==' + m.version('torch').split('+')[0] != '$voicemill_torch')" 2>/dev/null; then
      url="$(torch_index)"; index=(); [ -z "$url" ] || index=(--index-url "$url")
      pip_step "$log" "Installing $voicemill_torch." "${index[@]}" "$voicemill_torch" || exit 1
    fi
    pip_step "$log" "Installing the locked packages." --no-deps --require-hashes -r "$locks/requirements.txt" || exit 1
    if [ "$kind" = dev ]; then
      pip_step "$log" "Installing the locked development packages." --no-deps --require-hashes -r "$locks/requirements-dev.txt" || exit 1
      printf '%s\n' "$want" > "$venv/.voicemill-runtime"
    fi
    printf '%s\n' "$want" > "$stamp.new" && mv "$stamp.new" "$stamp"
    say "Ready."
  ) 9>"$venv.lock"
}
