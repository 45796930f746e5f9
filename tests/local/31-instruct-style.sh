#!/usr/bin/env bash
# slow: the same by the names of styles.
. "$(dirname "$0")/cloning.sh"
expect 1 'unknown_style:wram' app voice-synth speak --speaker Ryan --text "$TEXT_EN" --instruct-style wram
need_qwen
for style in serious_doc warm excited audiobook formal; do
  speak "style-$style" 1 --speaker Ryan --text "$TEXT_EN" --instruct-style "$style"
  checked "$OUT/style-$style" 1 "instruct_style=$style" "instruct_source=style_template:$style"
done
