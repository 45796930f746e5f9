#!/usr/bin/env bash
# 0 done · 1 refused · 2 blocked, with status files · 3 not acceptable. (130 and 143: 12-resume.)
. "$(dirname "$0")/lib.sh"
lane="$WORK_DIR/artifacts/train_status.tts_prod_train.json" training="$WORK_DIR/artifacts/prod_tts_train_status.json"
expect 0 '' ./run-direct voice-train-prod --dry-run --preset smoke
is "$lane" state completed
is "$training" status ok

expect 1 bad_usage ./run-direct voice-train-prod --max-steps none
expect 1 bad_usage env PROD_TTS_DRY_RUN=maybe ./run-direct voice-train-prod
expect 1 invalid_voice_profile_id ./run-direct voice-train-prod --voice ../evil
expect 1 'deterministic_head_mismatch got=' env EXPECTED_HEAD=deadbeef ./run-direct voice-train-prod
is "$lane" state error

blocked() { # blocked REASON OPTIONS...
  local reason="$1"; shift
  expect 2 "\[error\] $reason" ./run-direct voice-train-prod "$@"
  begins "\[tts-prod\] status=blocked reason=$reason"
  is "$lane" state blocked
  is "$training" status blocked
}
blocked unknown_preset --preset huge
blocked allowlist_rejected --preset smoke --base-weights somebody/model
blocked weights_unavailable --preset finetune
blocked dataset_manifest_missing --preset smoke --dataset "$SCRATCH/none.jsonl"
PROD_TTS_ALLOWLIST="$SCRATCH/none.json" blocked allowlist_missing --preset smoke --dry-run
PROD_TTS_CONFIG="$SCRATCH/none.yaml" blocked config_missing --preset smoke --dry-run

expect 0 '' ./run-direct voice-train-prod --dry-run --preset smoke --voice dry
expect 3 dry_run_not_promotable ./run-direct voice-verify bundle "$WORK_DIR/bundles/dry/voice_bundle"
expect 1 bundle_not_found ./run-direct voice-verify bundle "$SCRATCH/none"
expect 2 '' ./run-direct voice-verify weights "$SCRATCH/none.json"
expect 0 '' ./run-direct voice-verify weights configs/voice/weights-manifest.example.json
expect 0 '' "$VOICEMILL_PYTHON" scripts/voice/verify_weights_manifest.py
says '[weights-manifest] status=ok'
