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

responds() { "$VOICEMILL_PYTHON" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=15)' "$1" 2>/dev/null; }

# install_torch LOG: with the hashes of locks/, except from an index that VOICEMILL_TORCH_INDEX names, and for processors other than
# x86-64. Without an NVIDIA device it takes the CPU build, from pip's find-links or PyTorch's CPU index (locks/torch-index.txt): the
# build of pip's default index also runs there and is several gigabytes larger.
install_torch() {
  local log="$1" locks="$voicemill_root/locks" what="Installing $voicemill_torch" small pinned=(--no-deps --require-hashes -r)
  if [ -n "${VOICEMILL_TORCH_INDEX:-}" ]; then
    pip_step "$log" "$what from $VOICEMILL_TORCH_INDEX." --index-url "$VOICEMILL_TORCH_INDEX" "$voicemill_torch"; return
  fi
  if [ ! -e /dev/nvidiactl ] && ! has nvidia-smi; then
    small="$(cat "$locks/torch-index.txt")"
    if [ "$(uname -m)" = x86_64 ]; then
      say "$what for the CPU."
      if "$VOICEMILL_PYTHON" -m pip install --disable-pip-version-check --no-input "${pinned[@]}" "$locks/torch-cpu.txt" >>"$log" 2>&1; then return; fi
      if responds "$small"; then pip_step "$log" "It comes from $small." --index-url "$small" "${pinned[@]}" "$locks/torch-cpu.txt"; return; fi
    elif responds "$small"; then
      pip_step "$log" "$what for the CPU." --index-url "$small" "$voicemill_torch"; return
    fi
    say "$small does not respond: torch comes from pip's index, with CUDA, which takes several gigabytes more."
  fi
  if [ "$(uname -m)" = x86_64 ]; then # a requirement and its hashes are one block
    awk '/^[a-z]/ { take = !/^torchaudio==/ } take' "$locks/torch-pypi.txt" > "$log.torch"
    pip_step "$log" "$what with CUDA." "${pinned[@]}" "$log.torch"
  else
    pip_step "$log" "$what." "$voicemill_torch"
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
  want="$(cat "$locks/requirements.txt" "$locks/requirements-dev.txt" "$locks"/torch*.txt "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)"
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
      install_torch "$log" || exit 1
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
