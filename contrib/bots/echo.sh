#!/bin/sh
# echo.sh: a bot that says back what follows `!echo`, to a person or in a group.
#
#   PAPO_AS=echo PAPO_SECRET_FILE=/etc/papo/echo.secret contrib/bots/echo.sh
#
# It ends when the server does, so let systemd start it again (Restart=always, RestartSec=5), or
# `while :; do ./echo.sh; sleep 5; done`. The other variables are those of ../papo.sh.
#
# The start of a bot of one's own. It never answers itself, nor what waited while it was away, and
# says something in a group only when it is meant: two bots that answer each other never stop.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/../papo.sh"

papo_receive live | while IFS=' ' read -r _ _ _ from to _ body; do
    case $to in
    '#'*) there=$to ;;
    *) there=$from ;;
    esac
    case $body in
    '!echo '*) papo_unescape "${body#* }" | papo_send "$there" >/dev/null || : ;;
    esac
done
