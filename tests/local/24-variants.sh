#!/usr/bin/env bash
# slow: several takes, the best of them, and judged ones.
. "$(dirname "$0")/cloning.sh"
who=(--speaker flite:slt)
if qwen; then cloned local-one; who=(--voice local-one); fi
speak variants 3 "${who[@]}" --text "$TEXT_EN" --variants 3 --select-best --seed 1
[ -f "$OUT/variants/best.wav" ] || fail "no best.wav"
speak variants-qa 2 "${who[@]}" --text "$TEXT_EN" --variants 2 --qa
speak one-qa 1 "${who[@]}" --text "$TEXT_EN" --qa
grep -q '"transcript"' "$OUT/one-qa/takes.meta.json" || fail "the take is not judged"
speak french 2 --speaker espeak-ng:fr-fr --language French --text "$TEXT_FR" --variants 2
expect 1 'language_not_judged:French' app voice-synth speak --speaker espeak-ng:fr-fr --language French --text "$TEXT_FR" --select-best --whisper-model tiny.en
