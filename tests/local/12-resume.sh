#!/usr/bin/env bash
# slow: SIGTERM and Ctrl-C in the middle of training leave a checkpoint; --resume goes on from it to a verified voice.
. "$(dirname "$0")/lib.sh"
job=(./run-direct voice-train-prod --preset smoke --max-steps 30 --voice anna)
stop_with() { # stop_with SIGNAL CODE OPTIONS...
  local signal="$1" code="$2" got=0 pid; shift 2
  # set -m gives the job a process group of its own, in which SIGINT is not ignored
  set -m; "${job[@]}" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" & pid=$!; set +m
  until grep -q '"model":"FastPitch"' "$SCRATCH/out"; do
    kill -0 "$pid" 2>/dev/null || { cat "$SCRATCH/err"; fail "it ended before it trained"; }
    sleep 0.2
  done
  kill "-$signal" "$pid"
  wait "$pid" || got=$?
  [ "$got" = "$code" ] || { cat "$SCRATCH/err"; fail "exit $got instead of $code after SIG$signal"; }
  grep -q "\[error\] interrupted:sig${signal,,}" "$SCRATCH/err" || fail "the interruption is not named"
  ! grep -q Traceback "$SCRATCH/err" || { cat "$SCRATCH/err"; fail "a traceback"; }
  is "$WORK_DIR/artifacts/train_status.tts_prod_train.json" reason "interrupted:sig${signal,,}"
  compgen -G "$WORK_DIR/checkpoints/prod_tts/anna/acoustic/*.checkpoint" >/dev/null || fail "no checkpoint"
}
stop_with TERM 143
stop_with INT 130 --resume
expect 0 '' "${job[@]}" --resume
says 'PROGRESS 100 100'
expect 0 '' ./run-direct voice-verify bundle "$WORK_DIR/bundles/anna/voice_bundle"
