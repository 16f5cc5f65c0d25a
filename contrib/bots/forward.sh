#!/bin/sh
# forward.sh: turns a mail on standard input into a message: From, Subject, the beginning of the
# text.
#
# In the recipient's .forward file, as one line:
#
#   "|env PAPO_AS=post PAPO_SECRET_FILE=/home/ana/.papo-secret /usr/local/share/papo/bots/forward.sh ana"
#
# A mail is sent once, however often the mail server tries: its Message-ID is the key. If the chat
# server cannot be reached, the status is 75, and the mail server tries again; if the message is
# refused, it is 69, and the mail goes back to its sender. Encoded words and MIME parts are not
# decoded. The other variables are those of ../papo.sh.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/../papo.sh"
to=${1:?to whom}

mail=$(
    LC_ALL=C awk -v lines=20 '
        { sub(/\r$/, "") }
        text { if (shown++ < lines) print; next }
        NR == 1 && /^From / { next }
        /^$/ { say_head(); text = 1; next }
        # A line that begins with a blank continues the previous one.
        /^[ \t]/ { sub(/^[ \t]+/, " "); head[name] = head[name] $0; next }
        {
            name = tolower(substr($0, 1, index($0, ":") - 1))
            value = substr($0, index($0, ":") + 1)
            sub(/^[ \t]+/, "", value)
            head[name] = value
        }
        END { if (!text) say_head() }
        function say_head() {
            print head["message-id"]
            print "From: " head["from"]
            print "Subject: " head["subject"] "\n"
        }' | papo_plain
)
message_id=$(printf '%s\n' "$mail" | sed -n 1p)
set -- papo_send "$to"
[ -z "$message_id" ] || set -- papo_once "mail-$(printf %s "$message_id" | cksum | tr ' ' -)" "$to"
status=0
printf '%s\n' "$mail" | sed 1d | papo_lossy | "$@" >/dev/null || status=$?
case $status in
0) ;;
3) exit 75 ;;
*) exit 69 ;;
esac
