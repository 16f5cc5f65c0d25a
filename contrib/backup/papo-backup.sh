#!/bin/sh
# papo-backup: makes and checks a backup of a running papod, and removes older ones.
#
#   papo-backup            into the folder of backups: papo-backup.timer does this each night
#   papo-backup --stdout   to standard output, for another machine; nothing is kept here:
#
#       ssh root@chat papo-backup --stdout >papo.db.part && mv papo.db.part papo.db
#
# It asks papod over its operators' socket (ADMIN BACKUP), so papod keeps running, and checks the copy
# (papod --check) before it removes anything older. The newest backup of each of the last seven days
# stays, and of each of the last four weeks. If something goes wrong, or the copy is of another database
# than the existing backups, nothing is removed, and the status is 1. Settings are in
# /etc/papo/backup.env, however this is started; papo-backup(8) lists them.
set -eu
umask 077

say() { printf 'papo-backup: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
wrong() {
    say "$*"
    exit 2
}
usage() {
    echo 'usage: papo-backup [--stdout]'
    echo 'Settings are in /etc/papo/backup.env; papo-backup(8) has them.'
}

folder=/var/lib/papo/backups socket=/run/papo-admin.sock days=7 weeks=4 limit=14400
settings=${PAPO_BACKUP_ENV:-/etc/papo/backup.env}

# The lines of the settings, NAME=VALUE, without comments, blanks around them and quotes.
lines() {
    sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' -e '/^$/d' -e '/^[#;]/d' \
        -e 's/[[:blank:]]*=[[:blank:]]*/=/' -e 's/="\(.*\)"$/=\1/' -e "s/='\(.*\)'\$/=\1/" "$settings"
}

read_settings() {
    [ -e "$settings" ] || return 0
    [ -r "$settings" ] || fail "$settings cannot be read; run this as root"
    while IFS= read -r line; do
        value=${line#*=}
        case $line in
        '') ;;
        PAPO_BACKUP_FOLDER=*) folder=$value ;;
        PAPO_BACKUP_SOCKET=*) socket=$value ;;
        PAPO_BACKUP_DAYS=*) days=$value ;;
        PAPO_BACKUP_WEEKS=*) weeks=$value ;;
        PAPO_BACKUP_LIMIT=*) limit=$value ;;
        *) wrong "$settings: $line: not a setting; papo-backup(8) has them" ;;
        esac
    done <<EOF
$(lines)
EOF
}

# number NAME VALUE: checks that it is a number, at least 1.
number() {
    case $2 in
    *[!0-9]* | '' | 0*) wrong "$1=$2: expected a number from 1 on" ;;
    esac
}

# ask SECONDS COMMAND: prints what papod answers within that time. If papod cannot start, systemd still
# holds its socket, and nobody answers. Not every nc knows Unix sockets.
ask() {
    for nc in nc.openbsd ncat nc; do
        ! command -v "$nc" >/dev/null || break
    done
    printf '%s\nQUIT\n' "$2" | timeout "$1" "$nc" -U "$socket"
}

# What papod --check says of a sound database: "3 accounts since …, 340 messages, newest id 345".
contents() {
    said=$(papod --check --db "$1") || return 1
    said=$(printf '%s\n' "$said" | grep ': sound; ') || return 1
    printf '%s' "${said##*: sound; }"
}

# make FILE: makes and checks a backup with this name; $made says what is in it. A damaged one is kept
# under another name.
make() {
    answer=$(ask "$limit" "ADMIN BACKUP $1" | grep -E '^(OK|ERR) ADMIN ') ||
        fail "papod did not finish a backup within $limit seconds, or has ended"
    case $answer in
    OK*) ;;
    *) fail "$answer" ;;
    esac
    made=$(contents "$1") || {
        mv "$1" "$1.damaged"
        [ ! -d "$1-files" ] || mv "$1-files" "$1.damaged-files"
        fail "$1.damaged: not a sound database; older backups stay. ADMIN CHECK looks at papod's own"
    }
}

# A name that sorts by time, papo-<year>-W<week>-<date>T<time>Z.db, at most one per second.
name() {
    while
        name=papo-$(date -u +%G-W%V-%Y%m%dT%H%M%SZ).db
        ls "$name"* >/dev/null 2>&1
    do
        sleep 1
    done
}

# Of the names on standard input, newest first, those that need not stay.
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

# papod comes first: a backup that could leave it without space is not started.
is_there_room() {
    stats=$(ask "$patience" 'ADMIN STATS' | grep -E '^(STAT|OK) ') ||
        fail "no answer from papod at $socket within $patience seconds; systemctl status papod says more"
    needed=$(printf '%s\n' "$stats" |
        awk '$2 ~ /^database_(log_)?bytes$/ { sum += $3 } END { printf "%.0f", sum / 1024 }')
    free=$(df -Pk . | awk 'NR == 2 { print $4 }')
    [ "$free" -ge $((2 * needed)) ] ||
        fail "no backup: $free KiB are free in $folder, and the database has $needed"
}

backups() { find . -maxdepth 1 -name 'papo-*-W*-*T*Z.db' | sed 's|^\./||' | sort -r; }

# What is in the newest sound backup. It is checked only if .newest does not already say.
previous() {
    if [ -r .newest ] && read -r name about <.newest && [ "$name" = "$(backups | head -n 1)" ]; then
        printf '%s' "$about"
        return
    fi
    backups | while IFS= read -r name; do
        ! contents "$folder/$name" 2>/dev/null || break
    done
}

# When the first account of a database was created, which identifies it; nothing if there is none yet.
first() {
    case $1 in
    *' since '*)
        first=${1#* since }
        printf '%s' "${first%%,*}"
        ;;
    esac
}

# is_of_same OLD NEW: whether NEW can be a later state of the same database as OLD.
is_of_same() {
    [ -n "$1" ] || return 0
    [ -z "$(first "$1")" ] || [ "$(first "$1")" = "$(first "$2")" ] || return 1
    [ "${1##* }" -le "${2##* }" ]
}

case $#,${1-} in
0, | 1,--stdout) ;;
1,--help | 1,-h)
    usage
    exit
    ;;
*)
    usage >&2
    exit 2
    ;;
esac
read_settings
folder=${PAPO_BACKUP_FOLDER:-$folder}
socket=${PAPO_BACKUP_SOCKET:-$socket}
days=${PAPO_BACKUP_DAYS:-$days}
weeks=${PAPO_BACKUP_WEEKS:-$weeks}
limit=${PAPO_BACKUP_LIMIT:-$limit}
number PAPO_BACKUP_DAYS "$days"
number PAPO_BACKUP_WEEKS "$weeks"
number PAPO_BACKUP_LIMIT "$limit"
patience=$((limit < 60 ? limit : 60))
cd "$folder" || fail "papod has to be able to write to $folder"
if [ $# = 1 ]; then
    [ ! -t 1 ] || fail "standard output is a terminal; redirect it to a file or a pipe"
    is_there_room
    name=stream-$$.db
    trap 'rm -rf "$name" "$name-files"' EXIT
    trap 'exit 1' HUP INT TERM
    make "$folder/$name"
    [ ! -d "$name-files" ] ||
        say "messages have files, which are not in this copy; OPERATING.md says how to copy them"
    cat "$name"
    exit
fi
is_there_room
old=$(previous)
name
make "$folder/$name"
if ! is_of_same "$old" "$made"; then
    mv "$name" "$name.other"
    [ ! -d "$name-files" ] || mv "$name-files" "$name.other-files"
    say "$folder/$name.other: $made"
    say "the newest backup there: $old"
    fail "this is another database, so no backup is removed; move the others away to start over"
fi
printf '%s %s\n' "$name" "$made" >.newest
backups | too_old | while IFS= read -r old; do rm -rf "$old" "$old-files"; done
say "$folder/$name: $(wc -c <"$name") bytes, checked; $(backups | wc -l) kept"
