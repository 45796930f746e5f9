#!/usr/bin/env bash
# slow: built-in speakers under a name, with and without an instruction.
. "$(dirname "$0")/cloning.sh"
expect 0 '' app voice-synth register-builtin --voice-name plain --speaker ryan
expect 0 '' app voice-synth register-builtin --voice-name calm --speaker Vivian --instruct-default 'Calmly.'
expect 0 '' app voice-synth register-builtin --voice-name formal --speaker Ryan --instruct-default-style formal
grep -q '"speaker": "Ryan"' "$CACHE_DIR/voices/plain/voice.json" || fail "the speaker is not recorded"
grep -q 'Calmly.' "$CACHE_DIR/voices/calm/voice.json" || fail "the instruction is not recorded"
expect 1 'unknown_speaker:Rain' app voice-synth register-builtin --voice-name wet --speaker Rain
need_qwen
for voice in plain calm formal; do speak "built-in-$voice" 1 --voice "$voice" --text "$TEXT_EN"; done
speak built-in-style 1 --voice calm --text "$TEXT_EN" --instruct-style excited
checked "$OUT/built-in-style" 1 instruct_source=style_template:excited
