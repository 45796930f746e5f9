#!/usr/bin/env bash
# slow: every profile, and a changed temperature, is recorded.
. "$(dirname "$0")/cloning.sh"
who=(--speaker flite:slt)
if qwen; then cloned local-one; who=(--voice local-one); fi
for profile in stable balanced expressive; do
  speak "profile-$profile" 1 "${who[@]}" --text "$TEXT_EN" --profile "$profile"
  checked "$OUT/profile-$profile" 1 "generation_profile=$profile" generation_profile_source=explicit
done
speak temperature 1 "${who[@]}" --text "$TEXT_EN" --temperature 0.5
grep -q '"temperature": 0.5' "$OUT/temperature/takes.meta.json" || fail "the temperature is not recorded"
expect 1 'unknown_profile' app voice-synth speak "${who[@]}" --text "$TEXT_EN" --profile loud
