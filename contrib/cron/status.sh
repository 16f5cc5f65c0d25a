#!/bin/sh
# status.sh: one message that always says how things are: what a job prints, changed in place:
#
#   * * * * *  PAPO_AS=cron PAPO_SECRET_FILE=/etc/papo/cron.secret contrib/cron/status.sh +ops /var/lib/papo-disk df -h /
#
# The arguments are TO, a file, and the job. The first run sends a message and keeps its id in that
# file; each later one gives that message its new text, and nobody is told if that is the same. If
# the message was deleted, or is too old to be changed (papod --amend), a new one is sent. If the job
# fails, the last line is its status. The other variables are those of ../papo.sh.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/../papo.sh"
[ $# -ge 3 ] || { echo 'status.sh: TO FILE COMMAND [argument...]' >&2 && exit 2; }
to=$1 file=$2
shift 2
text=$({ "$@" 2>&1 || echo "status $?"; } | papo_lossy)

if [ -s "$file" ]; then
    status=0
    papo_edit "$(cat "$file")" "$text" || status=$?
    # 1: refused.
    [ "$status" = 1 ] || exit "$status"
fi
id=$(papo_send "$to" "$text")
printf '%s\n' "$id" >"$file"
