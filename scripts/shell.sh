#!/usr/bin/env bash
# make shell, make shell-gpu: a shell in the image, with work/ and cache/ mounted as for the apps.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"
# shellcheck source=docker/engine.sh
. docker/engine.sh
find_engine || exit 1
gpu=() image=voicemill:cpu
if [ "${1:-cpu}" = gpu ]; then
  if ! check_driver || ! check_gpu; then exit 1; fi
  image=voicemill:cuda gpu=("${GPU_OPTIONS[@]}")
  docker/build.sh cuda-base
  docker/build.sh cuda
else
  docker/build.sh cpu
fi
user_options
network=(); [ -z "${VOICEMILL_NETWORK:-}" ] || network=(--network "$VOICEMILL_NETWORK")
terminal=(); [ ! -t 0 ] || terminal=(--interactive --tty)
mkdir -p work cache
exec "$ENGINE" run --rm "${USER_OPTIONS[@]}" ${network[@]+"${network[@]}"} ${gpu[@]+"${gpu[@]}"} ${terminal[@]+"${terminal[@]}"} --shm-size 1gb \
  --mount "type=bind,\"source=$root/work\",target=/work" --mount "type=bind,\"source=$root/cache\",target=/cache" "$image" bash
