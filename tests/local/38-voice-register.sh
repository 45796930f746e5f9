#!/usr/bin/env bash
# slow: a recording becomes a voice in one command.
. "$(dirname "$0")/cloning.sh"
expect 1 'bad_usage' app voice-register --audio "$audio" --text "$TEXT_EN"
expect 1 'invalid_voice_slug' app voice-register --audio "$audio" --text "$TEXT_EN" --voice-name '../x'
need_qwen
expect 0 '' app voice-register --audio "$audio" --voice-name registered --text "$TEXT_EN" --clips 1 --length 12 --seed 1 --force-bad-ref --out "$OUT" "${engine[@]}"
[ -n "$(ls "$OUT"/registered/voice_clone_*.wav)" ] || fail "no test was spoken"
speak registered 1 --voice registered --text "$TEXT_EN"
speak registered-long 1 --voice registered --text "$TEXT_EN $TEXT_EN" --chunk
expect 0 '' app voice-register --audio "$audio" --start 5 --end 40 --voice-name trimmed --text "$TEXT_EN" --clips 1 --length 8 --skip-synth --force-bad-ref --out "$OUT" "${engine[@]}"
speak trimmed 1 --voice trimmed --text "$TEXT_EN"
