#!/usr/bin/env bash
# make vast-…: rent a machine at vast.ai, run a task file on it, copy the results, destroy it (docs/remote.md). See --help.
# The vendor's client has a separate environment, VOICEMILL_VAST_VENV or .venv-vast (docs/adr/0010).
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
# shellcheck source=scripts/voice/python.sh
. "$root/scripts/voice/python.sh"
# shellcheck source=scripts/vast-client.sh
. "$root/scripts/vast-client.sh"
find_python "$root" vast
needed=1
for argument in "$@"; do
  case "$argument" in --) break ;; -h|--help|--dry-run) needed='' ;; esac
done
[ -z "$needed" ] || vast_client "$root" "$PYTHON"
exec "$PYTHON" "$root/scripts/vast.py" "$@"
