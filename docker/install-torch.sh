#!/usr/bin/env bash
# Inside a build: torch, from /mnt/wheels where its wheel for the device COMPUTE lies there, else from TORCH_INDEX, else from where pip
# looks anyway (a build for CUDA, which runs on a CPU too and is some gigabytes larger).
# Its Python dependencies are installed from the lock already; for a GPU it brings CUDA's libraries and Triton.
#   install-torch.sh [EXTRA PACKAGES]
set -euo pipefail
pin="$(cat /mnt/locks/torch.txt)"
index=(); [ -z "${TORCH_INDEX:-}" ] || index=(--index-url "$TORCH_INDEX")
if compgen -G "/mnt/wheels/torch-*+$COMPUTE-*.whl" >/dev/null; then index=(--no-index --find-links /mnt/wheels); fi
python3 -m pip install "${index[@]}" "$pin" "$@"
# Another build of CUDA than the one that was asked for would run under a tag that lies.
case "$COMPUTE" in
  cu*)
    have="$(python3 -c 'import torch; print("cu" + str(torch.version.cuda).replace(".", ""))')"
    if [ "$have" != "$COMPUTE" ]; then
      echo "torch came as a build for $have, not $COMPUTE: name PyTorch's index of $COMPUTE in VOICEMILL_TORCH_INDEX." >&2
      exit 1
    fi ;;
esac
