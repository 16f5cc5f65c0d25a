#!/bin/sh
# Ends what up.sh started, by its process ids, and removes its folder.
#
#   contrib/cluster/down.sh [FOLDER]
set -eu

folder=${1:-${TMPDIR:-/tmp}/papo-cluster}
if [ ! -d "$folder/run" ]; then
    printf 'down.sh: %s was not made by up.sh\n' "$folder" >&2
    exit 1
fi

# A process of this number may be another one by now.
is_papod() {
    case $(cat "/proc/$1/comm" 2>/dev/null || ps -o comm= -p "$1" 2>/dev/null) in
    papod*) true ;;
    *) false ;;
    esac
}

for file in "$folder"/run/papod*.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    ! is_papod "$pid" || kill "$pid" || true
done
for file in "$folder"/run/papod*.pid; do
    [ -e "$file" ] || continue
    tries=0
    while is_papod "$(cat "$file")" && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
done
# The standby first: the primary waits for nobody then.
for name in standby primary; do
    pid=$(head -n 1 "$folder/$name/postmaster.pid" 2>/dev/null || true)
    [ -n "$pid" ] || continue
    kill -INT "$pid" 2>/dev/null || true
    tries=0
    while [ -e "$folder/$name/postmaster.pid" ] && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
done
rm -rf "$folder"
