#!/bin/sh
# poll.sh: a bot for polls in the groups that it is a member of:
#
#   !poll Where do we eat? / fish / pizza     asks, with a number for each answer
#   REACT 17 2                                votes, or changes your vote; 17 is the id of the poll
#   !result                                   shows the count of the last poll
#
#   PAPO_AS=poll PAPO_SECRET_FILE=/etc/papo/poll.secret contrib/bots/poll.sh /var/lib/poll
#
# A vote is a reaction with the number of an answer, so the server counts, and the bot need not be
# there. It keeps the id of the last poll of each group in a file of that name. Restart it when it
# ends, as echo.sh says. The other variables are those of ../papo.sh.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/../papo.sh"
folder=${1:?the folder for the polls}
mkdir -p "$folder"

# question TEXT: the text of a poll, split at the slashes; fails if that makes less than two answers.
question() {
    printf '%s/' "$1" | tr '\n/' ' \n' | sed 's/^ *//;s/ *$//;/^$/d' |
        awk 'NR == 1 { all = $0; next } { all = all "\n" (NR - 1) ". " $0 }
            END { if (NR < 3) exit 1; print all "\nvote by reacting with a number" }'
}

# result GROUP ID: the poll, with the number of votes behind each answer.
result() {
    papo_rows "HIST $1 1 before $(($2 + 1))" | {
        IFS=' ' read -r _ _ _ _ _ tags body
        case ,$tags in *,react=*) votes=/${tags##*react=} votes=${votes%%,*}/ ;; *) votes=/ ;; esac
        papo_unescape "$body" | sed '$d' | {
            IFS= read -r asked && printf '%s\n' "$asked"
            n=1
            while IFS= read -r answer; do
                # COUNT*WORD, between slashes; a word may have asterisks, too.
                count=$(printf '%s' "$votes" | tr / '\n' | sed -n "s/^\([0-9]*\)\*$n\$/\1/p")
                count=${count:-0}
                printf '%s: %s\n' "$answer" "$count"
                n=$((n + 1))
            done
        }
    }
}

papo_receive | while IFS=' ' read -r _ _ _ _ to _ body; do
    case $to in '#'*) poll=$folder/${to#?} ;; *) continue ;; esac
    case $body in
    '!poll '*)
        if text=$(question "$(papo_unescape "${body#* }")"); then
            # What is not sent takes no poll's place.
            if papo_send "$to" "$text" >"$folder/.new"; then mv "$folder/.new" "$poll"; fi
        else
            papo_send "$to" 'try: !poll Where do we eat? / fish / pizza' >/dev/null || :
        fi
        ;;
    '!result') [ ! -s "$poll" ] || result "$to" "$(cat "$poll")" | papo_re "$(cat "$poll")" >/dev/null || : ;;
    esac
done
