#!/bin/sh
# papo-ssh.sh: chat over ssh for people who have no client, not even nc. Each ssh key gets a session
# of its owner's account, and nothing else:
#
#   ssh chat@HOST                                     # a session, as with nc after LOGIN
#   ssh chat@HOST MSG bob lunch at one?               # one command, and its answer
#   ssh chat@HOST "MSG bob $(papo_escape <report)"    # papo_escape is in ../papo.sh
#
# To set it up, run papod with `--unix /run/papo.sock`, so that the user `chat` can open that
# socket:
#
# 1. A system user for all, with a shell that can run this: useradd --system --shell /bin/sh -m chat
# 2. In ~chat/.ssh/authorized_keys a line for each key, with the handle of its owner:
#
#      restrict,command="/usr/local/share/papo/ssh/papo-ssh.sh ana" ssh-ed25519 AAAA… ana@laptop
#
# 3. In sshd_config, so that nothing else is open to that user:
#
#      Match User chat
#          PasswordAuthentication no
#          AllowTcpForwarding no
#          X11Forwarding no
#          PermitTTY no
#
# 4. For each account once, as the user `chat` (sudo -u chat sh), since no secret is needed then:
#
#      printf 'LOGIN ana %s\nUID LINK\nQUIT\n' "$secret" | nc -U /run/papo.sock
#
# The system user `chat` can log in to all these accounts, so nothing that is typed reaches papod
# before this script has logged in as the one account that the key is for; after that papod refuses
# another LOGIN. The status is 0; 1 if a command, or the login, was refused; 3 if papod cannot be
# reached.
#
# PAPO_SOCKET names another socket; PAPO_NC an nc that knows -U and closes its side at the end of
# its input, by default OpenBSD's `nc -N` (ncat needs no flag).
set -eu
me=${1:?which account}
command=${SSH_ORIGINAL_COMMAND-}

here=$(mktemp -d "${TMPDIR:-/tmp}/papo.XXXXXX")
nc='' typing=''
trap 'kill $typing $nc 2>/dev/null || :; rm -rf "$here"' EXIT
trap 'exit 143' HUP INT TERM
trap '' PIPE
mkfifo "$here/in" "$here/out"
# shellcheck disable=SC2086 # Words on purpose.
${PAPO_NC:-nc -N} -U "${PAPO_SOCKET:-/run/papo.sock}" <"$here/in" >"$here/out" &
nc=$!
exec 3>"$here/in" 4<"$here/out" 5<&0

# A command gets only its answer, and does not make the account appear online.
printf 'LOGIN %s%s\n' "$me" "${command:+ - quiet}" >&3
IFS= read -r hello <&4 || { echo 'papo-ssh.sh: papod cannot be reached' >&2 && exit 3; }
IFS= read -r answer <&4 || exit 3
case $answer in
"OK LOGIN $me "*) ;;
*) printf '%s\n' "$answer" >&2 && exit 1 ;;
esac

status=0
if [ -n "$command" ]; then
    printf '%s\nQUIT\n' "$command" >&3
    exec 3>&-
    while IFS= read -r line <&4; do
        case $line in
        'LIVE '* | 'OK QUIT' | 'BYE quit') continue ;;
        'ERR '*) status=1 ;;
        esac
        printf '%s\n' "$line"
    done
else
    printf '%s\n' "$hello" "$answer"
    cat <&5 >&3 4<&- &
    typing=$!
    # Now the end of the input is the end of what papod reads.
    exec 3>&-
    while IFS= read -r line <&4; do
        printf '%s\n' "$line" || break
        case $line in 'BYE '*) break ;; esac
    done
fi
exit "$status"
