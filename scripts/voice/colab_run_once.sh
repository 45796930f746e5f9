#!/usr/bin/env bash
# The experimental lane in one go, ending in a report (docs/experimental.md); the work is in lib/voicemill_musicgen/colab.py.
#   EXPECTED_HEAD=<sha> RUN_GIT_SYNC=1 AUDIO_PATH=<file> bash scripts/voice/colab_run_once.sh
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
# shellcheck source=scripts/voice/python.sh
. "$root/scripts/voice/python.sh"
find_python "$root" || exit 1
exec "$PYTHON" "$root/scripts/voice/run_colab_train.py" "$@"
