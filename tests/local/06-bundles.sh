#!/usr/bin/env bash
# Build, promote, inspect, verify, tamper: with a dry run's bundle, which takes the same way as a real one.
. "$(dirname "$0")/lib.sh"
expect 0 '' ./run-direct voice-train-prod --dry-run --preset smoke --voice anna
built="$WORK_DIR/checkpoints/prod_tts_voice_bundle" promoted="$WORK_DIR/bundles/anna/voice_bundle"
cp -r "$built" "$SCRATCH/before"
expect 0 '' ./run-direct voice-bundle build
diff -r "$built" "$SCRATCH/before" || fail "the same inputs gave other bytes"
expect 0 '' env SOURCE_DATE_EPOCH=1700000000 ./run-direct voice-bundle promote --voice berta --display-name 'Berta Ω'
begins 'ARTIFACT .*bundles/berta/voice_bundle/manifest.json'
is "$WORK_DIR/bundles/berta/voice_bundle/manifest.json" display_name 'Berta Ω'
is "$WORK_DIR/bundles/berta/voice_bundle/manifest.json" created_at 2023-11-14T22:13:20Z
expect 0 '' ./run-direct voice-bundle inspect "$promoted"
grep -q anna "$SCRATCH/out" || fail "inspect does not name the voice"
expect 1 invalid_voice_profile_id ./run-direct voice-bundle promote --voice a/b
expect 2 manifest_missing ./run-direct voice-bundle promote --input-manifest "$SCRATCH/none/manifest.json"

# A dry run matches its manifest and is no voice all the same; a bundle that was moved verifies as before.
mv "$promoted" "$SCRATCH/moved"
expect 3 dry_run_not_promotable ./run-direct voice-verify bundle "$SCRATCH/moved"
differs() { # differs PATH WHAT
  expect 3 verification_failed ./run-direct voice-verify bundle "$SCRATCH/moved"
  grep -q "$2.*$1" "$SCRATCH/out" || { cat "$SCRATCH/out"; fail "verify does not name $1 as $2"; }
}
printf 'x' >> "$SCRATCH/moved/fastpitch.nemo"; differs fastpitch.nemo changed
cp "$built/fastpitch.nemo" "$SCRATCH/moved/"
touch "$SCRATCH/moved/more.txt"; differs more.txt extra; rm "$SCRATCH/moved/more.txt"
mv "$SCRATCH/moved/ATTRIBUTION.txt" "$SCRATCH/kept"; differs ATTRIBUTION.txt missing
ln -s "$SCRATCH/kept" "$SCRATCH/moved/ATTRIBUTION.txt"; differs ATTRIBUTION.txt unsafe
rm "$SCRATCH/moved/ATTRIBUTION.txt"; cp "$SCRATCH/kept" "$SCRATCH/moved/ATTRIBUTION.txt"
expect 3 dry_run_not_promotable ./run-direct voice-verify bundle "$SCRATCH/moved"

# A production bundle that was touched is not promoted, and the voice that is there stays.
printf 'x' >> "$built/hifigan.nemo"
expect 2 'bytes_mismatch:hifigan.nemo' ./run-direct voice-bundle promote --voice berta
is "$WORK_DIR/bundles/berta/voice_bundle/manifest.json" display_name 'Berta Ω'
