#!/usr/bin/env bash
# A production lane where TRAIN_BACKEND says (docs/runbook.md); the work is in lib/voicemill/launch/orchestrator.py.
#   TRAIN_BACKEND=local_docker (default) | local | ray | managed_job      TRAIN_LANE=tts_prod_train (default) | tts_prod_train_nemo
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
# shellcheck source=scripts/voice/python.sh
. "$root/scripts/voice/python.sh"
find_python "$root" || exit 1
exec "$PYTHON" "$root/scripts/voice/orchestrate.py" "$@"
