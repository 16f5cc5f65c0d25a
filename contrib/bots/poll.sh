#!/bin/sh
# poll.sh: a bot for polls in the groups that it is a member of:
#
#   !poll Where do we eat? / fish / pizza     asks; a new question replaces the old one
#   !vote 2                                   votes, or changes your vote
#   !result                                   shows the count
#
#   PAPO_AS=poll PAPO_SECRET_FILE=/etc/papo/poll.secret contrib/bots/poll.sh /var/lib/poll
#
# A poll is a folder named after its group, with a file for each answer (1, 2, …) and for each voter
# (vote.ana). Votes that come while the bot is away count too. Restart it when it ends, as echo.sh
# says. The other variables are those of ../papo.sh.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/../papo.sh"
folder=${1:?the folder for the polls}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# show: the question, and each answer with its number of votes.
show() {
    cat question
    n=1
    while [ -f "$n" ]; do
        votes=$(cat vote.* 2>/dev/null | grep -cx "$n" || :)
        printf '%s. %s: %s\n' "$n" "$(cat "$n")" "$votes"
        n=$((n + 1))
    done
}

# ask TEXT: a new poll, split at the slashes.
ask() {
    rm -f all question [1-9]* vote.*
    printf '%s/' "$1" | tr '\n/' ' \n' | sed 's/^ *//;s/ *$//;/^$/d' >all
    [ "$(wc -l <all)" -ge 3 ] || { echo 'try: !poll Where do we eat? / fish / pizza' && return; }
    sed -n 1p all >question
    n=1
    sed 1d all | while IFS= read -r answer; do
        printf '%s\n' "$answer" >"$n"
        n=$((n + 1))
    done
    show
    echo 'vote with !vote and its number'
}

papo_receive | while IFS=' ' read -r _ _ _ from to _ body; do
    case $to in '#'*) ;; *) continue ;; esac
    mkdir -p "$folder/${to#?}"
    cd "$folder/${to#?}"
    case $body in
    '!poll '*) ask "$(papo_unescape "${body#* }")" | papo_send "$to" >/dev/null || : ;;
    '!vote '*[!0-9]* | '!vote 0'*) ;;
    '!vote '*) [ ! -f "${body#* }" ] || printf '%s\n' "${body#* }" >"vote.$from" ;;
    '!result') [ ! -f question ] || show | papo_send "$to" >/dev/null || : ;;
    esac
done
