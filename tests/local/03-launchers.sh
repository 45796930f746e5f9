#!/usr/bin/env bash
# ./run and ./run-direct: what they list, what they refuse, and that ./run without a container is ./run-direct.
. "$(dirname "$0")/lib.sh"
for launcher in ./run ./run-direct; do
  expect 1 '' "$launcher"
  expect 1 bad_usage "$launcher" no-such-app
  expect 1 bad_usage "$launcher" ../apps/voice-prep
done
expect 0 '' ./run-direct --help
for app in apps/*/; do grep -q "$(basename "$app")" "$SCRATCH/out" || fail "./run-direct does not list $app"; done
expect 1 bad_usage env TOOLBOX_VARIANT=quantum ./run voice-prep
TOOLBOX_RUNTIME=direct expect 0 '' ./run voice-train-prod --dry-run --preset smoke
begins '\[tts-prod\] head='
says 'PROGRESS 4 4'
is "$WORK_DIR/artifacts/train_status.tts_prod_train.json" state completed
(cd "$SCRATCH" && WORK_DIR="$SCRATCH/wörk, 2: one" expect 0 '' "$root/run-direct" voice-train-prod --dry-run --preset smoke)
[ -f "$SCRATCH/wörk, 2: one/bundles/dottie_default/voice_bundle/manifest.json" ] || fail "no bundle in an awkward place"
