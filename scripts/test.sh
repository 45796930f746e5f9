#!/usr/bin/env bash
# make test: pytest in the development image if a container engine responds, else on this machine. Options go to pytest.
#   TOOLBOX_RUNTIME=direct: on this machine. Tests that need an engine: `make test-docker`.
#   TEST_ENGINE=own: always in a container. Where no engine responds, root starts a private one (docker/own-engine.sh), with a base
#   image of Debian's packages where no registry is in reach; others leave the tests out, which in CI is a failure.
#   TEST_HALVES=1: the tests of the apps beside the others as two processes at once, unless options name a path.
#   TEST_HALVES="tests/unit/FOLDER …": unit tests and faults only; these folders are the second process.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"
# shellcheck source=docker/engine.sh
. docker/engine.sh
if [ "${TEST_ENGINE:-}" = own ] && ! find_engine 2>/dev/null; then
  if ! variables="$(docker/own-engine.sh start)"; then
    echo "[test] No test ran in a container." >&2
    [ -z "${CI:-}" ] || exit 1
    exit 0
  fi
  while IFS= read -r variable; do export "${variable?}"; done <<<"$variables"
  if [ -n "${VOICEMILL_ENGINE_STARTED:-}" ]; then trap 'docker/own-engine.sh stop' EXIT; fi
fi
if [ "${TOOLBOX_RUNTIME:-}" = direct ] || ! find_engine; then
  case "${TOOLBOX_RUNTIME:-direct}" in direct) ;; *) exit 1 ;; esac # an engine requested by name is not replaced
  # shellcheck source=scripts/bootstrap.sh
  . scripts/bootstrap.sh
  bootstrap dev
  for option in "$@"; do [ ! -e "${option%%::*}" ] || TEST_HALVES=0; done
  if [ "${TEST_HALVES:-0}" != 0 ]; then
    first=() apps=(tests/apps) ignored=()
    for folder in tests/*/; do
      case "$folder" in tests/apps/ | tests/docker/ | tests/__pycache__/) ;; *) first+=("$folder") ;; esac
    done
    # shellcheck disable=SC2086 # a list of folders
    [ "$TEST_HALVES" = 1 ] || { apps=(); for folder in $TEST_HALVES; do apps+=("$folder") ignored+=("--ignore=$folder"); done; }
    log="$(mktemp)" status=0 second=0
    trap 'rm -f "$log"' EXIT
    "$VOICEMILL_PYTHON" -m pytest -p no:cacheprovider "${apps[@]}" "$@" >"$log" 2>&1 & other=$!
    "$VOICEMILL_PYTHON" -m pytest "${first[@]}" ${ignored[@]+"${ignored[@]}"} "$@" || status=$?
    wait "$other" || second=$?
    cat "$log"
    # 5: no test of this half was selected
    [ "$status" != 5 ] || { status="$second" second=0; }
    [ "$second" = 0 ] || [ "$second" = 5 ] || status="$second"
    exit "$status"
  fi
  exec "$VOICEMILL_PYTHON" -m pytest --ignore=tests/docker "$@"
fi
base=python:3.11-slim-bookworm # the Dockerfiles' own
if [ "${TEST_ENGINE:-}" = own ] && [ -z "${VOICEMILL_BASE_IMAGE:-}" ] && ! "$ENGINE" image inspect "$base" >/dev/null 2>&1 \
  && ! with_timeout "$ENGINE" pull --quiet "$base" >/dev/null 2>&1; then
  variables="$(docker/offline-base.sh)"
  while IFS= read -r variable; do export "${variable?}"; done <<<"$variables"
fi
docker/build.sh dev
user_options
network=(); [ -z "${VOICEMILL_NETWORK:-}" ] || network=(--network "$VOICEMILL_NETWORK")
code=0
"$ENGINE" run --rm --init "${USER_OPTIONS[@]}" ${network[@]+"${network[@]}"} --shm-size 1gb --workdir /src \
  --mount "type=bind,\"source=$root\",target=/src" --env PYTHONDONTWRITEBYTECODE=1 --env VOICEMILL_VAST_VENV=/tmp/vast-client --env HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis --env NUMBA_CACHE_DIR=/tmp/numba \
  voicemill:dev python3 -m pytest -p no:cacheprovider --ignore=tests/docker "$@" || code=$?
exit "$code"
