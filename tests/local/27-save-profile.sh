#!/usr/bin/env bash
# slow: a profile that was saved for a voice is its default.
. "$(dirname "$0")/cloning.sh"
expect 1 'bad_usage' app voice-synth speak --speaker flite:slt --text "$TEXT_EN" --save-profile-default
need_qwen
for voice in local-one local-two; do
  cloned "$voice"
  speak "save-$voice" 1 --voice "$voice" --text "$TEXT_EN" --profile stable --save-profile-default
  speak "saved-$voice" 1 --voice "$voice" --text "$TEXT_EN"
  checked "$OUT/saved-$voice" 1 generation_profile=stable generation_profile_source=voice_default
done
