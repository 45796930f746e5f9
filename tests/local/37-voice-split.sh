#!/usr/bin/env bash
# slow: clips of a recording, a registered voice, a part of it.
. "$(dirname "$0")/cloning.sh"
clips() { [ "$(find "$1" -name 'clip_*.wav' | wc -l)" = "$2" ] || { ls "$1"; fail "not $2 clips in $1"; }; }
expect 0 '' app voice-split --audio "$audio" --clips 2 --length 15 --seed 1 --out "$OUT/split"
clips "$OUT/split" 2
expect 0 '' app voice-split --audio "$audio" --clips 1 --length 12 --seed 1 --voice-name split-voice --out "$OUT/split" --licence CC0-1.0
clips "$OUT/split/split-voice" 2
[ -f "$CACHE_DIR/voices/split-voice/source_clip.wav" ] || fail "no source clip"
expect 1 'voice_not_ready:split-voice' app voice-synth speak --voice split-voice --text "$TEXT_EN"
if [ "${TEST_AUDIO_LONG:-1}" = 1 ]; then
  expect 0 '' app voice-split --audio "$audio" --start 5 --end 0:40 --clips 1 --length 8 --max-scan-seconds 30 --out "$OUT/part"
  clips "$OUT/part" 1
fi
expect 1 'part_outside' app voice-split --audio "$audio" --start 9:59:59
need_qwen
expect 0 '' app voice-clone prepare-ref --voice split-voice --force-bad-ref "${engine[@]}"
speak split-voice 1 --voice split-voice --text "$TEXT_EN"
