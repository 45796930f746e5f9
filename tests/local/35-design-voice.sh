#!/usr/bin/env bash
# slow: two designed voices speak.
. "$(dirname "$0")/cloning.sh"
[ "${SKIP_DESIGN:-0}" != 1 ] || exit 0
expect 1 'bad_usage' app voice-synth design-voice --ref-text "$TEXT_EN"
need_qwen
designed sailor 'An old sailor with a rough voice.' "$TEXT_EN It will open again in spring."
designed reader 'A young woman who reads the news.' "$TEXT_EN It will open again in spring."
speak sailor 1 --voice sailor --text "$TEXT_EN"; speak reader 1 --voice reader --text "$TEXT_EN"
speak reader-long 1 --voice reader --text "$TEXT_EN $TEXT_EN" --chunk
