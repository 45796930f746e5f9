#!/usr/bin/env bash
# Run the numbered shell suites. ONLY="01 03" or SKIP="04" choose by number; SKIP_SLOW=1 leaves out those marked slow.
set -uo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
passed=0 failed=() skipped=0
for suite in "$here"/[0-9][0-9]-*.sh; do
  name="$(basename "$suite" .sh)" number="${suite##*/}"; number="${number%%-*}"
  if { [ -n "${ONLY:-}" ] && [[ " $ONLY " != *" $number "* ]]; } || [[ " ${SKIP:-} " == *" $number "* ]] \
      || { [ "${SKIP_SLOW:-0}" = 1 ] && grep -q '^# slow' "$suite"; }; then
    skipped=$((skipped + 1)); continue
  fi
  scratch="$(mktemp -d)"
  if WORK_DIR="$scratch/work" SCRATCH="$scratch" bash "$suite" >"$scratch/log" 2>&1; then
    echo "ok      $name"; passed=$((passed + 1))
  else
    echo "FAILED  $name"; tail -n 25 "$scratch/log" | sed 's/^/        /'; failed+=("$name")
  fi
  rm -rf "$scratch"
done
echo "$passed passed, ${#failed[@]} failed, $skipped skipped"
[ "${#failed[@]}" = 0 ] && [ "$((passed + skipped))" -gt 0 ]
