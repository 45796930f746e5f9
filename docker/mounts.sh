# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with run, which sources this file
# Maps the paths of an invocation into the container; sourced by run. Needs refuse, root (the checkout) and work (the work
# folder, physical path). The table of paths is lib/voicemill/launch/paths.tsv.
#
# The work folder has the same path in the container as on the host, so printed paths are valid on both. Other inputs are
# mounted read-only at /in/<n>, other outputs writable at their own path.

mounts=() # arguments for the engine
inputs=0
MAPPED=''  # result of map_input, map_output and map_path
LOOPBACK='' # 1 if the command serves a page on the loopback interface
START_IN='' # the current folder, if the command writes to it
rule_names=() rule_uses=() rule_scopes=() # the rules of one command
companion_names=() companion_scopes=()

# load_rules APP [WORD]: the rules of the app's command, which WORD names unless it is an option; or of `environment`.
load_rules() {
  local command='' app of name use scope
  case "$1/${2:--}" in environment/*) command='-' ;; */-*) ;; *) command="$2" ;; esac
  rule_names=() rule_uses=() rule_scopes=() companion_names=() companion_scopes=()
  while IFS=$'\t' read -r app of name use scope; do
    if [ "$app" = companion ]; then companion_names+=("$name") companion_scopes+=("$scope"); fi
    [ "$app" = "$1" ] || continue
    if [ "$use" = default ]; then command="${command:-$of}"; continue; fi # the first row of its command
    [ "$of" != "$command" ] || { rule_names+=("$name"); rule_uses+=("$use"); rule_scopes+=("$scope"); }
  done < "$root/lib/voicemill/launch/paths.tsv"
}

# find_rule NAME: sets USE and SCOPE; both are empty if the table has no such name.
find_rule() {
  local index
  USE='' SCOPE=''
  for ((index = 0; index < ${#rule_names[@]}; index++)); do
    if [ "${rule_names[index]}" = "$1" ]; then USE="${rule_uses[index]}" SCOPE="${rule_scopes[index]}"; return; fi
  done
}

# One field of the comma-separated --mount value: quoted as CSV where a name needs it.
csv_field() {
  case "$1" in
    *[,\"]*) printf '"%s"' "${1//\"/\"\"}" ;;
    *) printf '%s' "$1" ;;
  esac
}

# add_mount SOURCE TARGET [readonly]
add_mount() {
  case "$1$2" in
    *[[:cntrl:]]*) refuse bad_usage "A name holds a line break or another control character: rename $(printf '%q' "$1")." ;;
  esac
  mounts+=(--mount "type=bind,$(csv_field "source=$1"),$(csv_field "target=$2")${3:+,$3}")
}

# The physical path of a file or folder; the file may be missing, its folder may not.
absolute() {
  local folder name
  if [ -d "$1" ]; then (cd -- "$1" && pwd -P); return; fi
  folder="$(cd -- "$(dirname -- "$1")" 2>/dev/null && pwd -P)" || return 1
  name="$(basename -- "$1")"
  printf '%s\n' "${folder%/}/$name"
}

in_work() { case "$1" in "$work"|"$work"/*) return 0 ;; *) return 1 ;; esac; }

# map_input PATH SCOPE: mount an existing path read-only; paths.tsv describes the scopes.
map_input() {
  local path="$1" scope="$2" source folder name listed
  MAPPED="$path"
  case "$scope/$path" in prompt/*.safetensors|prompt/*.pkl) ;; prompt/*) return 0 ;; esac
  [ -e "$path" ] || return 0 # the app reports a missing path by the name that the user gave
  source="$(absolute "$path")" || return 0
  if in_work "$source"; then MAPPED="$source"; return 0; fi
  [ "$source" != / ] || refuse bad_usage "The whole file system cannot be an input: name a folder in it."
  inputs=$((inputs + 1)) name="$(basename -- "$source")" folder="$(dirname -- "$source")"
  MAPPED="/in/$inputs/$name"
  if [ -f "$source" ] && [ "$folder" != / ] && { [ "$scope" = parent ] || [ "$scope" = manifest ]; }; then
    MAPPED="/in/$inputs/$(basename -- "$folder")/$name"
    add_mount "$folder" "${MAPPED%/*}" readonly
  else
    add_mount "$source" "$MAPPED" readonly
    mount_companions "$source" "$scope"
  fi
  echo "[run] mounted read-only: $source is $MAPPED in the container" >&2
  [ "$scope" = manifest ] && [ -f "$source" ] || return 0
  while IFS= read -r listed; do
    { [ -d "$listed" ] && ! in_work "$(absolute "$listed")" && ! belongs_to_image "$listed"; } || continue
    add_mount "$listed" "$listed" readonly
    echo "[run] mounted read-only: $listed, which $name names" >&2
  done < <(sed -n 's/.*"audio_filepath" *: *"\(\/[^"\\]*\)\/[^"\\/]*".*/\1/p' "$source" | LC_ALL=C sort -u)
}

# mount_companions SOURCE SCOPE: the files that travel with a recording or a bundle.
mount_companions() {
  local index side pattern folder
  folder="$(dirname -- "$1")"
  for ((index = 0; index < ${#companion_names[@]}; index++)); do
    [ "${companion_scopes[index]}" = "$2" ] || continue
    pattern="${companion_names[index]}"
    # shellcheck disable=SC2086  # the pattern is meant to expand
    case "$pattern" in
      .*) set -- "$1" "$2" "${1%.*}$pattern" ;;
      *) set -- "$1" "$2" "$folder"/$pattern ;;
    esac
    for side in "${@:3}"; do
      { [ -f "$side" ] && [ "$side" != "$1" ]; } || continue
      add_mount "$side" "/in/$inputs/$(basename -- "$side")" readonly
    done
  done
}

# Folders of the image that a mount would hide.
belongs_to_image() {
  case "$1" in
    /|/app|/app/*|/bin|/bin/*|/boot|/dev|/dev/*|/etc|/etc/*|/home|/in|/lib*|/opt|/proc|/proc/*|/run|/sbin|/sys|/sys/*) return 0 ;;
    /tmp|/usr|/usr/bin|/usr/lib*|/usr/local|/usr/local/bin|/usr/local/lib*|/usr/share|/var|/var/lib|/cache|/work) return 0 ;;
    *) return 1 ;;
  esac
}

# map_output PATH [file|folder]: where results go; created, and writable in the container. A file or a bundle is replaced as a
# whole, which needs the folder that contains it.
map_output() {
  local path="$1" how="${2:-file}" folder
  if MAPPED="$(absolute "$path")" && in_work "$MAPPED"; then return 0; fi
  folder="$path"; [ "$how" = folder ] || folder="$(dirname -- "$path")"
  case "$folder" in /*) ;; *) folder="$PWD/$folder" ;; esac
  if in_work "$folder"; then MAPPED="$folder"; [ "$how" = folder ] || MAPPED="$folder/$(basename -- "$path")"; return 0; fi
  mkdir -p -- "$folder" 2>/dev/null || refuse "not_writable:$folder" "Cannot make the folder $folder: choose another place." 2
  folder="$(absolute "$folder")"
  [ "$folder" = /tmp ] || ! belongs_to_image "$folder" || refuse bad_usage "Results cannot go straight into $folder: name a folder in it."
  MAPPED="$folder"; [ "$how" = folder ] || MAPPED="$folder/$(basename -- "$path")"
  add_mount "$folder" "$folder"
  echo "[run] mounted writable: $folder" >&2
}

# map_path USE SCOPE PATH
map_path() {
  case "$1 $2" in
    "write folder-or-name") if [ -d "$3" ]; then map_output "$3" folder; else MAPPED="$3"; fi ;;
    write*) map_output "$3" "$2" ;;
    read*) map_input "$3" "$2" ;;
    *) MAPPED="$3" ;;
  esac
}

# map_arguments APP ARGUMENTS...: fills `arguments`, with each path as it is named in the container.
map_arguments() {
  local app="$1" argument option='' seen=' ' position=0 literal='' help=''
  arguments=("$app"); shift
  load_rules "$app" "${1:-}"
  case "${1:--}" in -*) ;; *) arguments+=("$1"); shift ;; esac
  for argument in "$@"; do
    find_rule "$option"
    case "$option/$USE/$argument" in ?*/optional/-*) option='' ;; esac # its value was omitted
    if [ -n "$option" ]; then
      map_path "$USE" "$SCOPE" "$argument"; arguments+=("$MAPPED"); option=''; continue
    fi
    case "$literal$argument" in
      --) literal=1; arguments+=("$argument") ;;
      --*=*)
        find_rule "${argument%%=*}"; seen+="${argument%%=*} "
        map_path "$USE" "$SCOPE" "${argument#*=}"; arguments+=("${argument%%=*}=$MAPPED") ;;
      -h|--help) help=1 arguments+=("$argument") ;;
      -?*)
        find_rule "$argument"; seen+="$argument "; arguments+=("$argument")
        [ "$USE" = flag ] || option="$argument" ;;
      *)
        position=$((position + 1)); find_rule "$position"
        map_path "$USE" "$SCOPE" "$argument"; arguments+=("$MAPPED") ;;
    esac
  done
  find_rule -; [ "$USE" != serve ] || LOOPBACK=1
  find_rule .
  case "$help$USE/$seen" in
    /*|1*|*" $SCOPE "*) ;;
    *) map_output . folder; START_IN="$(pwd -P)" ;;
  esac
}
