#!/usr/bin/env bash
# slow: three tones of one built-in voice.
. "$(dirname "$0")/cloning.sh"
for tone in warm excited formal; do
  expect 0 '' app voice-synth register-builtin --voice-name toned --speaker Ryan --tone "$tone" --tone-instruct-style "$tone"
done
expect 0 '' app voice-synth list-voices --json
for tone in warm excited formal; do grep -q "\"$tone\"" "$SCRATCH/out" || fail "no tone $tone"; done
expect 1 'unknown_tone:wram' app voice-synth speak --voice toned --tone wram --text "$TEXT_EN"
need_qwen
speak no-tone 1 --voice toned --text "$TEXT_EN"
for tone in warm excited formal; do speak "tone-$tone" 1 --voice toned --tone "$tone" --text "$TEXT_EN"; checked "$OUT/tone-$tone" 1 "tone=$tone"; done
