# shellcheck shell=bash
# Sets up the Python environment; sourced by run-direct, the Makefile and CI:  bootstrap runtime|dev
#
# Checks the machine (scripts/machine.sh), makes the virtual environment (VOICEMILL_VENV, default .venv) and installs what locks/
# pins. A stamp in the environment has the hash of the locks, so a second start takes no time. An interrupted set-up has no stamp
# and is done again; pip keeps what is complete. Nothing is written to stdout.

voicemill_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=scripts/machine.sh
. "$voicemill_root/scripts/machine.sh"
# One place for the pin, for hosts and images: torch comes first and alone, so that no other package pulls another build
# (docs/adr/0002).
voicemill_torch="$(cat "$voicemill_root/locks/torch.txt")"

say() { printf '[setup] %s\n' "$*" >&2; }

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
  check_machine || return
  VOICEMILL_PYTHON="$venv/bin/python"
  want="$(cat "$locks/requirements.txt" "$locks/requirements-dev.txt" "$locks/torch.txt" "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)"
  if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && [ -x "$VOICEMILL_PYTHON" ]; then
    has_ffmpeg || install_ffmpeg /dev/null; return
  fi
  mkdir -p "$venv" 2>/dev/null || { say "Cannot write $venv: choose another place with VOICEMILL_VENV."; return 1; }
  log="$venv/setup.log"
  ( # a subshell holds the lock, and lets it go however it ends
    flock 9
    [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && exit 0
    say "Setting up $venv (once; a few minutes)."
    has_ffmpeg || install_ffmpeg "$log" || exit 1
    if ! "$VOICEMILL_PYTHON" -m pip --version >/dev/null 2>&1; then
      find_python || { say "Python 3.11 with venv was not found, so $venv cannot be made again."; exit 1; }
      rm -rf "${venv:?}/bin" "${venv:?}/lib" "${venv:?}/lib64" "${venv:?}/include" "$venv/pyvenv.cfg"
      "$VOICEMILL_BASE_PYTHON" -m venv "$venv" >>"$log" 2>&1 || { tail -n 5 "$log" >&2; say "Could not make $venv."; exit 1; }
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
