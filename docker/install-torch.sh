#!/usr/bin/env bash
# Inside a build: torch, from /mnt/wheels where its wheel for the device COMPUTE lies there, else from that device's index.
# Its Python dependencies are installed from the lock already; for a GPU it brings CUDA's libraries and Triton.
#   install-torch.sh [EXTRA PACKAGES]
set -euo pipefail
pin="$(cat /mnt/locks/torch.txt)"
index=(--index-url "${TORCH_INDEX:-$PYTORCH_INDEX}")
if compgen -G "/mnt/wheels/torch-*+$COMPUTE-*.whl" >/dev/null; then index=(--no-index --find-links /mnt/wheels); fi
python3 -m pip install "${index[@]}" "$pin" "$@"
