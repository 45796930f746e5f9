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

# The paths of this command, from the table that ./run reads too. A file is mounted with the folder that contains it, so its
# companions come along.
$table = Get-Content (Join-Path $root 'lib/voicemill/launch/paths.tsv') | Where-Object { $_ -notmatch '^#' } |
    ConvertFrom-Csv -Delimiter "`t" -Header App, Command, Name, Use, Scope | Where-Object App -eq $args[0]
$rest = @($args | Select-Object -Skip 1)
$command = ($table | Where-Object Use -eq 'default' | Select-Object -First 1).Command
$arguments = @($args[0])
if ($rest.Count -and $rest[0] -notlike '-*') {
    $command = $rest[0]; $arguments += $command; $rest = @($rest | Select-Object -Skip 1)
}
$rules = @{}
$table | Where-Object { $_.Command -eq $command -and $_.Use -ne 'default' } | ForEach-Object { $rules[$_.Name] = $_ }
$count = 0
function Map($rule, $value) {
    if (-not $rule -or $rule.Use -notin 'read', 'write') { return $value }
    $there = Test-Path -LiteralPath $value
    if (($rule.Use -eq 'read' -or $rule.Scope -eq 'folder-or-name') -and -not $there) { return $value }
    $script:count++
    $target = "/in/$script:count"; $mode = ',readonly'
    if ($rule.Use -eq 'write') { $target = "/out/$script:count"; $mode = '' }
    $full = [IO.Path]::GetFullPath([IO.Path]::Combine((Get-Location).ProviderPath, $value))
    $whole = if ($rule.Use -eq 'read') { Test-Path -LiteralPath $full -PathType Container } else { $rule.Scope -like 'folder*' }
    $source = if ($whole) { $full } else { Split-Path -Parent $full }
    if ($rule.Use -eq 'write') { New-Item -ItemType Directory -Force $source | Out-Null }
    $script:mounts += Mount $source $target $mode
    $mapped = if ($whole) { $target } else { "$target/$(Split-Path -Leaf $full)" }
    [Console]::Error.WriteLine("[run] mounted: $full is $mapped in the container")
    return $mapped
}
$option = ''; $position = 0; $seen = @(); $workdir = '/'
foreach ($argument in $rest) {
    if ($option -and $rules[$option].Use -eq 'optional' -and $argument -like '-*') { $option = '' }
    if ($option) { $arguments += Map $rules[$option] $argument; $option = '' }
    elseif ($argument -like '--*=*') {
        $name, $value = $argument -split '=', 2
        $seen += $name; $arguments += "$name=$(Map $rules[$name] $value)"
    }
    elseif ($argument -like '-?*') {
        $seen += $argument; $arguments += $argument
        if ($argument -notin '-h', '--help', '--' -and $rules[$argument].Use -ne 'flag') { $option = $argument }
    }
    else { $position++; $arguments += Map $rules["$position"] $argument }
}
if ($rules['.'] -and $rules['.'].Scope -notin $seen) {
    $mounts += Mount (Get-Location).ProviderPath '/here' ''; $workdir = '/here'
}
$environment = Get-ChildItem env: | Where-Object Name -match '^(PROD_TTS_|TRAIN_|VOICE_|CASIMIR_|EXPECTED_HEAD$|TORCH_DEVICE$|HF_TOKEN$)' |
    ForEach-Object { '--env'; $_.Name }
$gpu = if ($variant -eq 'gpu') { '--gpus', 'all' } else { @() }
$terminal = if (-not [Console]::IsOutputRedirected -and -not [Console]::IsInputRedirected) { '--interactive', '--tty' } else { @() }
& $engine run --rm --stop-timeout 120 --shm-size 1g @gpu @terminal @mounts @environment --workdir $workdir $image @arguments
exit $LASTEXITCODE
