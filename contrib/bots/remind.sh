#!/bin/sh
# remind.sh: a bot that reminds: `!remind 10m tea` (s, m, h or d), to a person or in a group.
#
#   PAPO_AS=remind PAPO_SECRET_FILE=/etc/papo/remind.secret contrib/bots/remind.sh /var/lib/remind
#
# Each reminder is a file in that folder until it has been sent, so neither the bot nor the server
# has to stay up meanwhile; it is sent with a key, and so only once. Restart the bot when it ends,
# as echo.sh says. The other variables are those of ../papo.sh.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/../papo.sh"
folder=${1:?the folder for what is to be said later}
mkdir -p "$folder"

# Sends what is due. A file's name is the time, in seconds since 1970, and the id of the request.
say_what_is_due() {
    for file in "$folder"/*.*; do
        due=${file##*/} due=${due%%.*}
        if [ ! -f "$file" ] || [ "$due" -gt "$(date +%s)" ]; then continue; fi
        IFS=' ' read -r there body <"$file"
        status=0
        papo_unescape "$body" | papo_once "remind-${file##*.}" "$there" >/dev/null || status=$?
        # If the server cannot be reached, it is sent later; if it is refused, never.
        if [ "$status" -lt 3 ]; then rm -f "$file"; else sleep 10 && return; fi
    done
}

while kill -0 $$ 2>/dev/null; do
    say_what_is_due
    sleep 1
done &

papo_receive | while IFS=' ' read -r _ id _ from to _ body; do
    case $to in
    '#'*) there=$to ;;
    *) there=$from ;;
    esac
    IFS=' ' read -r command time text <<END
$body
END
    [ "$command" = '!remind' ] || continue
    case $time in
    *s) unit=1 ;;
    *m) unit=60 ;;
    *h) unit=3600 ;;
    *d) unit=86400 ;;
    *) unit= ;;
    esac
    case ${time%?} in '' | 0?* | *[!0-9]* | ????????*) unit= ;; esac
    if [ -z "$unit" ] || [ -z "$text" ]; then
        papo_send "$there" 'try: !remind 10m tea' >/dev/null || :
        continue
    fi
    # An unfinished file has no dot in its name.
    printf '%s %s: %s\n' "$there" "$from" "$text" >"$folder/new"
    mv "$folder/new" "$folder/$(($(date +%s) + ${time%?} * unit)).$id"
done
