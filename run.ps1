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
# Windows PowerShell 5.1 takes what a native command writes to stderr for errors of its own, and 'Stop' would end the script there.
function Quiet([scriptblock]$call) { $ErrorActionPreference = 'Continue'; & $call *> $null }
function Show([scriptblock]$call) { $ErrorActionPreference = 'Continue'; & $call 2>&1 | ForEach-Object { [Console]::Error.WriteLine("$_") } }
function Answer([scriptblock]$call) { $ErrorActionPreference = 'Continue'; (& $call 2>$null | Out-String).Trim() }
Quiet { & $engine info }
if ($LASTEXITCODE -ne 0) { Refuse 'container_engine_unavailable' "$engine does not answer: start Docker Desktop." }

$what = if ($variant -eq 'gpu') { 'cuda' } else { 'cpu' }
$image = if ($env:VOICEMILL_IMAGE) { $env:VOICEMILL_IMAGE } else { "voicemill:$what" }
# What git has below the folders of an image, with the changes since; the image's label says what it was built from.
$sources = 'apps', 'configs', 'data/base', 'data/construction', 'data/demo', 'docker', 'lib', 'locks', 'scripts', 'run-direct', 'LICENSE', 'NOTICE'
$commit = ''; $state = ''
if (Get-Command git -ErrorAction SilentlyContinue) {
    $commit = Answer { git -C $root rev-parse --verify HEAD }
    $listed = (Answer { git -C $root ls-files --stage -- $sources }) + (Answer { git -C $root diff HEAD -- $sources })
    $digest = [Security.Cryptography.SHA256]::Create().ComputeHash([Text.Encoding]::UTF8.GetBytes($listed))
    if ($commit) { $state = 'windows-' + [BitConverter]::ToString($digest).Replace('-', '').ToLower() }
}
$label = '{{index .Config.Labels \"voicemill.source\"}}'
if ($PSVersionTable.PSVersion -ge [version]'7.3') { $label = '{{index .Config.Labels "voicemill.source"}}' } # quotes pass unchanged
$had = Answer { & $engine image inspect --format $label $image }
$there = $LASTEXITCODE -eq 0
if ($env:VOICEMILL_IMAGE) {
    if (-not $there) { Refuse 'bad_usage' "The image $image of VOICEMILL_IMAGE does not exist: pull or build it." }
}
elseif (-not $there -or ($state -and $had -ne $state)) {
    $why = if ($there) { 'Bringing the image {0} up to date with this checkout' } else { 'Building the image {0}; the first time takes minutes' }
    [Console]::Error.WriteLine('[run] ' + ($why -f $image) + '.')
    $env:DOCKER_BUILDKIT = '1'
    $given = @('--build-arg', "SOURCE_DIGEST=$(if ($state) { $state } else { 'unknown' })", '--build-arg', "COMMIT=$(if ($commit) { $commit } else { 'unknown' })")
    foreach ($name in 'http_proxy', 'https_proxy', 'no_proxy') { if (Test-Path "env:$name") { $given += '--build-arg', $name } }
    $steps = if ($what -eq 'cuda') { @('cuda-base', 'cuda') } else { @('cpu') }
    foreach ($step in $steps) {
        $file = if ($step -eq 'cpu') { 'Dockerfile' } else { "Dockerfile.$step" }
        $target = if ($step -eq 'cpu') { '--target', 'runtime' } else { @() }
        Show { & $engine build --file (Join-Path $root "docker/$file") @target --tag "voicemill:$step" @given $root }
        if ($LASTEXITCODE -ne 0) { Refuse 'docker_build_failed' 'Read the lines above, and start again.' }
    }
}

# Commands that may speak with Qwen3-TTS need the layer that has it.
$speaking = 'speak', 'teach', 'design-voice', 'register-builtin', 'list-speakers', 'capabilities'
$speaks = $args[0] -in 'voice-clone', 'voice-register' -or ($args[0] -eq 'voice-synth' -and $args.Count -gt 1 -and $args[1] -in $speaking)
if ($speaks -and -not $env:VOICEMILL_IMAGE -and -not ($args | Where-Object { $_ -in '-h', '--help' })) {
    $layer = "$image-qwen"
    $built = Answer { & $engine image inspect --format $label $layer }
    if ($LASTEXITCODE -ne 0 -or $built -ne (Answer { & $engine image inspect --format $label $image })) {
        [Console]::Error.WriteLine("[run] Adding Qwen3-TTS to the image $image; the first time takes minutes.")
        $env:DOCKER_BUILDKIT = '1'
        $given = @('--build-arg', "QWEN_ON=$image")
        foreach ($name in 'http_proxy', 'https_proxy', 'no_proxy') { if (Test-Path "env:$name") { $given += '--build-arg', $name } }
        Show { & $engine build --file (Join-Path $root 'docker/Dockerfile.qwen') --tag $layer @given $root }
        if ($LASTEXITCODE -ne 0) { Refuse 'docker_build_failed' 'Read the lines above, and start again.' }
    }
    $image = $layer
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
$rows = Get-Content (Join-Path $root 'lib/voicemill/launch/paths.tsv') | Where-Object { $_ -notmatch '^#' } |
    ConvertFrom-Csv -Delimiter "`t" -Header App, Command, Name, Use, Scope
$table = $rows | Where-Object App -eq $args[0]
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
    if ($rule.Scope -eq 'prompt' -and $value -notlike '*.safetensors' -and $value -notlike '*.pkl') { return $value }
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
# A server in the container has to listen on all of the container's addresses; its port is published on this machine alone.
$published = @()
function OptionValue($name, $default) {
    for ($index = 0; $index -lt $rest.Count; $index++) {
        if ($rest[$index] -eq $name -and $index + 1 -lt $rest.Count) { return $rest[$index + 1] }
        if ($rest[$index] -like "$name=*") { return ($rest[$index] -split '=', 2)[1] }
    }
    return $default
}
$serves = @($table | Where-Object { $_.Command -eq $command -and $_.Use -eq 'serve' }).Count -and -not @($rest | Where-Object { $_ -in '-h', '--help' }).Count
if ($serves -and $args[0] -ne 'voice-serve') {
    Refuse 'unsupported_system' "$($args[0]) $command serves its page on the loopback interface of Linux: use ./run in WSL 2."
}
if ($serves) {
    $port = OptionValue '--port' $(if ($env:LOCAL_TTS_PORT) { $env:LOCAL_TTS_PORT } else { '5051' })
    $address = OptionValue '--host' $(if ($env:LOCAL_TTS_HOST) { $env:LOCAL_TTS_HOST } else { '127.0.0.1' })
    if ($address -in '127.0.0.1', 'localhost') {
        $arguments += '--host', '0.0.0.0'
        if (-not (OptionValue '--token-file' '') -and '--without-token' -notin $rest) { $arguments += '--without-token' }
        $published += '--publish', "127.0.0.1:${port}:$port"
    }
    else { $published += '--publish', "${port}:$port" }
    $wyoming = OptionValue '--wyoming' ''
    if ($wyoming) {
        $everywhere = (OptionValue '--wyoming-host' '127.0.0.1') -notin '127.0.0.1', 'localhost'
        if (-not $everywhere) { $arguments += '--wyoming-host', '0.0.0.0' }
        $published += '--publish', $(if ($everywhere) { "${wyoming}:$wyoming" } else { "127.0.0.1:${wyoming}:$wyoming" })
    }
}
# The same variables as in ./run.
$environment = @()
$paths = @($rows | Where-Object App -eq 'environment')
foreach ($rule in $paths) {
    $value = [Environment]::GetEnvironmentVariable($rule.Name)
    if ($value) { $environment += '--env', "$($rule.Name)=$(Map $rule $value)" }
}
$passed = '^(PROD_TTS_.*|TRAIN_.*|VOICE_.*|LOCAL_TTS_.*|TTS_BASE_URL|KNOWLEDGE_.*|DATASET_PREP_MODE|CASIMIR_.*|VOICEMILL_UNMARKED|VOICEMILL_REQUIRE_CONSENT|ELEVENLABS_.*|RAY_ADDRESS|QWEN3_ENABLE_CUSTOMVOICE|EXPECTED_HEAD|TORCH_DEVICE|SOURCE_DATE_EPOCH|OMP_NUM_THREADS|NO_COLOR|HF_TOKEN|HF_ENDPOINT|HF_HUB_OFFLINE|https?_proxy|no_proxy)$'
Get-ChildItem env: | Where-Object { $_.Name -match $passed -and $_.Name -notin $paths.Name } | ForEach-Object { $environment += '--env', $_.Name }
if ($commit -and -not $env:VOICEMILL_IMAGE) { $environment += '--env', "VOICEMILL_COMMIT=$commit" }
$gpu = if ($variant -eq 'gpu') { '--gpus', 'all' } else { @() }
$terminal = if (-not [Console]::IsOutputRedirected -and -not [Console]::IsInputRedirected) { '--interactive', '--tty' } else { @() }
$ErrorActionPreference = 'Continue'
$writable = '--read-only', '--mount', 'type=volume,target=/tmp', '--tmpfs', '/home/voicemill:mode=1777'
& $engine run --rm --stop-timeout 120 --shm-size 1g @writable @gpu @terminal @published @mounts @environment --workdir $workdir $image @arguments
exit $LASTEXITCODE
