#!/usr/bin/env bash
# Input that is no speech with its text: one sentence, the stable reason, the exit code, a final status, no dataset.
. "$(dirname "$0")/lib.sh"
job=./run-direct
status="$WORK_DIR/artifacts/train_status.tts_prod_train.json"
echo "Hello there." > "$SCRATCH/script.txt"
try() { # try CODE REASON FILE
  expect "$1" "$2" "$job" voice-train-prod --preset smoke --audio "$3" --script "$SCRATCH/script.txt"
  grep -q "\"reason\": \"$2" "$status" || fail "the status file does not name $2"
  ! grep -q '"state": "running"' "$status" || fail "the status file still says running"
  [ ! -e "$WORK_DIR/datasets/dottie_default" ] || fail "a dataset was left behind"
}
: > "$SCRATCH/empty.wav";                                   try 1 audio_too_small "$SCRATCH/empty.wav"
yes "this is text" | head -c 200000 > "$SCRATCH/text.wav" || true; try 1 audio_unreadable "$SCRATCH/text.wav"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n' > "$SCRATCH/lfs.flac"; try 1 audio_lfs_pointer "$SCRATCH/lfs.flac"
expect 1 missing_audio_path "$job" voice-train-prod --audio "$SCRATCH/none.wav"
