#!/usr/bin/env bash
# slow: a voice goes into a zip and comes back; an archive with another path in it does not.
. "$(dirname "$0")/cloning.sh"
for voice in local-one local-two; do
  if qwen; then cloned "$voice"; else
    expect 0 '' app voice-split --audio "$audio" --voice-name "$voice" --clips 1 --length 8 --seed 1 --out "$OUT" --separate never
  fi
  expect 0 '' app voice-synth export-voice "$voice" --dest "$OUT/$voice.zip"
  cp "$CACHE_DIR/voices/$voice/voice.json" "$SCRATCH/before.json"
  expect 1 "voice_exists:$voice" app voice-synth import-voice --zip "$OUT/$voice.zip"
  expect 0 '' app voice-synth import-voice --zip "$OUT/$voice.zip" --force
  cmp "$CACHE_DIR/voices/$voice/voice.json" "$SCRATCH/before.json" || fail "the voice came back changed"
  ! qwen || speak "imported-$voice" 1 --voice "$voice" --text "$TEXT_EN"
done
"$VOICEMILL_PYTHON" -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w").writestr("a/../../evil", "x")' "$SCRATCH/evil.zip"
expect 2 'voice_archive_unsafe:unsafe_path' app voice-synth import-voice --zip "$SCRATCH/evil.zip"
