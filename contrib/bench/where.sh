#!/bin/sh
# Where the time of a message goes: where.sh [SCENARIO]
#
# Runs a scenario of the benchmark (`send` if none is named) twice under perf. First it prints each
# thread's share of the server's CPU time, and that of each step of a message, with everything it calls,
# by function name; then the number of system calls per confirmed message. It needs perf and the right
# to trace (root), and takes two minutes, most of them for the build.
set -eu

scenario=${1:-send}
cd "$(dirname "$0")/../.."
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT INT TERM

# Names for perf; frame pointers, so that it sees who called.
export CARGO_PROFILE_BENCH_DEBUG=line-tables-only CARGO_TARGET_DIR=target/where
export RUSTFLAGS='-C force-frame-pointers=yes' CFLAGS='-fno-omit-frame-pointer'
cargo bench --bench bench --no-run 2>&1 | tail -n 1

# Starts the scenario, and waits until its papod is running and under load.
begin() {
    cargo bench --bench bench -- --fresh --runs 1 "$scenario" >"$kept/table" 2>"$kept/said" &
    until server=$(pgrep -n -f '^[^ ]*where/release/papod '); do sleep 0.1; done
    sleep 1
}

begin
perf record -q -e cpu-clock -F 2500 -g -p "$server" -o "$kept/perf" -- sleep 3 >/dev/null 2>&1
wait
grep -E "server CPU each|messages confirmed  " "$kept/table" | head -n 2
perf report -i "$kept/perf" --no-children -g none --sort comm,dso 2>/dev/null |
    grep -E '^ +[0-9]' | head -n 8
perf report -i "$kept/perf" --children -g none --sort comm,sym --percent-limit 0.5 2>/dev/null |
    grep -E '__send|__libc_recv|Poller|take_acts|write_output|Chat::decide|HubState|SqliteWriter|sqlite3_step|WalFrames|fdatasync|WalCheckpoint|wake|__schedule'

begin
calls='sendto recvfrom epoll_pwait epoll_ctl timerfd_settime read futex pwrite64 pread64 fcntl fdatasync'
# shellcheck disable=SC2046,SC2086 # a word each
perf stat -x ' ' -o "$kept/calls" -p "$server" \
    $(printf -- '-e syscalls:sys_enter_%s ' $calls) -- sleep 3
wait
awk 'FNR == 1 { part++ }
    part == 1 && /messages confirmed  / && !rate {
        gsub(",", "")
        for (i = 1; i < NF; i++) if ($i == "/s") rate = $(i + 1)
    }
    part == 2 && /syscalls:/ { sub("syscalls:sys_enter_", ""); printf "%-16s %5.3f\n", $2, $1 / (3 * rate) }
' "$kept/table" "$kept/calls"
