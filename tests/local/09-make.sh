#!/usr/bin/env bash
# make explains every target, and images are published from clean trees only, under tags that can be made again.
. "$(dirname "$0")/lib.sh"
expect 0 '' make
for target in help build build-gpu shell shell-gpu test test-fast test-all test-docker test-local test-local-fast synth-test qwen-check lint lock demo batch vast-search vast-run vast-shell vast-status \
    vast-pull vast-destroy vast-remote-test bench publish-cpu \
    publish-cuda-base publish-cuda clean-work clean-cache; do
  grep -qE "^  make $target +[a-z]" "$SCRATCH/out" || fail "make help does not explain $target"
done
git clone -q . "$SCRATCH/clone" 2>/dev/null || { echo "no git checkout here: the rest needs one"; exit 0; }
cp scripts/publish.sh "$SCRATCH/clone/scripts/" # as it is now
cp Makefile "$SCRATCH/clone/"
cd "$SCRATCH/clone"
git add -A && git -c user.name=t -c user.email=t@example.org commit -qm now --allow-empty
sha="$(git rev-parse --short=8 HEAD)" publish=(bash scripts/publish.sh)
expect 0 '' "${publish[@]}" cpu --registry example.org/me/voicemill --dry-run
says "[publish] docker/build.sh cpu --tag example.org/me/voicemill:$sha --attest"
says "[publish] docker push example.org/me/voicemill:latest"
cp "$SCRATCH/out" "$SCRATCH/first"
expect 0 '' "${publish[@]}" cpu --registry example.org/me/voicemill --dry-run
cmp "$SCRATCH/first" "$SCRATCH/out" || fail "the tags change from run to run"
expect 0 '' env VOICEMILL_REGISTRY=example.org/me/voicemill make publish-cuda ARGS=--dry-run
says "[publish] docker push example.org/me/voicemill:cuda-$sha"
says "[publish] docker push example.org/me/voicemill:cuda130"
expect 0 '' "${publish[@]}" cuda-base --registry r.io/v --dry-run
begins '\[publish\] docker push r.io/v:cuda-base-[0-9a-f]{8}$'
base="$(sed -n 's/^\[publish\] docker push \(r.io.*-[0-9a-f]\{8\}\)$/\1/p' "$SCRATCH/out")"
expect 0 '' "${publish[@]}" cuda --registry r.io/v --dry-run
begins "\[publish\] env VOICEMILL_CUDA_BASE_IMAGE=$base docker/build.sh cuda "
expect 0 '' env VOICEMILL_COMPUTE=cu128 "${publish[@]}" cuda-base --registry r.io/v --dry-run
begins '\[publish\] env VOICEMILL_COMPUTE=cu128 docker/build.sh cuda-base --tag r.io/v:cuda128-base-[0-9a-f]{8} --attest$'
says '[publish] docker push r.io/v:cuda128-base'
! grep -q v:cuda-base "$SCRATCH/out" || fail "another CUDA moves the tag cuda-base"
expect 0 '' env VOICEMILL_COMPUTE=cu128 "${publish[@]}" cuda --registry r.io/v --dry-run
says "[publish] docker push r.io/v:cuda128-$sha"
expect 1 bad_usage env VOICEMILL_COMPUTE=12.8 "${publish[@]}" cuda --registry r.io/v --dry-run
expect 1 bad_usage "${publish[@]}" cpu --dry-run
expect 1 bad_usage "${publish[@]}" cpu --registry 'Not A Name' --dry-run
expect 1 bad_usage "${publish[@]}" everything --registry r.io/v
git -c user.name=t -c user.email=t@example.org commit -qm code --allow-empty
expect 0 '' "${publish[@]}" cuda-base --registry r.io/v --dry-run
says "[publish] docker push $base" # the same locks, another commit
sha="$(git rev-parse --short=8 HEAD)"
touch untracked
expect 1 dirty_tree "${publish[@]}" cpu --registry r.io/v --dry-run
expect 0 '' "${publish[@]}" cpu --registry r.io/v --dry-run --allow-dirty
says "[publish] docker push r.io/v:$sha-dirty"
! grep -q latest "$SCRATCH/out" || fail "a dirty tree moves the tag latest"
mkdir -p "$SCRATCH/plain/scripts" && cp scripts/publish.sh "$SCRATCH/plain/scripts/"
expect 1 not_a_checkout bash "$SCRATCH/plain/scripts/publish.sh" cpu --registry r.io/v --dry-run
