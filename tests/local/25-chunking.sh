#!/usr/bin/env bash
# slow: a long text in pieces, in two languages, and judged.
. "$(dirname "$0")/cloning.sh"
who=(--speaker flite:slt)
if qwen; then cloned local-one; who=(--voice local-one); fi
long="$TEXT_EN Nobody had told the postman, who stood before it with his bag. He turned round, and walked the long way by the mill. $TEXT_EN"
speak chunks 1 "${who[@]}" --text "$long" --chunk
[ "$(field "$OUT/chunks/takes.meta.json" n_chunks)" -gt 1 ] || fail "the text is one piece"
speak chunks-french 1 --speaker espeak-ng:fr-fr --language French --text "$TEXT_FR $TEXT_FR" --chunk
speak chunks-qa 1 "${who[@]}" --text "$long" --chunk --qa
