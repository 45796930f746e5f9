#!/usr/bin/env bash
# slow: two designed voices speak.
. "$(dirname "$0")/cloning.sh"
[ "${SKIP_DESIGN:-0}" != 1 ] || exit 0
expect 1 'bad_usage' app voice-synth design-voice --ref-text "$TEXT_EN"
need_qwen
design() { expect 0 '' app voice-synth design-voice --voice-name "$1" --instruct "$2" --ref-text "$TEXT_EN It will open again in spring." --force "${engine[@]}"; }
design sailor 'An old sailor with a rough voice.'; design reader 'A young woman who reads the news.'
speak sailor 1 --voice sailor --text "$TEXT_EN"; speak reader 1 --voice reader --text "$TEXT_EN"
speak reader-long 1 --voice reader --text "$TEXT_EN $TEXT_EN" --chunk
