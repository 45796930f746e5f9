#!/usr/bin/env bash
# slow: the main job on the bundled demo, as the README begins: a voice that verifies, and a second run that finds it all there.
. "$(dirname "$0")/lib.sh"
expect 0 '' ./run-direct voice-train-prod
says 'PROGRESS 100 100'
says '[tts-prod] status=done backend=local'
voice="$WORK_DIR/bundles/dottie_default/voice_bundle"
for file in fastpitch.nemo sample.wav prod_tts_eval.json ATTRIBUTION.txt manifest.json; do [ -s "$voice/$file" ] || fail "no $file"; done
[ -s "$WORK_DIR/reports/dottie_default.html" ] || fail "no report"
expect 0 '' ./run-direct voice-verify bundle "$voice"
begins 'bundle: OK'
expect 0 '' ./run-direct voice-train-prod
grep -q 'trained already' "$SCRATCH/err" || fail "the second run trained again"
