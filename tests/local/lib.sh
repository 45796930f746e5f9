# shellcheck shell=bash
# Sourced by the suites: small assertions that say what they saw. A suite also runs alone: bash tests/local/05-contract-lines.sh
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$root"
# No setting of the person who runs the suites leaks into them.
for name in $(compgen -e); do
  case "$name" in TRAIN_*|PROD_TTS_*|VOICE_*|TOOLBOX_*|AUDIO_PATH|EXPECTED_HEAD|WEIGHTS_MANIFEST_PATH|LOG_PATH) unset "$name" ;; esac
done
if [ -z "${SCRATCH:-}" ]; then
  SCRATCH="$(mktemp -d)"
  trap 'rm -rf "$SCRATCH"' EXIT
fi
export SCRATCH WORK_DIR="${WORK_DIR:-$SCRATCH/work}"
if [ -z "${VOICEMILL_PYTHON:-}" ]; then
  # shellcheck source=scripts/bootstrap.sh
  . scripts/bootstrap.sh
  bootstrap dev
fi
export VOICEMILL_PYTHON

fail() { echo "FAIL: $*"; exit 1; }
# expect CODE REASON COMMAND...: the command exits with CODE and names REASON on stderr ('' for none).
expect() {
  local code="$1" reason="$2" got=0; shift 2
  "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" || got=$?
  [ "$got" = "$code" ] || { cat "$SCRATCH/err"; fail "exit $got instead of $code: $*"; }
  [ -z "$reason" ] || grep -q "$reason" "$SCRATCH/err" || { cat "$SCRATCH/err"; fail "no '$reason' on stderr: $*"; }
  ! grep -q Traceback "$SCRATCH/err" || { cat "$SCRATCH/err"; fail "a traceback: $*"; }
}
# says TEXT: the last command's stdout holds this line.
says() { grep -qxF -- "$1" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no line '$1' on stdout"; }; }
# begins TEXT: the last command's stdout holds a line that begins so.
begins() { grep -qE -- "^$1" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "no line begins with '$1' on stdout"; }; }
# field FILE KEY: a top-level value of a JSON file.
field() { "$VOICEMILL_PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }
# is FILE KEY VALUE
is() { [ "$(field "$1" "$2")" = "$3" ] || fail "$2 of $1 is $(field "$1" "$2"), not $3"; }
