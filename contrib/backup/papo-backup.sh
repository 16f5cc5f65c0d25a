#!/bin/sh
# papo-backup: a backup of a running papod, looked through, with older ones removed.
#
#   papo-backup            into the folder of backups: papo-backup.timer does this each night
#   papo-backup --stdout   to standard output, for another machine; nothing is kept here:
#
#       ssh root@chat papo-backup --stdout >papo.db.part && mv papo.db.part papo.db
#
# It asks papod over its operators' socket (ADMIN BACKUP), so papod goes on meanwhile, and holds the
# copy against all rules of a database (papod --check) before anything older goes. The newest backup
# of each of the last seven days stays, and that of each of the last four weeks. If something goes
# wrong nothing is removed, and the status is 1. papo-backup(8) has the variables.
set -eu
umask 077

folder=${PAPO_BACKUP_FOLDER:-/var/lib/papo/backups}
socket=${PAPO_BACKUP_SOCKET:-/run/papo-admin.sock}
days=${PAPO_BACKUP_DAYS:-7}
weeks=${PAPO_BACKUP_WEEKS:-4}

say() { printf 'papo-backup: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
usage() {
    echo 'usage: papo-backup [--stdout]' >&2
    exit 2
}

# number NAME VALUE: a number that keeps at least one.
number() {
    case $2 in
    *[!0-9]* | '' | 0*) say "$1=$2: expected a number from 1 on" && exit 2 ;;
    esac
}

# ask COMMAND: prints what papod answers to it. Not every nc knows Unix sockets.
ask() {
    for nc in nc.openbsd ncat nc; do
        ! command -v "$nc" >/dev/null || break
    done
    printf '%s\nQUIT\n' "$1" | "$nc" -U "$socket"
}

# make FILE: a backup with this name, looked through. One that is damaged stays, under another name.
make() {
    answer=$(ask "ADMIN BACKUP $1" | grep -E '^(OK|ERR) ADMIN ') ||
        fail "no answer from papod at $socket"
    case $answer in
    OK*) ;;
    *) fail "$answer" ;;
    esac
    if ! papod --check --db "$1" >&2; then
        mv "$1" "$1.damaged"
        fail "$1.damaged: not a sound database; older backups stay. ADMIN CHECK looks at papod's own"
    fi
}

# The names that need not stay, of those on standard input, newest first:
# papo-<year>-W<week>-<date>T<time>Z.db.
too_old() {
    awk -v days="$days" -v weeks="$weeks" '{
        week = substr($0, 6, 8)
        day = substr($0, 15, 8)
        stays = 0
        if (!(day in by_day)) { by_day[day]; if (++d <= days) stays = 1 }
        if (!(week in by_week)) { by_week[week]; if (++w <= weeks) stays = 1 }
        if (!stays) print
    }'
}

# papod goes first: a backup that would leave it less room than it took is not begun.
is_there_room() {
    newest=$(backups | head -n 1)
    [ -n "$newest" ] || return 0
    needed=$(du -k "$newest" | cut -f 1)
    free=$(df -Pk . | awk 'NR == 2 { print $4 }')
    [ "$free" -ge $((2 * needed)) ] ||
        fail "no backup: $free KiB are free in $folder, and $newest has $needed"
}

backups() { find . -maxdepth 1 -name 'papo-*-W*-*T*Z.db' | sed 's|^\./||' | sort -r; }

[ $# -le 1 ] || usage
number PAPO_BACKUP_DAYS "$days"
number PAPO_BACKUP_WEEKS "$weeks"
case ${1-} in
'')
    cd "$folder" || fail "$folder is where papod has to be able to write"
    is_there_room
    name=papo-$(date -u +%G-W%V-%Y%m%dT%H%M%SZ).db
    make "$folder/$name"
    backups | too_old | while IFS= read -r old; do rm "$old"; done
    say "$folder/$name: $(wc -c <"$name") bytes, checked; $(backups | wc -l) kept"
    ;;
--stdout)
    [ ! -t 1 ] || fail "standard output is a terminal; redirect it to a file or a pipe"
    cd "$folder" || fail "$folder is where papod has to be able to write"
    is_there_room
    name=stream-$$.db
    trap 'rm -f "$name"' EXIT
    trap 'exit 1' HUP INT TERM
    make "$folder/$name"
    cat "$name"
    ;;
*) usage ;;
esac
