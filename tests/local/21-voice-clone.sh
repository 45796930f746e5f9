#!/usr/bin/env bash
# slow: self-test, a cloned voice in two profiles, a reference alone.
. "$(dirname "$0")/cloning.sh"
expect 1 'missing_audio_path' app voice-clone prepare-ref --ref-audio none.wav
need_qwen
expect 0 '' app voice-clone self-test --out "$OUT" "${engine[@]}"
grep -q '"status":"ok"' "$SCRATCH/out" || fail "the self-test is not ok"
cloned local-one
for profile in balanced stable; do
  expect 0 '' app voice-clone synth --voice local-one --text "$TEXT_EN" --profile "$profile" --out "$OUT/$profile" --force-bad-ref "${engine[@]}"
  [ -n "$(ls "$OUT/$profile"/local-one/voice_clone_*.meta.json)" ] || fail "no record"
done
expect 0 '' app voice-clone prepare-ref --voice local-one --force-bad-ref "${engine[@]}"
begins 'ARTIFACT .*safetensors'
