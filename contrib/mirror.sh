#!/bin/sh
# mirror.sh: your conversations as files, in the style of ii: a folder for each, with `in`, a FIFO
# in which each line becomes a message, and `out`, to which every message is appended.
#
#   PAPO_AS=ana PAPO_SECRET_FILE=~/.papo-secret contrib/mirror.sh ~/chat bob &
#   tail -F ~/chat/bob/out &
#   echo 'lunch at one?' >~/chat/bob/in
#   echo 'fish again?' >'/home/ana/chat/#lunch/in'
#
# The folders named on the command line exist from the start; others appear with their first
# message. A line of `out` is one message, with line breaks as \n and backslashes doubled (printf
# '%b' undoes that): 2026-11-22T11:58:03.214Z <ana> lunch at one?
#
# It is a log of what came: what is edited or deleted later stays in it, and so do files.
#
# Files that people send are fetched into the folder `files` there, under the id of their message and
# their name; their names are in `out`.
#
# Your own messages, from here or elsewhere, are in `out` too, in their place. When the server ends
# or is lost, it ends and stops everything that it started; restart it as bots/echo.sh says. The
# other variables are those of papo.sh. Run only one mirror per folder.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/papo.sh"
: "${PAPO_AS:?is not set: the account}"
root=${1:?the folder for the conversations}
shift
mkdir -p "$root"
me=$(printf '%s\n' "$PAPO_AS" | tr '[:upper:]' '[:lower:]')

# The processes started by this one or by the loop below; each is ended by its number, and waited
# for. One that has only just begun may lose a SIGTERM.
children='' signal=TERM
end_children() {
    trap 'kill -"$signal" $children 2>/dev/null || :; wait' EXIT
    trap 'exit 143' HUP INT TERM
}

# open NAME: creates the conversation's files, and sends what is written to its FIFO.
open() {
    case $opened in *" $1 "*) return ;; esac
    opened="$opened$1 "
    mkdir -p "$root/$1"
    [ -p "$root/$1/in" ] || mkfifo "$root/$1/in"
    # Opened for reading and writing, so that the first writer to close it does not end it.
    send_lines "$1" <>"$root/$1/in" >/dev/null 3<&- &
    children="$children $!"
}

# Until the input ends, or this process does.
send_lines() {
    while IFS= read -r line; do
        [ -z "$line" ] || papo_send "$1" "$line" || :
    done
}

# mirror [NAME...]: files what comes in as lines on descriptor 3, beginning with these conversations.
mirror() {
    opened=' ' children='' signal=KILL
    end_children
    for name; do open "$(papo_name "$name")"; done
    while IFS=' ' read -r _ id time from to tags body <&3; do
        case $to in
        '#'*) name=$to ;;
        "$me") name=$from ;;
        *) name=$to ;;
        esac
        open "$name"
        printf '%s <%s> %s\n' "$time" "$from" "$body" >>"$root/$name/out"
        case ,$tags in
        *,file=*)
            file=$id-$(papo_unescape "$body")
            # The server sends no others; it may be anyone's.
            case $file in */*) continue ;; esac
            mkdir -p "$root/$name/files"
            papo_get "$id" "$root/$name/files/$file" </dev/null || :
            ;;
        esac
    done
}

end_children
pipe=$(mktemp -d "${TMPDIR:-/tmp}/papo.XXXXXX")
mkfifo "$pipe/lines"
papo_receiving own >"$pipe/lines" &
children=$!
exec 3<"$pipe/lines"
rm -r "$pipe"
# A shell that waits takes a signal at once. One that is about to read takes it with the next line.
mirror "$@" &
children="$children $!"
exec 3<&-
wait "$!"
