#!/bin/sh
# Starts three papods on one PostgreSQL with a synchronous standby, all on this machine, to see how
# they work together: nc localhost 7276, 7286 and 7296. Everything is in the folder that is named, or
# in $TMPDIR/papo-cluster; down.sh ends it and removes the folder. Nobody on this machine needs a
# password for that database, so this is for trying things out.
#
#   contrib/cluster/up.sh [FOLDER]
#
# PAPOD names the papod to start, which has to be built with --features postgres; PG_BIN where
# PostgreSQL's programs are; PG_PORT (55432) and the next are the servers' ports, PORT (7276) and
# those 10 and 20 above it the papods'.
set -eu

folder=${1:-${TMPDIR:-/tmp}/papo-cluster}
papod=${PAPOD:-papod}
pg=${PG_PORT:-55432}
port=${PORT:-7276}
bin=${PG_BIN:-}
if [ -z "$bin" ]; then
    for found in /usr/lib/postgresql/*/bin; do bin=$found; done
fi

fail() {
    printf 'up.sh: %s\n' "$*" >&2
    exit 1
}

[ -x "$bin/initdb" ] || fail "no PostgreSQL found: apt-get install postgresql, or set PG_BIN"
command -v "$papod" >/dev/null || fail "no papod found: set PAPOD"
[ ! -e "$folder" ] || fail "$folder is there already; down.sh removes it"
mkdir -p "$folder/run"
chmod 0755 "$folder" "$folder/run"

# PostgreSQL does not run as root.
as=
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$folder" "$folder/run"
    as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
fi

# Whatever fails, nothing is left running.
trap '[ $? = 0 ] || "$(dirname "$0")/down.sh" "$folder"' EXIT

$as "$bin/initdb" --username=papo --auth=trust --encoding=UTF8 --locale=C \
    --pgdata "$folder/primary" >"$folder/initdb.log"

serve() { # name, port, settings
    name=$1 at=$2
    shift 2
    $as "$bin/pg_ctl" -w -s -D "$folder/$name" -l "$folder/run/$name.log" \
        -o "-p $at -k $folder/run -c listen_addresses=127.0.0.1 $*" start
}

serve primary "$pg"
$as "$bin/pg_basebackup" -R --checkpoint=fast -D "$folder/standby" \
    -d "host=127.0.0.1 port=$pg user=papo application_name=standby"
serve standby $((pg + 1)) -c synchronous_standby_names=
$as "$bin/psql" -q -h 127.0.0.1 -p "$pg" -U papo -d postgres \
    -c "ALTER SYSTEM SET synchronous_standby_names = 'standby'" -c 'SELECT pg_reload_conf()' \
    -c 'CREATE DATABASE papo' >/dev/null

for n in 1 2 3; do
    at=$((port + 10 * (n - 1)))
    : >"$folder/run/papod$n.log"
    "$papod" --db "postgres://papo@127.0.0.1:$pg,127.0.0.1:$((pg + 1))/papo" \
        --listen "127.0.0.1:$at" --admin "$folder/run/admin$n.sock" \
        >>"$folder/run/papod$n.log" 2>&1 </dev/null &
    echo $! >"$folder/run/papod$n.pid"
    tries=0
    until grep -q 'listening on' "$folder/run/papod$n.log"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "papod $n does not start: $(tail -n 1 "$folder/run/papod$n.log")"
        sleep 0.1
    done
    echo "papod $n: nc localhost $at    log: $folder/run/papod$n.log"
done

cat <<END
Which one leads:    grep -l 'this node leads' $folder/run/papod*.log
End it:             kill -9 \$(cat $folder/run/papod1.pid)
End the primary:    $bin/pg_ctl -D $folder/primary -m immediate stop
Promote the other:  $bin/pg_ctl -D $folder/standby promote
End everything:     $(dirname "$0")/down.sh $folder
END
