#!/bin/sh
# mirror.sh: one's conversations as files, in the manner of ii: for each a folder with `in`, a FIFO
# in which each line becomes a message, and `out`, to which every message is appended.
#
#   PAPO_AS=ana PAPO_SECRET_FILE=~/.papo-secret contrib/mirror.sh ~/chat bob &
#   tail -F ~/chat/bob/out &
#   echo 'lunch at one?' >~/chat/bob/in
#   echo 'fish again?' >'/home/ana/chat/#lunch/in'
#
# Folders of those named on the command line are there from the start; others appear with their
# first message. A line of `out` is one message, with its line breaks as \n and its backslashes
# doubled (printf '%b' undoes it): 2026-11-22T11:58:03.214Z <ana> lunch at one?
#
# What one wrote oneself, here or elsewhere, is in `out`, too, in its place. It ends, and ends all
# that it started, when the server does or is gone; start it again then, as bots/echo.sh says. The
# other variables are those of papo.sh. One mirror at a time to a folder.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/papo.sh"
: "${PAPO_AS:?is not set: the account}"
root=${1:?the folder for the conversations}
shift
mkdir -p "$root"
me=$(printf '%s\n' "$PAPO_AS" | tr '[:upper:]' '[:lower:]')

# The processes that are started here; each is ended by its number, and waited for.
children=''
trap 'kill $children 2>/dev/null || :; wait' EXIT
trap 'exit 143' HUP INT TERM

# open NAME: makes the conversation's files, and sends what is written into its FIFO.
open() {
    case $opened in *" $1 "*) return ;; esac
    opened="$opened$1 "
    mkdir -p "$root/$1"
    [ -p "$root/$1/in" ] || mkfifo "$root/$1/in"
    # Opened for both, so that it does not end with the first who closes it, and none is cut off.
    send_lines "$1" <>"$root/$1/in" >/dev/null 3<&- &
    children="$children $!"
}

# Until there is an end to what is written, or to this process.
send_lines() {
    while IFS= read -r line; do
        [ -z "$line" ] || papo_send "$1" "$line" || :
    done
}

pipe=$(mktemp -d "${TMPDIR:-/tmp}/papo.XXXXXX")
mkfifo "$pipe/lines"
papo_receiving own >"$pipe/lines" &
children="$children $!"
exec 3<"$pipe/lines"
rm -r "$pipe"

opened=' '
for name; do open "$(papo_name "$name")"; done
while IFS=' ' read -r _ _ time from to _ body <&3; do
    case $to in
    '#'*) name=$to ;;
    "$me") name=$from ;;
    *) name=$to ;;
    esac
    open "$name"
    printf '%s <%s> %s\n' "$time" "$from" "$body" >>"$root/$name/out"
done
