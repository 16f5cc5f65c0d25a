#!/bin/sh
# tell.sh: runs a job, says nothing when it succeeds, and tells somebody when it fails:
#
#   17 3 * * *  PAPO_AS=cron PAPO_SECRET_FILE=/etc/papo/cron.secret contrib/cron/tell.sh ana backup --all
#
# TO is a handle, '#group' or +group. The message is the host, the job, its status, and the end of
# its output without colours, progress bars and other bytes that the server refuses. The status is
# the job's. If the message cannot be sent, the output goes to standard error, which cron mails. The
# other variables are those of ../papo.sh.
#
# A CI system keeps the output itself, so one step that runs on failure is enough. It needs a token
# (TOKEN NEW ci) in a secret variable PAPO_SECRET, PAPO_AS and PAPO_SERVER, and the address of the
# job, under whatever name the CI gives it. One of these lines will do:
#
#   . contrib/papo.sh && papo_send +ops "the build failed: $CI_JOB_URL"
#   papo send +ops "the build failed: $CI_JOB_URL"
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/../papo.sh"
[ $# -ge 2 ] || { echo 'tell.sh: TO COMMAND [argument...]' >&2 && exit 2; }
to=$1
shift

# The job runs, and its failure is reported, even if the disk is full.
if output=$(mktemp "${TMPDIR:-/tmp}/papo.XXXXXX"); then
    trap 'rm "$output"' EXIT
else
    output=/dev/null
fi
trap 'exit 143' HUP INT TERM
status=0
"$@" >"$output" 2>&1 || status=$?
[ "$status" != 0 ] || exit 0

{
    printf '%s: %s: status %s\n' "$(uname -n)" "$*" "$status"
    tail -n 40 "$output" | tail -c 8000
} | papo_lossy | papo_send "$to" >/dev/null || cat "$output" >&2
exit "$status"
