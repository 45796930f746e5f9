#!/usr/bin/env bash
# slow: a designed voice in three profiles, one of them judged.
. "$(dirname "$0")/cloning.sh"
[ "${SKIP_DESIGN:-0}" != 1 ] || exit 0
need_qwen
designed smoke-designed 'A calm woman with a low voice.' "$TEXT_EN It will open again in spring."
for profile in stable balanced; do speak "designed-$profile" 1 --voice smoke-designed --text "$TEXT_EN" --profile "$profile"; done
speak designed-qa 1 --voice smoke-designed --text "$TEXT_EN" --profile expressive --qa
grep -q intelligibility "$OUT/designed-qa/takes.meta.json" || fail "the take is not judged"
