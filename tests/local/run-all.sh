#!/usr/bin/env bash
# Run the numbered shell suites. ONLY="01 03" or SKIP="04" choose by number; SKIP_SLOW=1 leaves out those that begin `# slow`.
set -uo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# The environment is set up once, before the first suite.
# shellcheck source=scripts/bootstrap.sh
. "$here/../../scripts/bootstrap.sh"
bootstrap dev || exit 1
export VOICEMILL_PYTHON
passed=0 failed=0 skipped=0 table=()
for suite in "$here"/[0-9][0-9]-*.sh; do
  name="$(basename "$suite" .sh)" number="$(basename "$suite")" number="${number%%-*}"
  if { [ -n "${ONLY:-}" ] && [[ " $ONLY " != *" $number "* ]]; } || [[ " ${SKIP:-} " == *" $number "* ]] \
      || { [ "${SKIP_SLOW:-0}" = 1 ] && grep -q '^# slow' "$suite"; }; then
    skipped=$((skipped + 1)); continue
  fi
  scratch="$(mktemp -d)" began=$SECONDS
  if WORK_DIR="$scratch/work" SCRATCH="$scratch" bash "$suite" >"$scratch/log" 2>&1; then
    result=ok passed=$((passed + 1))
  else
    result=FAILED failed=$((failed + 1))
    echo "$name failed; its last lines:"; tail -n 25 "$scratch/log" | sed 's/^/    /'
  fi
  table+=("$(printf '%-24s %-7s %6s s' "$name" "$result" "$((SECONDS - began))")")
  rm -rf "$scratch"
done
[ "${#table[@]}" = 0 ] || printf '%s\n' "" "suite                    result   seconds" "${table[@]}" ""
echo "$passed suites passed, $failed failed, $skipped skipped"
if [ "$((passed + failed))" = 0 ]; then echo "No suite was chosen: look at ONLY and SKIP." >&2; exit 1; fi
[ "$failed" = 0 ]
