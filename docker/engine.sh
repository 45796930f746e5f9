# shellcheck shell=bash disable=SC2034  # the variables are for those who source this
# Which container engine answers: sourced by run, docker/build.sh and what else starts containers.
#
#   find_engine    ENGINE=docker|podman, and 0; or 1, one plain sentence on stderr and in ENGINE_SENTENCE, and the cause in
#                  ENGINE_REASON: not_installed, daemon_down, no_permission, direct (TOOLBOX_RUNTIME=direct) or bad_usage.
#                  ENGINE_ROOTLESS=1 where root inside a container is the calling user outside.
#   find_builder   BUILDER=<command that builds with BuildKit>, for the engine found before.
#
# TOOLBOX_RUNTIME=docker|podman|direct forces a choice; without it Docker is asked first, then Podman.

ENGINE='' ENGINE_REASON='' ENGINE_SENTENCE='' ENGINE_ROOTLESS='' BUILDER=''

# A daemon that hangs must not hang us.
patiently() { if command -v timeout >/dev/null 2>&1; then timeout 30 "$@"; else "$@"; fi; }

# ask_engine NAME: does it answer? Sets ENGINE_REASON and ENGINE_SENTENCE otherwise.
ask_engine() {
  local name="$1" said
  if ! command -v "$name" >/dev/null 2>&1; then
    ENGINE_REASON=not_installed ENGINE_SENTENCE="$name is not installed: install it to run in a container."
    return 1
  fi
  if said="$(LC_ALL=C patiently "$name" info --format '{{json .}}' 2>&1)"; then
    # Old clients end with 0 although the daemon did not answer.
    case "$said" in
      *"Cannot connect to the Docker daemon"*|*"permission denied"*) ;;
      *)
        # Podman may answer under Docker's name.
        case "$("$name" --version 2>/dev/null)" in podman*) name=podman ;; esac
        ENGINE="$name" ENGINE_REASON='' ENGINE_SENTENCE='' ENGINE_ROOTLESS=''
        case "$said" in *'"rootless":true'*|*name=rootless*) ENGINE_ROOTLESS=1 ;; esac
        return 0 ;;
    esac
  fi
  case "$said" in
    *"ermission denied"*)
      ENGINE_REASON=no_permission
      ENGINE_SENTENCE="You may not talk to $name's socket: join its group (sudo usermod -aG docker \"\$USER\"), then log in again." ;;
    *)
      ENGINE_REASON=daemon_down
      ENGINE_SENTENCE="$name is installed but does not answer: start it (sudo systemctl start $name, or Docker Desktop)." ;;
  esac
  return 1
}

choose_engine() {
  local reason sentence
  ENGINE=''
  case "${TOOLBOX_RUNTIME:-}" in
    docker|podman) ask_engine "$TOOLBOX_RUNTIME"; return ;;
    direct) ENGINE_REASON=direct ENGINE_SENTENCE="TOOLBOX_RUNTIME=direct: no container is used."; return 1 ;;
    '') ;;
    *)
      ENGINE_REASON=bad_usage ENGINE_SENTENCE="TOOLBOX_RUNTIME must be docker, podman or direct, not '$TOOLBOX_RUNTIME'."
      return 1 ;;
  esac
  if ask_engine docker; then return 0; fi
  reason="$ENGINE_REASON" sentence="$ENGINE_SENTENCE"
  if ask_engine podman; then return 0; fi
  # What stands in the way of an engine that is there says more than that the other one is missing.
  if [ "$reason" != not_installed ]; then
    ENGINE_REASON="$reason" ENGINE_SENTENCE="$sentence"
  elif [ "$ENGINE_REASON" = not_installed ]; then
    ENGINE_SENTENCE="No container engine is installed: install Docker or Podman to run in a container."
  fi
  return 1
}

find_engine() {
  if choose_engine; then return 0; fi
  echo "$ENGINE_SENTENCE" >&2
  return 1
}

# Docker clients before 23 carry BuildKit, later ones need the buildx plugin; take the first on PATH that can build.
find_builder() {
  local client version
  BUILDER=''
  if [ "$ENGINE" = podman ]; then BUILDER=podman; return 0; fi
  while IFS= read -r client; do
    version="$("$client" --version 2>/dev/null)" || continue
    version="${version#*version }" version="${version%%.*}"
    if "$client" buildx version >/dev/null 2>&1 || { [ "$version" -ge 18 ] && [ "$version" -lt 23 ]; } 2>/dev/null; then
      BUILDER="$client"; return 0
    fi
  done < <(type -aP "$ENGINE")
  ENGINE_REASON=no_buildkit
  echo "This Docker client cannot build with BuildKit: install its buildx plugin (Debian: docker-buildx-plugin or docker-buildx)." >&2
  return 1
}
