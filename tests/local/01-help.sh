#!/usr/bin/env bash
# Every app explains itself; unknown apps and options are refused with exit 1.
. "$(dirname "$0")/lib.sh"
for app in apps/*/; do
  app="$(basename "$app")"
  expect 0 '' ./run-direct "$app" --help
  grep -q 'Examples' "$SCRATCH/out" || fail "$app --help shows no examples"
  expect 1 bad_usage ./run-direct "$app" --no-such-option
done
expect 1 '' ./run-direct
expect 0 '' ./run-direct --help
expect 1 bad_usage ./run-direct no-such-app
expect 1 bad_usage ./run-direct ../apps/voice-prep
