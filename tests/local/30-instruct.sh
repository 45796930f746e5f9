#!/usr/bin/env bash
# slow: sentences that say how to speak.
. "$(dirname "$0")/cloning.sh"
expect 1 'instruction_not_taken' app voice-synth speak --speaker flite:slt --text "$TEXT_EN" --instruct Slowly.
need_qwen
number=0
for sentence in 'Slowly and sadly.' 'With great joy.' 'In a whisper.' 'As a news reader.' 'Out of breath.'; do
  number=$((number + 1))
  speak "instruct-$number" 1 --speaker Ryan --text "$TEXT_EN" --instruct "$sentence"
  checked "$OUT/instruct-$number" 1 "instruct=$sentence" instruct_source=explicit
done
