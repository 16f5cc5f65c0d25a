#!/bin/sh
# picture.sh: draws papo.svg, the picture in README.md, from a real conversation:
#
#   cargo build --release && contrib/picture/picture.sh >contrib/picture/papo.svg
#
# Two people type into the panes of a tmux of its own, against a papod of its own in a temporary
# folder, and svg.awk next to this file draws what the panes show in the end. A table below says who
# types what. Everything that it starts ends with it. If papod is not found below target/, set PAPOD
# to it; papo must be next to it.
set -eu
beside=$(cd "$(dirname "$0")" && pwd)
papod=${PAPOD-}
for built in "$beside/../../target/release/papod" "$beside/../../target/debug/papod"; do
    if [ -z "$papod" ] && [ -x "$built" ]; then papod=$built; fi
done
[ -n "$papod" ] || { echo 'picture.sh: there is no papod: cargo build --release' >&2 && exit 1; }
papo=$(dirname "$papod")/papo

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

# Ana already has an account; the client stores a token for it, in the folder.
for verb in register login; do
    PAPO_SERVER=$address PAPO_AS=ana PAPO_SECRET=secret-a HOME=$here XDG_CONFIG_HOME='' \
        "$papo" "$verb" >/dev/null
done

# Who types what, and what that pane must show before the script continues. A line without typed
# text only waits; a text that ends with + is typed without Enter.
table() {
    cat <<END
bob|nc localhost ${address##*:}|HELLO papo/1
bob|REG bob secret-b|LIVE 0
ana|papo|nobody has written
ana|/to bob|bob>
ana|lunch at one?|✓    you: lunch
bob||ana bob - lunch at one?
bob|READ|OK READ 1
ana||read you: lunch
ana|I sit outside|✓    you: I sit
bob||ana bob - I sit outside
bob|ACK|OK ACK 2
ana||✓✓   you: I sit
ana|no hurry|✓    you: no hurry
bob||no hurry
ana|there is fi+|there is fi
bob|MSG ana fish again!|OK MSG 4
ana||bob: fish again!
bob||READ 4
END
}
# The last row is for the cursor.
columns=56 rows=16

# shows PANE TEXT: waits until the pane shows the text, for up to ten seconds.
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
        "cd '$here' && exec env -i PATH='$(dirname "$papo"):$PATH' TERM=\"\$TERM\" LC_ALL=C.UTF-8 HOME='$here' PS1='\$ ' sh -i"
    shows "$who" '$'
done
table | while IFS='|' read -r who typed shown; do
    case $typed in
        '') ;;
        *+) tmux send-keys -t "$who" -l "${typed%+}" ;;
        *) tmux send-keys -t "$who" -l "$typed" \; send-keys -t "$who" Enter ;;
    esac
    shows "$who" "$shown"
done

# The client has colours of its own.
table | grep '^bob' | cut -d '|' -f 2 >"$here/typed"
draw() {
    tmux capture-pane -e -p -t "$1" >"$here/screen"
    LC_ALL=C awk -v "title=$3" -v "left=$2" -v "columns=$columns" -v "rows=$rows" \
        -f "$beside/svg.awk" "$here/typed" "$here/screen"
}
height=$((rows * 18 + 36))
cat <<END
<svg xmlns="http://www.w3.org/2000/svg" width="900" height="$height" viewBox="0 0 900 $height" role="img"
  xml:space="preserve" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
  font-size="12.3">
<title>Two terminals: Ana writes with papo, Bob answers with nc, and the ticks beside what she wrote come as he reads</title>
END
draw ana 1 "ana: papo"
draw bob 454.6 "bob: nc"
echo '</svg>'
