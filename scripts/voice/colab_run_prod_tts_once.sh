#!/usr/bin/env bash
# The NeMo lane in one go, ending in a report (docs/runbook.md); the work is in lib/voicemill/lane/colab_entry.py.
#   PROD_TTS_DRY_RUN=1 bash scripts/voice/colab_run_prod_tts_once.sh
#   PROD_TTS_BASE_WEIGHTS_ID=<id> bash scripts/voice/colab_run_prod_tts_once.sh
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
# shellcheck source=scripts/voice/python.sh
. "$root/scripts/voice/python.sh"
find_python "$root" || exit 1
exec "$PYTHON" "$root/scripts/voice/run_prod_tts_once.py" "$@"
