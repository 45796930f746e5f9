#!/usr/bin/env bash
# slow: a designed voice in three profiles, one of them judged.
. "$(dirname "$0")/cloning.sh"
[ "${SKIP_DESIGN:-0}" != 1 ] || exit 0
need_qwen
expect 0 '' app voice-synth design-voice --instruct 'A calm woman with a low voice.' --ref-text "$TEXT_EN It will open again in spring." \
  --voice-name smoke-designed --force "${engine[@]}"
for profile in stable balanced; do speak "designed-$profile" 1 --voice smoke-designed --text "$TEXT_EN" --profile "$profile"; done
speak designed-qa 1 --voice smoke-designed --text "$TEXT_EN" --profile expressive --qa
grep -q intelligibility "$OUT/designed-qa/takes.meta.json" || fail "the take is not judged"
