#!/usr/bin/env bash
# Starts a private Docker daemon for tests on a machine without one:  docker/own-engine.sh start|stop     (as root)
#
# start prints the variables to use it (DOCKER_HOST=…, and VOICEMILL_NETWORK=host where this kernel has no bridges) on stdout,
# and VOICEMILL_ENGINE_STARTED=1 unless the daemon was already running; the first start is responsible for stopping it.
# Images are kept in the user's cache folder, so that layers are reused. stop ends the daemon of start, by its process id.
set -euo pipefail
store="${VOICEMILL_ENGINE_STORE:-${XDG_CACHE_HOME:-$HOME/.cache}/voicemill/docker}"
# Sockets are in /run: other users must be able to reach them, and paths of sockets must be short.
place="/run/voicemill-docker-$(printf '%s' "$store" | cksum | cut -d' ' -f1)"
pidfile="$place/dockerd.pid" socket="$place/docker.sock"
refuse() { echo "$*" >&2; exit 1; }
alive() { [ -s "$pidfile" ] && [ "$(cat "/proc/$(cat "$pidfile")/comm" 2>/dev/null)" = dockerd ]; }
answers() { DOCKER_HOST="unix://$socket" docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
print_variables() {
  echo "DOCKER_HOST=unix://$socket"
  [ "$(cat "$place/network" 2>/dev/null)" != host ] || echo "VOICEMILL_NETWORK=host"
}

start_daemon() { # start_daemon OPTIONS...: 0 once the daemon responds
  # In a separate session, so that a Ctrl-C for the tests does not reach it.
  setsid dockerd --data-root "$store/data" --exec-root "$place/exec" --pidfile "$pidfile" --host "unix://$socket" "$@" \
    >>"$store/dockerd.log" 2>&1 </dev/null &
  local daemon=$! _
  for _ in $(seq 150); do
    if answers; then return 0; fi
    kill -0 "$daemon" 2>/dev/null || return 1
    sleep 0.2
  done
  kill "$daemon"; wait "$daemon" || true
  return 1
}

case "${1:-}" in
  start)
    if alive && answers; then print_variables; exit 0; fi
    [ "$(id -u)" = 0 ] || refuse "Starting a Docker daemon needs root: start Docker yourself (sudo systemctl start docker)."
    missing=()
    command -v dockerd >/dev/null || missing+=(docker.io)
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    command -v docker-compose >/dev/null || missing+=(docker-compose)
    # For the tests, which push images to it.
    [ -z "${CI:-}" ] || command -v docker-registry >/dev/null || missing+=(docker-registry)
    if [ "${#missing[@]}" != 0 ]; then
      if [ -z "${CI:-}" ] || ! command -v apt-get >/dev/null; then
        refuse "Missing here: ${missing[*]} (Debian: sudo apt-get install ${missing[*]})."
      fi
      { apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends iptables "${missing[@]}"
      } >&2 || refuse "apt-get could not install ${missing[*]}."
    fi
    mkdir -p "$store" "$place"
    rm -f "$place/network"
    : > "$store/dockerd.log"
    if ! start_daemon; then
      start_daemon --iptables=false --bridge=none \
        || { tail -n 15 "$store/dockerd.log" >&2; refuse "dockerd did not start; its log is $store/dockerd.log."; }
      echo host > "$place/network"
    fi
    print_variables
    echo "VOICEMILL_ENGINE_STARTED=1" ;;
  stop)
    alive || exit 0
    daemon="$(cat "$pidfile")"
    DOCKER_HOST="unix://$socket" docker image prune --force >/dev/null # images replaced by newer builds
    kill "$daemon"
    while kill -0 "$daemon" 2>/dev/null; do sleep 0.2; done ;;
  *) refuse "usage: docker/own-engine.sh start|stop" ;;
esac
