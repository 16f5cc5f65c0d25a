#!/bin/sh
# Instructions that papo's wire code takes for one line of each kind, as a tab-separated table. Each
# kind is run twice under callgrind, the second time with twice as many lines: the difference leaves
# out the cost of starting.
#
#     contrib/bench/instructions.sh > contrib/bench/instructions.tsv
set -eu
cd "$(dirname "$0")/../.."
lines=20000

bench=$(cargo bench --bench bench --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')

# Instructions of one run.
run() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" --role wire 0 "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

printf 'line\tinstructions\n'
"$bench" --role wire 0 | while read -r kind; do
    once=$(run "$kind" "$lines")
    twice=$(run "$kind" "$((2 * lines))")
    printf '%s\t%s\n' "$kind" "$(((twice - once) / lines))"
done
