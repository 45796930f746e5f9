#!/usr/bin/env bash
# slow: a voice teaches; its dataset says whose speech it is.
. "$(dirname "$0")/cloning.sh"
expect 0 '' app voice-synth teach --speaker flite:slt --voice-name taught --minutes 0.5 --workers 1
begins 'ARTIFACT .*taught/dataset.json'
grep -q '"synthetic_speech.engine": "flite"' "$WORK_DIR/datasets/taught/dataset.json" || fail "the dataset does not name its teacher"
before="$(sha256sum < "$WORK_DIR/teaching/taught/synthetic_speech.json")"
expect 0 '' app voice-synth teach --speaker flite:slt --voice-name taught --minutes 0.5 --workers 1
[ "$before" = "$(sha256sum < "$WORK_DIR/teaching/taught/synthetic_speech.json")" ] || fail "a second run read sentences again"
expect 0 '' app voice-prep show taught
expect 1 'bad_usage' app voice-synth teach --speaker flite:slt --minutes 1
