#!/bin/sh
# ios.sh: wakes ntfy's app on iPhones when something is said to you.
#
#   PAPO_WEB=https://chat.example.org:7279 PAPO_LOGIN=/home/bob/.papo-web contrib/bots/ios.sh bob
#
# An iPhone wakes an app for a push of Apple's only, and Apple takes those for ntfy's app from ntfy.sh
# alone. So for each message in a topic of papod this tells ntfy.sh that something came, by a hash of
# the topic's address and the id of the message; the app then fetches the message from papod itself.
# PAPO_WEB has to be spelled as the server's address in the app. PAPO_LOGIN is a file that only its
# owner can read, with a line for curl: user = "bob:papo_…", a token.
#
# It only watches: it makes nobody online and acknowledges nothing. It comes back after a break, and
# runs until it is stopped. PAPO_UPSTREAM is another server in the place of https://ntfy.sh.
set -eu
topic=${1:?which topic}
web=${PAPO_WEB:?where papod serves HTTP} login=${PAPO_LOGIN:?a file with user = ...}
upstream=${PAPO_UPSTREAM:-https://ntfy.sh}
hash=$(printf %s "$web/$topic" | sha256sum | cut -c 1-64)

pipe=$(mktemp -d "${TMPDIR:-/tmp}/papo.XXXXXX") curl=
mkfifo "$pipe/lines"
trap 'kill $curl 2>/dev/null || :; rm -r "$pipe"' EXIT
trap 'exit 143' HUP INT TERM

# A time, and not an id, which would say that the phone has everything up to there.
since=$(date +%s)
while :; do
    # A keepalive comes each minute, so silence is a lost connection.
    curl -fsSN -K "$login" --speed-limit 1 --speed-time 120 "$web/$topic/json?since=$since" \
        >"$pipe/lines" &
    curl=$!
    while IFS= read -r line; do
        id=${line#'{"id":"'}
        time=${line#*'"time":'} since=${time%%,*}
        case $line in
        # A new text is fetched by the id of its message.
        *'"event":"message"'*'"sequence_id":"'*) id=${line#*'"sequence_id":"'} ;;
        *'"event":"message"'*) ;;
        *) continue ;;
        esac
        id=${id%%'"'*}
        curl -fsS -o /dev/null --max-time 10 -X POST -H "X-Poll-ID: $id" "$upstream/$hash" || :
    done <"$pipe/lines"
    wait "$curl" || sleep 5
done
