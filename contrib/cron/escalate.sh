#!/bin/sh
# escalate.sh: tells somebody, and somebody else if the first has not read it in time:
#
#   contrib/cron/escalate.sh ana bob 600 'the disk of db1 is full'
#   df -h | contrib/cron/escalate.sh ana +ops 600
#
# The text is the arguments, or standard input if there are none. The status is 0 if the first has
# read it or the second has been told. PAPO_AS and the other variables are those of ../papo.sh.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/../papo.sh"
[ $# -ge 3 ] || { echo 'escalate.sh: FIRST SECOND SECONDS [text...]' >&2 && exit 2; }
first=$1 second=$2 seconds=$3
shift 3
# Kept, because it may be sent twice and standard input can be read only once. Any text is sent.
if [ $# -gt 0 ]; then text=$(printf '%s\n' "$*" | papo_lossy); else text=$(papo_lossy); fi

# Any failure to reach the first is a reason to tell the second.
if id=$(papo_send "$first" "$text"); then
    ! papo_wait "$id" read "$seconds" || exit 0
    why="$first has not read this in $seconds seconds"
else
    why="$first could not be told this"
fi
{
    printf '%s:\n' "$why"
    printf '%s\n' "$text"
} | papo_send "$second" >/dev/null
