# Run an app in a container on Windows:  .\run.ps1 <app> [options]        UNTESTED: it has never run on a Windows host.
# On Linux and macOS use ./run, which also maps signals, owners and more kinds of paths. Works with Docker Desktop.
$ErrorActionPreference = 'Stop'
$root = $PSScriptRoot
$apps = Get-ChildItem -Directory (Join-Path $root 'apps') | ForEach-Object Name
if ($args.Count -eq 0 -or $args[0] -in '-h', '--help') {
    "usage: .\run.ps1 <app> [options]"; "apps:"; $apps | ForEach-Object { "  $_" }
    exit $(if ($args.Count -eq 0) { 1 } else { 0 })
}
function Refuse($reason, $sentence) { [Console]::Error.WriteLine("[run][error] $reason`n$sentence"); exit 1 }
if ($args[0] -notin $apps) { Refuse 'bad_usage' "There is no app '$($args[0])'. The apps are: $($apps -join ', ')." }
$variant = if ($env:TOOLBOX_VARIANT) { $env:TOOLBOX_VARIANT } else { 'cpu' }
if ($variant -notin 'cpu', 'gpu') { Refuse 'bad_usage' "TOOLBOX_VARIANT must be cpu or gpu, not '$variant'." }
$engine = if ($env:TOOLBOX_RUNTIME) { $env:TOOLBOX_RUNTIME } else { 'docker' }
if ($engine -notin 'docker', 'podman') { Refuse 'bad_usage' "TOOLBOX_RUNTIME must be docker or podman here, not '$engine'." }
if (-not (Get-Command $engine -ErrorAction SilentlyContinue)) {
    Refuse 'container_engine_unavailable' "$engine is not installed: install Docker Desktop."
}
& $engine info *> $null
if ($LASTEXITCODE -ne 0) { Refuse 'container_engine_unavailable' "$engine does not answer: start Docker Desktop." }

$what = if ($variant -eq 'gpu') { 'cuda' } else { 'cpu' }
$image = if ($env:VOICEMILL_IMAGE) { $env:VOICEMILL_IMAGE } else { "voicemill:$what" }
& $engine image inspect $image *> $null
if ($LASTEXITCODE -ne 0) {
    [Console]::Error.WriteLine("[run] Building the image $image; the first time takes minutes.")
    $env:DOCKER_BUILDKIT = '1'
    $steps = if ($what -eq 'cuda') { @('cuda-base', 'cuda') } else { @('cpu') }
    foreach ($step in $steps) {
        $file = if ($step -eq 'cpu') { 'Dockerfile' } else { "Dockerfile.$step" }
        & $engine build --file (Join-Path $root "docker/$file") --tag "voicemill:$step" $root *>&1 |
            ForEach-Object { [Console]::Error.WriteLine($_) }
        if ($LASTEXITCODE -ne 0) { Refuse 'docker_build_failed' "Read the lines above, and start again." }
    }
}

# One field of --mount: quoted as CSV, so that commas and quotes in names are names.
function Field($text) { if ($text -match '[,"]') { '"' + $text.Replace('"', '""') + '"' } else { $text } }
function Mount($source, $target, $mode) { '--mount', ("type=bind," + (Field "source=$source") + ',' + (Field "target=$target") + $mode) }
$work = if ($env:WORK_DIR) { $env:WORK_DIR } else { Join-Path $root 'work' }
$cache = if ($env:CACHE_DIR) { $env:CACHE_DIR } else { Join-Path $root 'cache' }
$work = (New-Item -ItemType Directory -Force $work).FullName
$cache = (New-Item -ItemType Directory -Force $cache).FullName
$mounts = @(Mount $work '/work' '') + @(Mount $cache '/cache' '')
$files = '--audio', '--script', '--metadata', '--dataset', '--lexicon', '--public-key'
$arguments = @(); $previous = ''; $count = 0
foreach ($argument in $args) {
    if ($previous -in $files -and (Test-Path -LiteralPath $argument)) {
        $count++
        $item = Get-Item -LiteralPath $argument
        if ($item.PSIsContainer) { $mounts += Mount $item.FullName "/in/$count" ',readonly'; $argument = "/in/$count" }
        else { $mounts += Mount $item.DirectoryName "/in/$count" ',readonly'; $argument = "/in/$count/$($item.Name)" }
        [Console]::Error.WriteLine("[run] mounted read-only: $($item.FullName) is $argument in the container")
    }
    $arguments += $argument; $previous = $argument
}
$environment = Get-ChildItem env: | Where-Object Name -match '^(PROD_TTS_|TRAIN_|VOICE_|CASIMIR_|EXPECTED_HEAD$|TORCH_DEVICE$|HF_TOKEN$)' |
    ForEach-Object { '--env'; $_.Name }
$gpu = if ($variant -eq 'gpu') { '--gpus', 'all' } else { @() }
$terminal = if (-not [Console]::IsOutputRedirected -and -not [Console]::IsInputRedirected) { '--interactive', '--tty' } else { @() }
& $engine run --rm --stop-timeout 120 --shm-size 1g @gpu @terminal @mounts @environment --workdir / $image @arguments
exit $LASTEXITCODE
