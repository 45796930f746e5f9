#!/usr/bin/env bash
# slow: texts from files, in two languages and in pieces.
. "$(dirname "$0")/cloning.sh"
mkdir -p "$SCRATCH/texts"
printf '%s\n' "$TEXT_EN" "" "$TEXT_EN" > "$SCRATCH/texts/en.txt"; printf '%s\n' "$TEXT_FR" > "$SCRATCH/texts/fr.txt"
speak file 1 --speaker flite:kal --text-file "$SCRATCH/texts/en.txt"
speak file-french 1 --speaker espeak-ng:fr-fr --language fr --text-file "$SCRATCH/texts/fr.txt"
speak file-chunks 1 --speaker flite:kal --text-file "$SCRATCH/texts/en.txt" --chunk
expect 1 'text_unreadable' app voice-synth speak --speaker flite:kal --text-file "$SCRATCH/texts/none.txt"
