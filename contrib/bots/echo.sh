#!/bin/sh
# echo.sh: a bot that repeats what follows `!echo`, to a person or in a group.
#
#   PAPO_AS=echo PAPO_SECRET_FILE=/etc/papo/echo.secret contrib/bots/echo.sh
#
# It ends when the server does, so let systemd start it again (Restart=always, RestartSec=5), or
# `while :; do ./echo.sh; sleep 5; done`. The other variables are those of ../papo.sh.
#
# A starting point for your own bot. It never answers itself, nor messages from while it was away,
# and speaks in a group only when addressed: two bots that answer each other never stop.
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
