#!/usr/bin/env bash
# slow: several takes of a built-in voice.
. "$(dirname "$0")/cloning.sh"
need_qwen
expect 0 '' app voice-synth register-builtin --voice-name toned --speaker Ryan --tone warm --tone-instruct-style warm
speak takes-tone 2 --voice toned --tone warm --text "$TEXT_EN" --variants 2
speak takes-instruct 3 --speaker Ryan --instruct 'Slowly.' --text "$TEXT_EN" --variants 3
speak takes-qa 2 --speaker Ryan --text "$TEXT_EN" --variants 2 --qa
