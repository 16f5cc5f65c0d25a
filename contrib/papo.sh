# shellcheck shell=sh
# papo.sh: functions for scripts that chat, with nothing but a shell and nc.
#
# For dash, bash and busybox ash, with the nc of OpenBSD, the traditional one, ncat or busybox's:
#
#   . ./papo.sh
#   PAPO_AS=ana PAPO_SECRET_FILE=~/.papo-secret
#   df -h | papo_send bob
#   papo_receive live | while IFS=' ' read -r verb id time from to tags body; do …; done
#
# These variables configure it; they need not be exported:
#
#   PAPO_SERVER       host:port, or unix:/path; 127.0.0.1:7276 if it is not set. Of several, with
#                     commas in between, the first that answers.
#   PAPO_AS           the account
#   PAPO_SECRET       its password or, better, a token (TOKEN NEW, in a session of your own), or
#   PAPO_SECRET_FILE  a file with that in its first line, mode 0600. Over a Unix socket neither is
#                     needed once this system user is linked to the account (UID LINK).
#   PAPO_NC           the nc to use with its flags, such as "busybox nc", or "ncat --ssl-verify" for
#                     a server that speaks TLS; nc if it is not set. For unix:/path it must know -U,
#                     as OpenBSD's and ncat do.
#   PAPO_TIMEOUT      seconds to wait for a server that does not answer; 20 if it is not set
#   PAPO_PING         seconds between the pings of papo_receive; 30 if it is not set
#
# No secret is ever an argument of a process: printf is a builtin of these shells.
#
# Each function runs in a subshell of its own and leaves no variables behind. Status: 0 done; 1
# refused, with the ERR line on standard error; 2 wrong usage; 3 the server cannot be reached or was
# lost; 4 the secret was refused; 5 timed out.

# papo_escape [text...]: the arguments, or standard input if there are none, as free text on one
# line. Line breaks at the very end are dropped. Any text that goes into a command must go through
# this: otherwise its second line would be carried out as a command.
papo_escape() {
    if [ $# -gt 0 ]; then IFS=' ' && printf '%s\n' "$*"; else cat; fi |
        sed -e ':a' -e '/^\n*$/{' -e '$d' -e 'N' -e 'ba' -e '}' |
        sed -e 's/\\/\\\\/g' -e '$!s/$/\\n/' | tr -d '\n'
}

# papo_unescape [text...]: the reverse: a text as it was received, with its line breaks. On standard
# input each line is one text.
papo_unescape() (
    if [ $# -gt 0 ]; then
        IFS=' ' && printf '%b\n' "$*"
    else
        while IFS= read -r line || [ -n "$line" ]; do printf '%b\n' "$line"; done
    fi
)

# papo_plain: standard input without what a server refuses: colours and other terminal sequences,
# control characters except TAB, and anything that is not UTF-8 (without iconv, not ASCII). Of a
# line with carriage returns, such as a progress bar, it keeps what follows the last one.
papo_plain() (
    esc=$(printf '\033') bel=$(printf '\007') cr=$(printf '\r') c1=$(printf '\302[\200-\237]')
    LC_ALL=C sed -e "s/$cr*\$//" -e "s/.*$cr//" -e "s|$esc\\[[0-?]*[ -/]*[@-~]||g" \
        -e "s/$esc\\][^$bel$esc]*$bel//g" -e "s/$esc\\][^$bel$esc]*$esc\\\\//g" \
        -e "s/${esc}[@-Z\\\\^_]//g" -e "s/$c1//g" |
        LC_ALL=C tr -d '\000-\010\013-\037\177' |
        papo_utf8
)

# papo_lossy: standard input as a text that can always be sent: like papo_plain, but a text that is
# too long loses its middle, and an empty one becomes `(empty)`. For alerts that must not get lost:
# `backup 2>&1 | papo_lossy | papo_send ops`.
papo_lossy() (
    # In memory, because the alert may be about a full disk.
    text=$(papo_plain)
    # Each byte may become two in a line of at most 65,536.
    half=15000
    length=$(($(printf '%s' "$text" | wc -c)))
    case $text in
    *[![:space:]]*) ;;
    *) echo '(empty)' && exit ;;
    esac
    [ "$length" -gt $((2 * half)) ] || { printf '%s\n' "$text" && exit; }
    {
        printf '%s' "$text" | head -c "$half"
        printf '\n[... %s bytes left out ...]\n' $((length - 2 * half))
        printf '%s\n' "$text" | tail -c $((half + 1))
    } 2>/dev/null | papo_utf8
)

# papo_send TO [text...]: sends the arguments, or standard input if there are none or only -, as one
# message. Status 0 means that it is on disk; its id is then printed. TO is a handle, '#group' or
# +group.
papo_send() (
    to=$(papo_name "${1-}") || exit 2
    shift
    papo_put MSG "MSG $to" "$@"
)

# papo_once KEY TO [text...]: the same, but sent at most once for this key, however often it is
# called: after status 3 it is safe to retry. A key has 1 to 64 characters and no blanks.
papo_once() (
    case ${1-} in
    '' | *[[:space:][:cntrl:]]*) echo 'papo_once: KEY TO [text...], a key has no blanks' >&2 && exit 2 ;;
    esac
    key=$1 to=$(papo_name "${2-}") || exit 2
    shift 2
    papo_put MSG "ONCE $key MSG $to" "$@"
)

# papo_re ID [text...]: answers message ID, in its conversation; otherwise like papo_send.
papo_re() (
    papo_is_id "${1-}" || { echo 'papo_re: ID [text...]' >&2 && exit 2; }
    id=$1
    shift
    papo_put RE "RE $id" "$@"
)

# papo_fwd ID TO: forwards message ID, and prints the id of the new one.
papo_fwd() (
    papo_is_id "${1-}" || { echo 'papo_fwd: ID TO' >&2 && exit 2; }
    to=$(papo_name "${2-}") || exit 2
    papo_do FWD "FWD $1 $to"
)

# papo_edit ID [text...]: your message ID has this text from now on. This function and the next two
# print nothing, and may be repeated after status 3: said twice, it is done once.
papo_edit() (
    papo_is_id "${1-}" || { echo 'papo_edit: ID [text...]' >&2 && exit 2; }
    id=$1
    shift
    papo_put EDIT "EDIT $id" "$@" >/dev/null
)

# papo_del ID: deletes your message ID for everyone.
papo_del() (
    papo_is_id "${1-}" || { echo 'papo_del: ID' >&2 && exit 2; }
    papo_do DEL "DEL $1" >/dev/null
)

# papo_react ID WORD: reacts to message ID with a word or an emoji; - takes the reaction back.
papo_react() (
    case ${1-}/${2-} in
    *[!0-9]*/* | /* | */ | *[[:space:][:cntrl:]]*) echo 'papo_react: ID WORD' >&2 && exit 2 ;;
    esac
    papo_do REACT "REACT $1 $2" >/dev/null
)

# papo_file TO PATH [NAME]: sends a regular file, under its own name or another, and prints the id of
# the message. It needs `base64`.
papo_file() (
    name=${3-${2##*/}}
    case $name in
    '' | .* | -* | */* | *[[:cntrl:]]*)
        echo 'papo_file: TO PATH [NAME], a name has no / and does not begin with . or -' >&2 && exit 2
        ;;
    esac
    to=$(papo_name "$1") || exit 2
    # Of a pipe nothing is left once its bytes have been counted.
    if [ -e "$2" ] && ! [ -f "$2" ]; then
        printf 'papo_file: %s: not a regular file; save what it says to one first\n' "$2" >&2 && exit 2
    fi
    bytes=$(wc -c <"$2") || exit 2
    login=$(papo_login quiet) || exit 2
    {
        printf '%s\n' "$login"
        papo_base64 <"$2" | sed 's/^/PUT /'
        printf 'FILE %s %s\nQUIT\n' "$to" "$(papo_escape "$name")"
    } | papo_nc $((${PAPO_TIMEOUT:-20} + bytes / 50000)) | papo_answer FILE
)

# papo_get ID PATH: fetches the file of message ID. Nothing is overwritten; - is standard output. The
# file has its name only once it is whole. Status 2 if it cannot be written; 3 after PAPO_TIMEOUT and
# 340 seconds, so raise that for one larger than 16 MiB on a slow line. It needs `base64`.
papo_get() (
    if [ -z "${2-}" ] || ! papo_is_id "$1"; then echo 'papo_get: ID PATH' >&2 && exit 2; fi
    if [ "$2" != - ] && { [ -e "$2" ] || [ -L "$2" ]; }; then
        printf 'papo_get: %s: already exists\n' "$2" >&2 && exit 1
    fi
    login=$(papo_login quiet) || exit 2
    base64 </dev/null >/dev/null || exit 2
    here=$(mktemp -d "${TMPDIR:-/tmp}/papo.XXXXXX") || exit 2
    part=''
    trap 'rm -rf "$here" ${part:+"$part"}' EXIT
    trap 'exit 143' HUP INT TERM
    # How large it is shows when it has come. It is cat that says if a disk is full: nc does not, nor
    # busybox's base64.
    printf '%s\nGET %s\nQUIT\n' "$login" "$1" | papo_nc $((${PAPO_TIMEOUT:-20} + 340)) | cat >"$here/reply" || {
        printf 'papo_get: the reply could not be kept in %s\n' "${TMPDIR:-/tmp}" >&2 && exit 2
    }
    sed '/^DATA /d' "$here/reply" | papo_answer GET >/dev/null || exit
    file=$here/file
    if [ "$2" != - ]; then
        # Beside its place, so that it needs but a name.
        file=${2%"${2##*/}"}.${here##*/}.part
        (set -C && : >"$file") || exit 2
        part=$file
    fi
    sed -n 's/^DATA //p' "$here/reply" | tr -d '\n' | base64 -d | cat >"$file" || {
        printf 'papo_get: %s: the file could not be written\n' "$2" >&2 && exit 2
    }
    said=$(sed -n 's/^OK GET [0-9]* \([0-9]*\) .*/\1/p' "$here/reply")
    if [ "$said" -ne "$(wc -c <"$file")" ]; then
        echo 'papo_get: the file is not whole' >&2 && exit 3
    fi
    if [ "$2" = - ]; then
        cat "$file"
    elif ! ln -- "$part" "$2" 2>/dev/null; then
        # There is one by now, or this file system has no links.
        (set -C && : >"$2") || exit 1
        mv -f -- "$part" "$2" || exit 2
    fi
)

# papo_at WHEN TO [text...]: has the server send the text later, and prints the number under which
# it waits (AT lists these, AT DEL cancels one). WHEN is +SECONDS or a time as in RFC 3339, such as
# "$(date -u -d 9:00 +%FT%TZ)".
papo_at() (
    case ${1-} in
    '' | *[!0-9TZtz:+.-]*) echo 'papo_at: WHEN TO [text...], WHEN is +SECONDS or 2026-01-01T09:00:00Z' >&2 && exit 2 ;;
    esac
    when=$1 to=$(papo_name "${2-}") || exit 2
    shift 2
    papo_put AT "AT $when MSG $to" "$@"
)

# papo_unless ID delivered|read|answered SECONDS TO [text...]: has the server send the text to TO
# after that time, unless everyone has received (read) your message ID by then, or somebody has
# answered it. Prints a number like papo_at.
papo_unless() (
    papo_is_state "${1-}" "${2-}" "${3-}" || {
        echo 'papo_unless: ID delivered|read|answered SECONDS TO [text...]' >&2 && exit 2
    }
    command="UNLESS $1 $2 $3" to=$(papo_name "${4-}") || exit 2
    shift 4
    papo_put UNLESS "$command MSG $to" "$@"
)

# papo_expire TO SECONDS: what is sent there from now on is deleted after that time, of 60 seconds to
# a year; - ends that.
papo_expire() (
    case ${2-} in
    -) ;;
    '' | *[!0-9]*) echo 'papo_expire: TO SECONDS|-' >&2 && exit 2 ;;
    esac
    to=$(papo_name "$1") || exit 2
    papo_do EXPIRE "EXPIRE $to $2" >/dev/null
)

# papo_flag TO mute|pin|archive|unread [SECONDS|off]: flags a conversation for the clients of this
# account, for so long or for good, or takes the flag away.
papo_flag() (
    case ${2-}/${3-} in
    mute/* | pin/* | archive/* | unread/*) ;;
    *) echo 'papo_flag: TO mute|pin|archive|unread [SECONDS|off]' >&2 && exit 2 ;;
    esac
    case ${3-} in
    '' | off) ;;
    *[!0-9]*) echo 'papo_flag: TO mute|pin|archive|unread [SECONDS|off]' >&2 && exit 2 ;;
    esac
    to=$(papo_name "$1") || exit 2
    papo_do FLAG "FLAG $to $2${3:+ $3}" >/dev/null
)

# papo_rows COMMAND: prints the rows of the reply to a command such as `HIST bob 20`, `MARKS 17` or
# `AT`, one line each.
papo_rows() (
    case ${1-} in
    '' | *[[:cntrl:]]*) echo 'papo_rows: COMMAND, on one line' >&2 && exit 2 ;;
    esac
    papo_do rows "$1"
)

# papo_search TO|- WORDS...: prints the newest 50 messages in which words begin like these, in the
# conversation with TO or in all of yours, as rows of HIST, the oldest first.
papo_search() (
    to=-
    [ "${1-}" = - ] || to=$(papo_name "${1-}") || exit 2
    shift
    words=$(papo_escape "$@") found='' before='' left=50
    # The server says how far it got when it has looked for a while.
    while [ "$left" -gt 0 ]; do
        page=$(papo_do all "HIST $to $left$before with $words") || exit $?
        ok=${page##*"
"}
        rows=${page%"$ok"}
        found=$rows$found before=" before ${ok##* }"
        count=${ok#OK HIST } && left=$((left - ${count%% *}))
        case $ok in *' end') break ;; esac
    done
    printf %s "$found"
)

# papo_wait ID delivered|read|answered SECONDS: waits until everyone has received (read) your
# message ID, or somebody has answered it; status 5 if that takes longer.
papo_wait() (
    papo_is_state "${1-}" "${2-}" "${3-}" || {
        echo 'papo_wait: ID delivered|read|answered SECONDS' >&2 && exit 2
    }
    login=$(papo_login quiet) || exit 2
    printf '%s\nWAIT %s %s %s\nQUIT\n' "$login" "$1" "$2" "$3" |
        papo_nc $((${PAPO_TIMEOUT:-20} + $3)) | papo_answer WAIT >/dev/null
)

# papo_receive [live] [own] [react]: prints every message from others as it comes, one protocol line
# each (MSG id time from to tags body), and acknowledges it once it is printed: what a pipe holds when
# its reader ends is acknowledged, too. To take one message of several, `papo tail --count 1`. With `live`,
# messages that were already waiting are acknowledged and not printed: for a bot that acts on what
# it reads. With `own`, it also prints what this account wrote in other sessions. With `react`, it
# also prints reactions (REACT id time from to re=ID word).
#
# It ends with status 3 when the server says BYE or is lost. OpenBSD's nc does not end with its
# server while its input is open, and a machine that loses power says nothing; so a PING is sent
# every PAPO_PING seconds, and silence until the next one ends nc. It ends with status 0 when nobody
# reads its output any more, and within PAPO_PING seconds when the script has ended.
papo_receive() (papo_receiving "$@")

# Internal functions follow.

# papo_receiving [live] [own] [react]: papo_receive in this shell, which ends with it: for a script
# that runs it in the background, so that $! is the process to end.
papo_receiving() {
    skip='' own='' wanted='/MSG/'
    for word; do
        case $word in
        live) skip=yes ;;
        own) own=yes ;;
        react) wanted='/MSG/REACT/' ;;
        *) echo 'papo_receive: [live] [own] [react]' >&2 && exit 2 ;;
        esac
    done
    login=$(papo_login) || exit 2
    here=$(mktemp -d "${TMPDIR:-/tmp}/papo.XXXXXX") || exit 2
    nc='' watch=''
    # Both are ids of children that have not been waited for, so no other process can have them. Of
    # a child that ends during the trap bash 5.2 may say that it has no record.
    trap '{ kill $watch $nc || :; rm -rf "$here"; } 2>/dev/null' EXIT
    trap 'exit 143' HUP INT TERM
    trap '' PIPE
    mkfifo "$here/in" "$here/out" && : >"$here/came" && : >"$here/busy" || exit 2
    papo_nc <"$here/in" >"$here/out" &
    nc=$!
    exec 3>"$here/in" 4<"$here/out"
    papo_watch "$here" "$nc" >/dev/null 4<&- &
    watch=$!
    printf '%s\n' "$login" >&3 2>/dev/null
    me='' met=''
    while IFS=' ' read -r verb id time from to tags body <&4; do
        # Appended: a file that is overwritten is empty for a moment.
        echo line >>"$here/came"
        case $verb in
        HELLO) met=yes ;;
        OK) [ "$id" != LOGIN ] || me=$time ;;
        LIVE) skip='' ;;
        MSG | GROUP | EXPIRE | EDIT | DEL | REACT | GONE)
            # What AT and UNLESS put into one's notes waits like a message from another.
            case $from/$to/$tags in
            "$me/$me/"*late=*) mine='' ;;
            "$me"/*) mine=yes ;;
            *) mine='' ;;
            esac
            [ -z "$mine" ] || [ -n "$own" ] || continue
            show=
            case $wanted in *"/$verb/"*) [ -n "$skip" ] || show=yes ;; esac
            if [ -n "$show" ]; then
                # A slow reader does not mean that the server is gone.
                echo printing >>"$here/busy"
                printf '%s\n' "$verb $id $time $from $to $tags $body" 2>/dev/null || exit 0
                echo printed >>"$here/came"
                : >"$here/busy"
            fi
            [ -n "$mine" ] || printf 'ACK %s\n' "$id" >&3 2>/dev/null || exit 3
            ;;
        ERR)
            printf '%s\n' "$verb $id $time $from $to $tags $body" >&2
            [ "$id" != LOGIN ] || { [ "$time" = wrong-secret ] && exit 4 || exit 1; }
            ;;
        BYE) printf 'papo_receive: %s\n' "BYE $id" >&2 && exit 3 ;;
        esac
    done
    if [ -n "$met" ]; then
        echo 'papo_receive: the server is gone' >&2
    else
        printf 'papo_receive: no answer from %s\n' "${PAPO_SERVER:-127.0.0.1:7276}" >&2
    fi
    exit 3
}

# papo_watch FOLDER NC: ends the process NC when the server has been silent for too long, or the
# script has ended ($$ is the script, here too). Files in FOLDER show what came, and whether it is
# being printed.
papo_watch() {
    nap=''
    trap '[ -z "$nap" ] || kill "$nap" 2>/dev/null; exit' TERM
    trap - EXIT
    while kill -0 $$; do
        : >"$1/came"
        echo PING >&3 || break
        sleep "${PAPO_PING:-30}" &
        nap=$!
        wait "$nap"
        nap=''
        [ -s "$1/came" ] || [ -s "$1/busy" ] || break
    done 2>/dev/null
    kill "$2" 2>/dev/null
}

# papo_base64: standard input as Base64, in long lines where base64 can do that.
papo_base64() {
    if base64 -w 48000 </dev/null >/dev/null 2>&1; then base64 -w 48000; else base64; fi
}

# papo_utf8: standard input without anything that is not UTF-8 (without iconv, not ASCII).
papo_utf8() {
    if command -v iconv >/dev/null; then
        # Through UTF-16, which cannot encode what some versions let pass: code points above
        # U+10FFFF. iconv's complaints about what it left out are dropped.
        { iconv -c -f UTF-8 -t UTF-16LE | iconv -c -f UTF-16LE -t UTF-8; } 2>/dev/null || :
    else
        LC_ALL=C tr -d '\200-\377'
    fi
}

# papo_name NAME: NAME as the protocol writes it, if it is valid.
papo_name() {
    case ${1-} in
    '') echo 'papo: no recipient given' >&2 && return 2 ;;
    *[!A-Za-z0-9._#+-]*) printf 'papo: %s is not a handle or #group\n' "$1" >&2 && return 2 ;;
    +*) printf '#%s\n' "${1#+}" ;;
    *) printf '%s\n' "$1" ;;
    esac
}

# papo_is_id ID: whether it can be the id of a message.
papo_is_id() {
    case $1 in
    '' | *[!0-9]*) return 1 ;;
    esac
}

# papo_is_state ID STATE SECONDS: whether these are what WAIT and UNLESS take.
papo_is_state() {
    papo_is_id "$1" && papo_is_id "$3" || return 1
    case $2 in
    delivered | read | answered) ;;
    *) return 1 ;;
    esac
}

# papo_login [quiet]: the line that logs in, once server and account are known.
papo_login() (
    [ -n "${PAPO_AS-}" ] || { echo 'papo: PAPO_AS is not set; it names the account' >&2 && exit 2; }
    all=${PAPO_SERVER:-127.0.0.1:7276},
    while [ -n "$all" ]; do
        server=${all%%,*} all=${all#*,}
        port=${server##*:}
        case $server in
        unix:?*) port=0 ;;
        ?*:*) ;;
        *) port='' ;;
        esac
        case $port in
        '' | *[!0-9]*)
            printf 'papo: PAPO_SERVER is %s; expected host:port or unix:/path\n' "$PAPO_SERVER" >&2
            exit 2
            ;;
        esac
    done
    secret=${PAPO_SECRET-}
    if [ -z "$secret" ] && [ -n "${PAPO_SECRET_FILE-}" ]; then
        IFS= read -r secret <"$PAPO_SECRET_FILE" || [ -n "$secret" ] || exit 2
    fi
    # Without it, quiet would be taken for the secret.
    [ -n "$secret" ] || [ -z "${1-}" ] || secret=-
    printf '%s\n' "LOGIN $PAPO_AS${secret:+ $secret}${1:+ $1}"
)

# papo_server: the first of the servers that greets, or the last one.
papo_server() (
    all=${PAPO_SERVER:-127.0.0.1:7276}
    while server=${all%%,*} && [ "$all" != "$server" ]; do
        case $(echo QUIT | papo_nc 5 "$server" 2>/dev/null) in
        HELLO*) all=$server ;;
        *) all=${all#*,} ;;
        esac
    done
    printf '%s\n' "$server"
)

# papo_nc [SECONDS [SERVER]]: runs nc in place of a subshell, and ends it after that time if there is
# `timeout`.
papo_nc() {
    IFS=' '
    server=${2:-$(papo_server)} limit=
    [ -z "${1-}" ] || ! command -v timeout >/dev/null || limit="timeout $1"
    case $server in
    unix:*) set -- -U "${server#unix:}" ;;
    *)
        set -- "${server%:*}" "${server##*:}"
        case $1 in '['*']') server=${1#?} && set -- "${server%?}" "$2" ;; esac
        ;;
    esac
    # shellcheck disable=SC2086 # Words on purpose.
    exec $limit ${PAPO_NC:-nc} "$@"
}

# papo_put VERB COMMAND [text...]: sends a text after this command, which is answered with OK VERB.
papo_put() {
    verb=$1 command=$2
    shift 2
    if [ "$*" = - ]; then shift; fi
    # Read all of it before connecting, because an idle connection is closed after a while.
    text=$(papo_escape "$@")
    papo_do "$verb" "$command $text"
}

# papo_do VERB|rows|all COMMAND: sends a command; papo_answer says what is printed.
papo_do() {
    login=$(papo_login quiet) || exit 2
    # With QUIT as the last line, every nc ends.
    printf '%s\n%s\nQUIT\n' "$login" "$2" | papo_nc "${PAPO_TIMEOUT:-20}" | papo_answer "$1"
}

# papo_answer VERB|rows|all: reads replies to their end; status 0 if OK VERB was among them, and
# prints the word after it. With `rows`, it prints all rows, and any OK will do but those of LOGIN
# and QUIT; with `all`, that OK too. The first ERR is the one that says why.
papo_answer() (
    wanted=$1 status=3
    while IFS=' ' read -r first verb rest; do
        case $first in
        OK)
            case $wanted/$verb in
            rows/LOGIN | rows/QUIT | all/LOGIN | all/QUIT) ;;
            rows/*) status=0 ;;
            all/*) status=0 && printf '%s\n' "OK $verb${rest:+ $rest}" ;;
            "$verb/$verb") status=0 && printf '%s\n' "${rest%% *}" ;;
            esac
            ;;
        HELLO) ;;
        ERR | BYE)
            if [ "$status" != 3 ] || [ "$verb" = quit ]; then continue; fi
            printf '%s\n' "$first $verb${rest:+ $rest}" >&2
            case "$first $verb $rest" in
            'ERR LOGIN wrong-secret'*) status=4 ;;
            'ERR WAIT timeout'*) status=5 ;;
            ERR*) status=1 ;;
            esac
            ;;
        *) case $wanted in rows | all) printf '%s\n' "$first $verb${rest:+ $rest}" ;; esac ;;
        esac
    done
    [ "$status" != 3 ] || printf 'papo: no answer from %s\n' "${PAPO_SERVER:-127.0.0.1:7276}" >&2
    exit "$status"
)
