#!/usr/bin/env bash
# train_production_voice.sh: each gate's reason, exit code and status file; the NeMo lane without a container.
. "$(dirname "$0")/lib.sh"
unset WORK_DIR
mkdir "$SCRATCH/here" && cd "$SCRATCH/here"
lane=(bash "$root/scripts/voice/train_production_voice.sh")
status=artifacts/train_status.tts_prod_train.json
refused() { # refused REASON LINE
  expect 1 "^\[tts-prod\]\[error\] $1" "${lane[@]}"
  begins '\[tts-prod\] head='
  is "$status" state error
  is "$status" reason "${1%% *}"
}
EXPECTED_HEAD=deadbeef refused 'deterministic_head_mismatch got=.* expected=deadbeef'
AUDIO_PATH=none.flac refused 'missing_audio_path path=none.flac'
echo '{}' > bad.json
WEIGHTS_MANIFEST_PATH=bad.json refused 'invalid_weights_manifest path=bad.json'
says '[weights-manifest] error=missing_field field=model_id'
TRAIN_BACKEND=cloud refused 'invalid_backend backend=cloud'
TRAIN_LANE=songs refused 'invalid_lane lane=songs'
TOOLBOX_RUNTIME=direct refused container_engine_unavailable
TRAIN_BACKEND=managed_job expect 2 managed_job_not_implemented "${lane[@]}"
says '[tts-prod] status=blocked reason=managed_job_not_implemented'
is "$status" state blocked

TRAIN_LANE=tts_prod_train_nemo PROD_TTS_DRY_RUN=1 expect 0 '' "${lane[@]}"
says '[tts-prod] status=done backend=local'
[ "$(grep -c 'head=' "$SCRATCH/out")" = 1 ] || fail "more than one head"
TRAIN_LANE=tts_prod_train_nemo expect 2 weights_unavailable "${lane[@]}"
is artifacts/train_status.tts_prod_train_nemo.json state blocked
[ -s artifacts/voice_train_prod.orchestrator.log ] || fail "no log"
