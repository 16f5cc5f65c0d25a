#!/bin/sh
# demo.sh: two people in a split tmux, against a papod of its own in a temporary folder.
#
#   cargo build --release && contrib/demo.sh
#
# Ana is on the left, in papo, and talks to Bob: type, and Enter sends; /help explains the rest. Bob
# is on the right, in nc, logged in: READ, `MSG ana hello`; HELP explains the rest. It ends with
# both sessions (Ctrl-D on the left, QUIT and then Ctrl-C on the right), or with `tmux kill-session`
# (Ctrl-B, then &), and stops everything that it started. If papod is not found below target/, set
# PAPOD to it; papo must be next to it.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
papod=${PAPOD-}
for built in "$root/target/release/papod" "$root/target/debug/papod"; do
    if [ -z "$papod" ] && [ -x "$built" ]; then papod=$built; fi
done
[ -n "$papod" ] || { echo 'demo.sh: there is no papod: cargo build --release' >&2 && exit 1; }
papo=$(dirname "$papod")/papo

here=$(mktemp -d "${TMPDIR:-/tmp}/papo-demo.XXXXXX")
server=''
# A tmux server of its own, with its socket in that folder.
leave() {
    tmux -S "$here/tmux" kill-server 2>/dev/null || :
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :
    rm -rf "$here"
}
trap leave EXIT
trap 'exit 143' HUP INT TERM
# Takes a free port, and reads from the log which one.
mkfifo "$here/log"
"$papod" --listen 127.0.0.1:0 --db "$here/papo.db" --password-cost 8:1 2>"$here/log" &
server=$!
exec 3<"$here/log"
address=''
while [ -z "$address" ] && IFS= read -r line <&3; do
    case $line in *'listening on '*) address=${line##*listening on } ;; esac
done
[ -n "$address" ] || { echo 'demo.sh: papod did not start' >&2 && exit 1; }
# Drain the rest of its log.
cat <&3 >"$here/papod.log" &

# Both get an account; papo stores a token for Ana's in the folder, because whoever runs this may
# have a token of their own.
unset PAPO_AS PAPO_SECRET PAPO_CA
PAPO_SERVER=$address HOME=$here XDG_CONFIG_HOME=''
export PAPO_SERVER HOME XDG_CONFIG_HOME
for who in ana bob; do
    PAPO_AS=$who PAPO_SECRET=demo-secret "$papo" register >/dev/null
done
PAPO_AS=ana PAPO_SECRET=demo-secret "$papo" login >/dev/null
# Someone to talk to.
PAPO_AS=bob PAPO_SECRET=demo-secret "$papo" send ana 'lunch at one?' >/dev/null

# person HANDLE HOST PORT: nc, logged in, then standard input.
cat >"$here/person" <<'END'
{ printf 'LOGIN %s demo-secret\n' "$1"; exec cat; } | nc "$2" "$3"
END
host=${address%:*} port=${address##*:}
tmux -S "$here/tmux" -f /dev/null new-session -d -x 160 -y 40 "'$papo'"
tmux -S "$here/tmux" split-window -h "sh '$here/person' bob $host $port"
tmux -S "$here/tmux" select-pane -L
# Works inside another tmux too.
TMUX='' tmux -S "$here/tmux" attach-session
