#!/bin/sh
# escalate.sh: tells somebody, and somebody else if the first has not answered in time:
#
#   contrib/cron/escalate.sh ana bob 600 'the disk of db1 is full'
#   df -h | contrib/cron/escalate.sh ana +ops 600
#
# An answer is a reply (`RE`), a reaction, or anything that the first says to this account. The
# server keeps the time: the script ends at once, and neither it nor its machine has to be there
# when the time is over. The text is the arguments, or standard input if there are none.
#
# The status is 0 if the first has been told and the second will be, or if the second has been told
# at once, because the first could not be. PAPO_AS and the other variables are those of ../papo.sh.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/../papo.sh"
[ $# -ge 3 ] || { echo 'escalate.sh: FIRST SECOND SECONDS [text...]' >&2 && exit 2; }
first=$1 second=$2 seconds=$3
shift 3
# Kept, because it is sent twice and standard input can be read only once. Any text is sent.
if [ $# -gt 0 ]; then text=$(printf '%s\n' "$*" | papo_lossy); else text=$(papo_lossy); fi

# Any failure is a reason to tell the second at once.
if id=$(papo_send "$first" "$text"); then
    if printf '%s has not answered this in %s seconds:\n%s\n' "$first" "$seconds" "$text" |
        papo_unless "$id" answered "$seconds" "$second" >/dev/null; then
        exit 0
    fi
    why="$first has been told this, and nobody will be if there is no answer"
else
    why="$first could not be told this"
fi
printf '%s:\n%s\n' "$why" "$text" | papo_send "$second" >/dev/null
