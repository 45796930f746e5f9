#!/usr/bin/env bash
# slow: a built-in speaker in three profiles.
. "$(dirname "$0")/cloning.sh"
expect 0 '' app voice-synth list-speakers
need_qwen
for profile in stable balanced expressive; do speak "ryan-$profile" 1 --speaker Ryan --text "$TEXT_EN" --profile "$profile"; done
expect 1 'unknown_speaker:Nobody' app voice-synth speak --speaker Nobody --text "$TEXT_EN" "${engine[@]}"
