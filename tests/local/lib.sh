# shellcheck shell=bash
# Sourced by the suites: small assertions that say what they saw.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$root"
fail() { echo "FAIL: $*"; exit 1; }
# expect CODE REASON COMMAND...: the command exits with CODE and names REASON on stderr ('' for none).
expect() {
  local code="$1" reason="$2" got=0; shift 2
  "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" || got=$?
  [ "$got" = "$code" ] || { cat "$SCRATCH/err"; fail "exit $got instead of $code: $*"; }
  [ -z "$reason" ] || grep -q "$reason" "$SCRATCH/err" || { cat "$SCRATCH/err"; fail "no '$reason' on stderr: $*"; }
  ! grep -q Traceback "$SCRATCH/err" || { cat "$SCRATCH/err"; fail "a traceback: $*"; }
}
