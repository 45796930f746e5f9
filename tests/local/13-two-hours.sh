#!/usr/bin/env bash
# slow: two hours of reading with all that goes wrong in it, prepared in one command in bounded memory and held against the truth.
. "$(dirname "$0")/lib.sh"
command -v flite >/dev/null || fail "flite is not installed: apt install flite"
"$VOICEMILL_PYTHON" scripts/construction/build.py --minutes "${MINUTES:-120}" "$SCRATCH/long"
expect 0 '' ./run-direct voice-prep --voice ann --audio "$SCRATCH/long/recording.flac" --script "$SCRATCH/long/script.txt"
"$VOICEMILL_PYTHON" scripts/construction/judge.py "$SCRATCH/long" "$WORK_DIR/datasets/ann" || fail "a goal was missed"
[ -s "$WORK_DIR/datasets/ann/report.html" ] || fail "no report"
"$VOICEMILL_PYTHON" - "$WORK_DIR/datasets/ann/timings.json" <<'PYTHON' || fail "more than 1 GB of memory"
import json, sys
peak = max(stage["peak_mib"] or 0 for stage in json.load(open(sys.argv[1])))
print(f"peak memory of a stage: {peak:.0f} MiB")
sys.exit(peak > 1000)
PYTHON
