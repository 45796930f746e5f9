#!/usr/bin/env bash
# slow: a cloned voice in another language.
. "$(dirname "$0")/cloning.sh"
need_qwen
cloned local-one
number=0
for sentence in "$TEXT_FR" "Bonjour a tous." "Il fait beau ce matin." "Merci pour votre visite."; do
  number=$((number + 1)); speak "french-$number" 1 --voice local-one --language French --text "$sentence"
done
speak english-best 2 --voice local-one --language English --text "$TEXT_EN" --variants 2 --select-best
