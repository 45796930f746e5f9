#!/usr/bin/env bash
# Runs in a build: installs torch from /mnt/wheels if its wheel for COMPUTE is there, else from TORCH_INDEX. Else a CPU image takes
# PyTorch's CPU index (locks/torch-index.txt) if it responds; everything else comes from pip's default index, with the hashes of
# locks/torch-pypi.txt. That build has CUDA; a CPU image gets stubs in place of CUDA's libraries (stub-cuda.py).
# torch's Python dependencies are already installed from the lock.
#   install-torch.sh [EXTRA PACKAGES]
set -euo pipefail
pin="$(cat /mnt/locks/torch.txt)"
index=(); [ -z "${TORCH_INDEX:-}" ] || index=(--index-url "$TORCH_INDEX")
if [ "$COMPUTE" = cpu ] && [ -z "${TORCH_INDEX:-}" ] && ! compgen -G "/mnt/wheels/torch-*+cpu-*.whl" >/dev/null; then
  small="$(cat /mnt/locks/torch-index.txt)"
  if python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=15)' "$small" 2>/dev/null; then
    index=(--index-url "$small")
  else
    echo "$small does not respond: torch comes from pip's index, with code for CUDA, which makes the image about 0.5 GB larger." >&2
  fi
fi
# PyTorch's CPU index is checked against our own hash; an image of wheels, or an index that was named, may have other builds.
what=("$pin" "$@")
if [ "${#index[@]}" != 0 ] && [ -z "${TORCH_INDEX:-}" ] && [ "$(uname -m)" = x86_64 ]; then
  what=(--no-deps --require-hashes -r /mnt/locks/torch-cpu.txt)
fi
if compgen -G "/mnt/wheels/torch-*+$COMPUTE-*.whl" >/dev/null; then index=(--no-index --find-links /mnt/wheels); fi
packages="$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
if [ "$COMPUTE" = cpu ]; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends binutils
fi
if [ "${#index[@]}" != 0 ]; then
  python3 -m pip install --no-compile "${index[@]}" "${what[@]}"
else
  taken='[a-z0-9-]+'
  [ "$COMPUTE" != cpu ] || taken='torch|nvidia-cuda-(runtime|cupti)'
  case " $* " in *" torchaudio "*) without='-' ;; *) without='torchaudio' ;; esac
  # A requirement and its hashes are one block.
  requirements="$(mktemp)"
  awk "/^[a-z]/ { take = (\$0 ~ /^($taken)==/ && \$0 !~ /^$without==/) } take" /mnt/locks/torch-pypi.txt > "$requirements"
  python3 -m pip install --no-compile --no-deps --require-hashes -r "$requirements"
  rm "$requirements"
  if [ "$COMPUTE" = cpu ]; then
    python3 /mnt/stub-cuda.py "$packages"
    python3 -c 'import torch; torch.ones(2, requires_grad=True).sum().backward()'
  fi
fi
if [ "$COMPUTE" = cpu ]; then # CUDA's libraries stay as they are
  python3 /mnt/trim-packages.py "$packages" torch torchgen
  apt-get purge -y --auto-remove binutils
  apt-get clean
  rm -rf /var/lib/apt/lists/*
fi
# The other packages have their bytecode; writing it again would copy it into this layer.
python3 -m compileall -qq -j 0 --invalidation-mode unchecked-hash "$packages"/torch* || true
# Refuse a build for another CUDA version, which would not match the image's tag.
case "$COMPUTE" in
  cu*)
    have="$(python3 -c 'import torch; print("cu" + str(torch.version.cuda).replace(".", ""))')"
    if [ "$have" != "$COMPUTE" ]; then
      echo "torch was installed for $have, not $COMPUTE: set VOICEMILL_TORCH_INDEX to PyTorch's index for $COMPUTE." >&2
      exit 1
    fi ;;
esac
