#!/usr/bin/env bash
# The entry points below scripts/voice/ from a folder of their own: both lanes, the four steps, the run in one go.
. "$(dirname "$0")/lib.sh"
unset WORK_DIR
mkdir "$SCRATCH/here" && cd "$SCRATCH/here"
voice="$root/scripts/voice"
export PROD_TTS_DRY_RUN=1
for lane in tts nemo; do
  job="tts_prod_train$([ "$lane" = tts ] || echo _nemo)"
  expect 0 '' "$VOICEMILL_PYTHON" "$voice/train_production_$lane.py"
  says 'PROGRESS 4 4'
  says '[tts-prod] status=done backend=local'
  is "artifacts/train_status.$job.json" job_type "$job"
done
rm -r artifacts checkpoints bundles
expect 2 missing_train_status "$VOICEMILL_PYTHON" "$voice/prod/eval_nemo_tts.py"
expect 2 missing_train_status "$VOICEMILL_PYTHON" "$voice/prod/build_voice_bundle.py"
for step in train_nemo_tts eval_nemo_tts build_voice_bundle; do expect 0 '' "$VOICEMILL_PYTHON" "$voice/prod/$step.py"; done
expect 0 '' "$VOICEMILL_PYTHON" "$voice/prod/promote_voice_bundle.py" --input-manifest checkpoints/prod_tts_voice_bundle/manifest.json \
  --output-root bundles --voice-profile-id anna --display-name Anna
says 'ARTIFACT bundles/anna/voice_bundle/manifest.json'

expect 0 '' bash "$voice/colab_run_prod_tts_once.sh"
says '=== PROD TTS TRAIN REPORT ==='
for line in objective_status=ready_for_bundle root_cause=none pipeline_rc=0 failed_step=none; do says "$line"; done
[ "$(sed -n '/^=== PROD/,$p' "$SCRATCH/out" | wc -l)" = 13 ] || fail "the report has not all its keys"
says "bundle_hash=$(sha256sum checkpoints/prod_tts_voice_bundle/manifest.json | cut -d' ' -f1)"
PROD_TTS_BASE_WEIGHTS_ID=a/b expect 2 allowlist_rejected bash "$voice/colab_run_prod_tts_once.sh"
for line in objective_status=blocked failed_step=train bundle_hash=missing promoted_bundle_hash=missing; do says "$line"; done
