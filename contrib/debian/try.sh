#!/usr/bin/env bash
# try.sh: makes the Debian package and tries it in a clean Debian, in which nothing else is.
#
#   contrib/debian/try.sh        in this machine's Debian, as root or with sudo, in one to four minutes
#
# It needs cargo, debootstrap, lintian and ip(8), and installs cargo-deb below target/ if it is not
# there. The Debian is a folder that goes away at the end, with a network of its own that has only
# loopback. The package is installed there, where no systemd runs; papod is started as the unit
# says, by the user that the package has made; one account sends a message to another with the
# packaged papo; then all is removed, and purged. Whatever is not as it should be ends it with a
# status that is not 0. The package is left in target/debian.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf -- '--- %s\n' "$*"; }
fail() {
    printf 'try.sh: %s\n' "$*" >&2
    exit 1
}
is() { [ "$2" = "$3" ] || fail "$1: expected $(printf %q "$2"), got $(printf %q "$3")"; }

build() {
    local tools=$PWD/target/cargo-deb
    if ! [ -x "$tools/bin/cargo-deb" ]; then
        say "installing cargo-deb"
        cargo install --quiet --locked cargo-deb@3.8.0 --root "$tools" --target-dir "$tools/target"
        rm -r "$tools/target"
    fi
    say "making the package"
    package=$(PATH="$tools/bin:$PATH" cargo deb --quiet --locked | tail -n 1)
    # The two are for packages that go into Debian itself; all else has to be mended.
    say "lintian"
    lintian --fail-on error,warning --suppress-tags \
        initial-upload-closes-no-bugs,description-synopsis-starts-with-article \
        --allow-root "$package"
}

# A clean Debian in $root, of the release and from the mirror that this machine has.
make_root() {
    local release mirror
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    # shellcheck disable=SC2016 # apt-get's own variables
    mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' |
        awk -v release="$release" '$2 == release { print $1; exit }')
    [ -n "$mirror" ] || fail "apt knows no mirror of $release"
    say "a clean $release from $mirror"
    # With what the package depends on, so that dpkg alone can install it.
    debootstrap --variant=minbase --include=systemd "$release" "$root" "$mirror" >"$work/debootstrap" ||
        { tail -n 20 "$work/debootstrap" >&2 && fail "no Debian could be made"; }
    # What debootstrap has fetched would be in the way of nobody, but it is no part of a system.
    rm -f "$root"/var/cache/apt/archives/*.deb
    # Debian's installer writes it, not debootstrap.
    echo '127.0.0.1 localhost' >"$root/etc/hosts"
}

# A command there, with an environment of its own. No function, so that what runs in the background
# is the command itself.
inside=(
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp
    LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PAPO_SECRET=secret-of-both chroot
)
dpkg_says() { "${inside[@]}" "$root" dpkg "$@" >"$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2 && fail "dpkg $*"; }; }

# All that is there: its kind, mode and owner, its name, and what is in it.
listing() {
    (cd "$root" && find . -xdev -regex '\./\(proc\|sys\|dev\|run\|tmp\)' -prune \
        -o -type f -printf '%M %U:%G %p ' -exec sh -c 'sha256sum <"$1"' sh {} \; \
        -o -printf '%M %U:%G %p %l\n' | LC_ALL=C sort -k3)
}

# What differs between two listings, by name, but for what dpkg itself writes down.
changed() {
    { diff "$1" "$2" || true; } | awk '/^[<>]/ { print $4 }' | LC_ALL=C sort -u |
        grep -Ev '^\./(var/lib/dpkg|var/log/dpkg\.log|var/log/alternatives\.log)' || true
}

try_installing() {
    say "installing"
    cp "$package" "$root/tmp/papo.deb"
    listing >"$work/before"
    dpkg_says -i /tmp/papo.deb
    local unit wanted=$root/etc/systemd/system
    for unit in multi-user.target.wants/papod.service papod.service.wants/papod-admin.socket \
        sockets.target.wants/papod-{admin,plain,unix}.socket; do
        [ -L "$wanted/$unit" ] || fail "$unit is not enabled"
    done
    ! find "$wanted" | grep -q tls || fail "the TLS socket is enabled, and there is no certificate"
    "${inside[@]}" "$root" systemd-analyze verify --man=no papod.service papod-{admin,plain,unix,tls}.socket
    "${inside[@]}" "$root" systemd-analyze security --offline=true --threshold=25 papod.service |
        tail -n 1
    # What an operator enables has to go, too.
    "${inside[@]}" "$root" systemctl --quiet enable papod-tls.socket
    say "installing once more, over it"
    dpkg_says -i /tmp/papo.deb
}

try_papod() {
    local start line id user
    start=$(sed -n 's/^ExecStart=//p' "$root/lib/systemd/system/papod.service")
    user=$(sed -n 's/^User=//p' "$root/lib/systemd/system/papod.service")
    say "starting: $start"
    # systemd does so for StateDirectory=papo.
    "${inside[@]}" "$root" install -d -m 700 -o "$user" -g "$user" /var/lib/papo
    mkfifo "$work/log"
    # shellcheck disable=SC2086 # the words of a command
    "${inside[@]}" --userspec="$user:$user" "$root" $start 2>"$work/log" &
    papod=$!
    exec 3<"$work/log"
    while :; do
        read -r -t 20 line <&3 || fail "papod does not say that it listens"
        case $line in *"listening on 127.0.0.1:7276"*) break ;; esac
    done
    say "a message from ana to bob"
    "${inside[@]}" "$root" papo register --as ana
    "${inside[@]}" "$root" papo register --as bob
    id=$("${inside[@]}" "$root" papo send --as ana bob 'lunch at one?')
    is "its id" 1 "$id"
    line=$("${inside[@]}" "$root" papo hist ana --json --as bob)
    [[ $line == *'"from":"ana","to":"bob"'*'"body":"lunch at one?"'* ]] || fail "bob reads: $line"
    kill -TERM "$papod"
    local status=0
    wait "$papod" || status=$?
    papod=
    exec 3<&-
    is "papod's status" 0 "$status"
}

try_removing() {
    local left expected
    say "removing"
    dpkg_says -r papo
    for left in usr/bin/papo usr/bin/papod lib/systemd/system/papod.service; do
        ! [ -e "$root/$left" ] || fail "$left is still there"
    done
    for left in var/lib/papo/papo.db etc/papo/papod.env; do
        [ -e "$root/$left" ] || fail "$left is gone"
    done
    say "purging"
    dpkg_says -P papo
    listing >"$work/after"
    # The data, and the user whose it is; with what these files were before.
    expected=$(printf './%s\n' etc/{group,gshadow,passwd,shadow}{,-} \
        var/lib/papo{,/papo.db{,.generation}})
    left=$(changed "$work/before" "$work/after")
    printf '%s\n' "$left"
    is "what is left" "$expected" "$left"
    for left in group gshadow passwd shadow; do
        ! { diff "$work/etc/$left" "$root/etc/$left" | grep -v '^> papo:' | grep '^[<>]'; } ||
            fail "/etc/$left is another"
    done
}

# What has to be done as root, on $package.
try_it() {
    work=$(mktemp -d)
    root=$work/root
    trap 'umount -q "$root/proc" || true; rm -rf --one-file-system "$work"' EXIT
    make_root
    mount -t proc proc "$root/proc"
    mkdir "$work/etc"
    cp "$root"/etc/{group,gshadow,passwd,shadow} "$work/etc"
    try_installing
    # A network of its own, in which every port is free.
    unshare --net "$0" --talk "$work"
    try_removing
}

case ${1-} in
'')
    build
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    # What is mounted on the way is mounted for it alone.
    "${as_root[@]}" unshare --mount "$0" --try "$package"
    say "all is well: $(du -k "$package" | cut -f 1) KiB of $package"
    ;;
--try)
    package=$2
    try_it
    ;;
--talk)
    work=$2 root=$2/root papod=
    trap '[ -z "$papod" ] || { kill "$papod"; wait "$papod"; }' EXIT
    ip link set lo up
    try_papod
    ;;
*) fail "what is $1? Nothing is expected behind try.sh" ;;
esac
