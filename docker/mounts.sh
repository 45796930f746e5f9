# shellcheck shell=bash disable=SC2154  # work is the caller's
# Paths of this machine in the container; sourced by run. Needs: refuse, and work (the work folder, physical path).
#
# The work folder lies in the container where it lies here, so whatever is below it keeps its name, and what the program prints
# is true here too. Other inputs are mounted read-only at /in/<n>, other outputs writable where they lie.

mounts=() # arguments for the engine
inputs=0
MAPPED='' # answer of map_input and map_output

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

# The physical path of a file or folder, which may be missing as long as its folder is there.
absolute() {
  local folder name
  if [ -d "$1" ]; then (cd -- "$1" && pwd -P); return; fi
  folder="$(cd -- "$(dirname -- "$1")" 2>/dev/null && pwd -P)" || return 1
  name="$(basename -- "$1")"
  printf '%s\n' "${folder%/}/$name"
}

in_work() { case "$1" in "$work"|"$work"/*) return 0 ;; *) return 1 ;; esac; }

# map_input PATH [alone|beside|bundle|folder|manifest]: what lies there, read-only.
#   beside    a recording: the text of the same name beside it comes along
#   bundle    a bundle's folder: what travels beside it (certificate, signature) comes along
#   folder    a file that names others beside or below it: its whole folder comes along
#   manifest  the same, and the folders that it names from the root
map_input() {
  local path="$1" how="${2:-alone}" source folder name side listed
  MAPPED="$path"
  [ -e "$path" ] || return 0 # the app says what is missing, and by the name that the user knows
  source="$(absolute "$path")" || return 0
  if in_work "$source"; then MAPPED="$source"; return 0; fi
  [ "$source" != / ] || refuse bad_usage "The whole file system cannot be an input: name a folder in it."
  inputs=$((inputs + 1)) name="$(basename -- "$source")" folder="$(dirname -- "$source")"
  MAPPED="/in/$inputs/$name"
  if [ -d "$source" ] || [ "$how" = alone ] || [ "$how" = beside ] || [ "$how" = bundle ] || [ "$folder" = / ]; then
    add_mount "$source" "$MAPPED" readonly
    if [ "$how" = beside ] && [ -f "$source" ]; then
      for side in "${source%.*}".txt "${source%.*}".lab; do
        [ ! -f "$side" ] || add_mount "$side" "/in/$inputs/$(basename -- "$side")" readonly
      done
    elif [ "$how" = bundle ] && [ -d "$source" ]; then
      for side in "$folder"/certificate.json "$folder"/voice_bundle.*; do
        [ ! -f "$side" ] || add_mount "$side" "/in/$inputs/$(basename -- "$side")" readonly
      done
    fi
  else
    MAPPED="/in/$inputs/$(basename -- "$folder")/$name"
    add_mount "$folder" "${MAPPED%/*}" readonly
  fi
  echo "[run] mounted read-only: $source is $MAPPED in the container" >&2
  [ "$how" = manifest ] && [ -f "$source" ] || return 0
  while IFS= read -r listed; do
    { [ -d "$listed" ] && ! in_work "$(absolute "$listed")" && ! belongs_to_image "$listed"; } || continue
    add_mount "$listed" "$listed" readonly
    echo "[run] mounted read-only: $listed, which $name names" >&2
  done < <(sed -n 's/.*"audio_filepath" *: *"\(\/[^"\\]*\)\/[^"\\/]*".*/\1/p' "$source" | LC_ALL=C sort -u)
}

# Folders that the image itself needs; a mount there would hide them.
belongs_to_image() {
  case "$1" in
    /|/app|/app/*|/bin|/bin/*|/boot|/dev|/dev/*|/etc|/etc/*|/home|/in|/lib*|/opt|/proc|/proc/*|/run|/sbin|/sys|/sys/*) return 0 ;;
    /tmp|/usr|/usr/bin|/usr/lib*|/usr/local|/usr/local/bin|/usr/local/lib*|/usr/share|/var|/var/lib|/cache|/work) return 0 ;;
    *) return 1 ;;
  esac
}

# map_output PATH [file|folder]: where results shall go; made, and writable in the container. What is replaced as a whole, a file or
# a bundle, needs the folder that it lies in.
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

# map_arguments APP ARGUMENTS...: fills `arguments`. Known path options and, where an app takes paths, bare arguments are mapped.
map_arguments() {
  local app="$1" argument option='' value command='' words=0
  arguments=("$app"); shift
  for argument in "$@"; do
    case "$option $argument" in "--ray -"*) option='' ;; esac # its value may be left out
    if [ -n "$option" ]; then map_value "$option" "$argument"; arguments+=("$MAPPED"); option=''; continue; fi
    case "$argument" in
      --*=*) option="${argument%%=*}" value="${argument#*=}"; map_value "$option" "$value"; arguments+=("$option=$MAPPED"); option='' ;;
      --json|--strict|--no-strict|--force|--resume|--dry-run|--explain|--keep-rejected|--report|--no-report|--open|--yes|--ci|\
      --require-signature|--find-learning-rate|-h|--help) arguments+=("$argument") ;;
      -?*) arguments+=("$argument"); option="$argument" ;;
      *) # the first bare word is the command; what the others are depends on it
        words=$((words + 1)) MAPPED="$argument"
        [ "$words" != 1 ] || command="$argument"
        case "$app $command $words" in
          *" 1") ;;
          "voice-bundle export 3") map_output "$argument" file ;;
          "voice-bundle sign 2"|"voice-verify certify 2") map_output "$argument" file ;; # they write beside the folder
          "voice-verify bundle "*|"voice-bundle export 2") map_input "$argument" bundle ;;
          voice-bundle*|voice-verify*|"voice-prep import 2") map_input "$argument" ;;
        esac
        arguments+=("$MAPPED") ;;
    esac
  done
}

# map_value OPTION VALUE
map_value() {
  case "$1" in
    --audio) map_input "$2" beside ;;
    --dataset) map_input "$2" manifest ;;
    --metadata|--input-manifest|--init-from) map_input "$2" folder ;;
    --script|--lexicon|--public-key|--file|--data-notice|--status|--eval|--base|--key|--signature|--request|--consent|--bundle)
      map_input "$2" ;;
    --output-root) map_output "$2" folder ;;
    --output|--out|--trace-out|--private|--public) map_output "$2" file ;;
    *) MAPPED="$2" ;;
  esac
}
