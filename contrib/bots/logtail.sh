#!/bin/sh
# logtail.sh: sends each new line of a log file as a message, or each that matches a grep -E
# pattern:
#
#   PAPO_AS=logs PAPO_SECRET_FILE=/etc/papo/logs.secret \
#       contrib/bots/logtail.sh '#ops' /var/log/app.log 'ERROR|PANIC'
#
# Colours and control characters, which the server refuses, are removed, and so is the middle of a
# line that is too long. A line is retried until the server has it, and stored once; a refused one
# is skipped, with the reason on standard error. It follows the file through rotation, and runs
# until it is stopped. The other variables are those of ../papo.sh.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/../papo.sh"
to=${1:?to whom} file=${2:?which file} pattern=${3:-.}
grep -Eq -e "$pattern" /dev/null || [ $? = 1 ] || exit 2
case $file in /*) ;; *) file=$PWD/$file ;; esac

tail='' loop=''
trap 'kill $tail $loop 2>/dev/null || :' EXIT
trap 'exit 143' HUP INT TERM
pipe=$(mktemp -d "${TMPDIR:-/tmp}/papo.XXXXXX")
mkfifo "$pipe/lines"
tail -n 0 -F "$file" >"$pipe/lines" 2>/dev/null &
tail=$!
# Once both have opened it, its name is no longer needed.
exec 3<"$pipe/lines"
rm -r "$pipe"

# Keys of this run, never used before.
run=$(date +%s)-$$ n=0
while IFS= read -r line; do
    # Line by line, because a pipe of sed and tr would hold back the last ones.
    line=$(printf '%s\n' "$line" | papo_plain)
    printf '%s\n' "$line" | grep -Eq -e "$pattern" || continue
    line=$(printf '%s\n' "$line" | papo_lossy)
    n=$((n + 1))
    while :; do
        status=0
        papo_once "logtail-$run-$n" "$to" "$line" >/dev/null || status=$?
        # 3: the server cannot be reached.
        [ "$status" = 3 ] || break
        sleep 5
    done
done <&3 &
loop=$!
# A shell that waits takes a signal at once. One that is about to read takes it with the next line.
exec 3<&-
wait "$loop"
