#!/bin/sh
# picture.sh: draws papo.svg, the picture in README.md, from a conversation that takes place:
#
#   cargo build --release && contrib/picture/picture.sh >contrib/picture/papo.svg
#
# Two people type into the panes of a tmux of its own, against a papod of its own in a temporary
# folder, and svg.awk beside this file draws what the panes show in the end. Who types what is one
# table, below. Everything that it starts ends with it. PAPOD is the program, if it is not found
# below target/.
set -eu
beside=$(cd "$(dirname "$0")" && pwd)
papod=${PAPOD-}
for built in "$beside/../../target/release/papod" "$beside/../../target/debug/papod"; do
    if [ -z "$papod" ] && [ -x "$built" ]; then papod=$built; fi
done
[ -n "$papod" ] || { echo 'picture.sh: there is no papod: cargo build --release' >&2 && exit 1; }

here=$(mktemp -d "${TMPDIR:-/tmp}/papo-picture.XXXXXX")
server=''
tmux() { TMUX='' command tmux -S "$here/tmux" -f /dev/null "$@"; }
leave() {
    tmux kill-server 2>/dev/null || :
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :
    rm -rf "$here"
}
trap leave EXIT
trap 'exit 143' HUP INT TERM
mkfifo "$here/log"
"$papod" --listen 127.0.0.1:0 --db "$here/papo.db" --password-cost 8:1 2>"$here/log" &
server=$!
exec 3<"$here/log"
address=''
while [ -z "$address" ] && IFS= read -r line <&3; do
    case $line in *'listening on '*) address=${line##*listening on } ;; esac
done
[ -n "$address" ] || { echo 'picture.sh: papod did not start' >&2 && exit 1; }
cat <&3 >/dev/null &

# Who types what, and what that pane has to show before it goes on. A line in which nothing is
# typed waits only.
table() {
    cat <<END
ana|nc localhost ${address##*:}|HELLO papo/1
bob|nc localhost ${address##*:}|HELLO papo/1
ana|REG ana secret-a|LIVE 0
bob|REG bob secret-b|LIVE 0
ana|MSG bob lunch at one?|OK MSG 1 2
bob||ana bob - lunch at one?
bob|ACK 1|OK ACK 1
ana||ACK 1 2
bob|READ 1|OK READ 1
ana||READ 1 2
bob|MSG ana fish again!|OK MSG 2 2
ana||bob ana - fish again!
ana|READ|OK READ 2
bob||READ 2 2
END
}
# The last row is for the cursor.
columns=56 rows=14

# shows PANE TEXT: waits until it does, for ten seconds.
shows() {
    tries=0
    until tmux capture-pane -p -t "$1" | grep -qF -e "$2"; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || { echo "picture.sh: $1 does not show: $2" >&2 && exit 1; }
        sleep 0.05
    done
}
for who in ana bob; do
    tmux start-server \; set-option -g status off \; new-session -d -s "$who" -x "$columns" -y "$rows" \
        "cd '$here' && exec env -i PATH='$PATH' TERM=\"\$TERM\" LC_ALL=C.UTF-8 HOME='$here' PS1='\$ ' sh -i"
    shows "$who" '$'
done
table | while IFS='|' read -r who typed shown; do
    [ -z "$typed" ] || tmux send-keys -t "$who" -l "$typed" \; send-keys -t "$who" Enter
    shows "$who" "$shown"
done

table | cut -d '|' -f 2 >"$here/typed"
draw() {
    tmux capture-pane -e -p -t "$1" >"$here/screen"
    LC_ALL=C awk -v "title=$1" -v "left=$2" -v "columns=$columns" -v "rows=$rows" \
        -f "$beside/svg.awk" "$here/typed" "$here/screen"
}
height=$((rows * 18 + 36))
cat <<END
<svg xmlns="http://www.w3.org/2000/svg" width="900" height="$height" viewBox="0 0 900 $height" role="img"
  xml:space="preserve" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
  font-size="12.3">
<title>Two terminals with nc: Ana sends a message, Bob receives and reads it, and Ana is told both</title>
END
draw ana 1
draw bob 454.6
echo '</svg>'
