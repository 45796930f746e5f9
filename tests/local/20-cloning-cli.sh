#!/usr/bin/env bash
# slow: voices and capabilities are listed, for people and for programs.
. "$(dirname "$0")/cloning.sh"
expect 0 '' app voice-synth list-voices
expect 0 '' app voice-synth list-voices --json
for key in named legacy total registry_dir; do grep -q "\"$key\"" "$SCRATCH/out" || fail "list-voices has no $key"; done
expect 0 '' app voice-synth capabilities --skip-speaker-probe --json
for key in runtime packages api_compatibility custom_voice; do grep -q "\"$key\"" "$SCRATCH/out" || fail "capabilities has no $key"; done
expect 0 '' app voice-synth list-speakers --json
grep -q '"Vivian"' "$SCRATCH/out" || fail "list-speakers does not name Vivian"
expect 1 'voice_not_found:nobody' app voice-synth speak --voice nobody --text "$TEXT_EN"
expect 1 'nothing_to_say' app voice-synth speak --speaker flite:slt --text '...'
expect 1 'custom_voice_disabled' env QWEN3_ENABLE_CUSTOMVOICE=off ./run-direct voice-synth list-speakers
