# shellcheck shell=bash
# Which container engine answers: sourced by run, docker/build.sh and what else starts containers.
#
#   find_engine    ENGINE=docker|podman, and 0; or 1, one plain sentence on stderr and the cause in ENGINE_REASON:
#                  not_installed, daemon_down, no_permission, direct (TOOLBOX_RUNTIME=direct) or bad_usage.
#                  ENGINE_ROOTLESS=1 where root inside a container is the calling user outside.
#   find_builder   BUILDER=<command that builds with BuildKit>, for the engine found before.
#
# TOOLBOX_RUNTIME=docker|podman|direct forces a choice; without it Docker is asked first, then Podman.

ENGINE='' ENGINE_REASON='' ENGINE_ROOTLESS='' BUILDER=''

# A daemon that hangs must not hang us.
patiently() { if command -v timeout >/dev/null 2>&1; then timeout 30 "$@"; else "$@"; fi; }

# ask_engine NAME: does it answer? Sets ENGINE_REASON and engine_sentence otherwise.
ask_engine() {
  local name="$1" said
  if ! command -v "$name" >/dev/null 2>&1; then
    ENGINE_REASON=not_installed
    engine_sentence="$name is not installed: install Docker or Podman to run in a container."
    return 1
  fi
  if said="$(LC_ALL=C patiently "$name" info --format '{{json .}}' 2>&1)"; then
    case "$said" in *'"rootless":true'*|*name=rootless*) ENGINE_ROOTLESS=1 ;; *) ENGINE_ROOTLESS='' ;; esac
    # Old clients end with 0 although the daemon did not answer.
    case "$said" in *"Cannot connect to the Docker daemon"*|*"permission denied"*) ;; *) return 0 ;; esac
  fi
  case "$said" in
    *"permission denied"*|*"Permission denied"*)
      ENGINE_REASON=no_permission
      engine_sentence="You may not talk to the $name daemon: join its group (sudo usermod -aG docker \"\$USER\") and log in again." ;;
    *)
      ENGINE_REASON=daemon_down
      engine_sentence="$name is installed but does not answer: start it (sudo systemctl start $name, or Docker Desktop)." ;;
  esac
  return 1
}

find_engine() {
  local wanted="${TOOLBOX_RUNTIME:-}" first engine_sentence='' sentence reason
  ENGINE='' ENGINE_REASON=''
  case "$wanted" in
    direct)
      ENGINE_REASON=direct
      echo "TOOLBOX_RUNTIME=direct: no container is used." >&2; return 1 ;;
    docker|podman) first="$wanted" ;;
    '') first=docker ;;
    *)
      ENGINE_REASON=bad_usage
      echo "TOOLBOX_RUNTIME must be docker, podman or direct, not '$wanted'." >&2; return 1 ;;
  esac
  if ask_engine "$first"; then ENGINE="$first"; return 0; fi
  sentence="$engine_sentence" reason="$ENGINE_REASON"
  if [ -z "$wanted" ]; then
    if ask_engine podman; then ENGINE=podman ENGINE_REASON=''; return 0; fi
    # What stands in the way of the one that is there says more than that the other is missing.
    if [ "$reason" = not_installed ]; then
      if [ "$ENGINE_REASON" = not_installed ]; then
        sentence="No container engine is installed: install Docker or Podman to run in a container."
      else
        sentence="$engine_sentence" reason="$ENGINE_REASON"
      fi
    fi
  fi
  ENGINE_REASON="$reason"
  echo "$sentence" >&2
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
