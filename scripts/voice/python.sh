# shellcheck shell=bash
# Sourced by the entry points: `find_python` sets PYTHON to the Python that runs them.
#
# First the one that VOICEMILL_PYTHON names, then the project's environment where it is set up already (nothing is installed
# here), else the machine's. The gates and the container backend need the standard library of Python 3.10 only.
find_python() {
  local root="$1" candidate # $2: the name that errors are printed under
  for candidate in "${VOICEMILL_PYTHON:-}" "${VOICEMILL_VENV:-$root/.venv}/bin/python" python3 python; do
    if [ -z "$candidate" ] || ! command -v "$candidate" >/dev/null 2>&1; then continue; fi
    # shellcheck disable=SC2034 # read by who sources this
    if "$candidate" -c 'import sys; raise SystemExit(sys.version_info < (3, 10))' 2>/dev/null; then
      PYTHON="$candidate"; return 0
    fi
  done
  printf '%s\n' "[${2:-tts-prod}][error] runtime_dependency_missing:python3" \
    "Python 3.10 or newer was not found: install it (Debian: apt-get install python3), or use ./run, which needs Docker only." >&2
  return 1
}
