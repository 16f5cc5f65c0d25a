#!/usr/bin/env bash
# try.sh: builds the two Debian packages and tries them in a clean, minimal Debian.
#
#   contrib/debian/try.sh        in this machine's Debian, as root or with sudo, in two to five minutes
#
# It needs cargo, debootstrap, lintian and ip(8), and installs cargo-deb below target/ if it is not
# there. The Debian is a folder that is removed at the end. First, without systemd running there, the
# packages are installed, removed and purged, and every file that differs afterwards must be accounted
# for. Then systemd is started in it, in namespaces of its own with only a loopback network, and each
# `shell` block of contrib/OPERATING.md is run unchanged, in the order of that page, with a fake ssh and
# test certificates. Anything wrong ends this with a status other than 0. The packages are left in
# target/debian.
# Text in single quotes is for the shells in there.
# shellcheck disable=SC2016
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf -- '--- %s\n' "$*"; }
fail() {
    printf 'try.sh: %s\n' "$*" >&2
    exit 1
}
is() { [ "$2" = "$3" ] || fail "$1: expected $(printf %q "$2"), got $(printf %q "$3")"; }
has() { [[ $2 == *"$3"* ]] || fail "$1: expected $(printf %q "$3") in $(printf %q "$2")"; }

build() {
    local tools=$PWD/target/cargo-deb
    if ! [ -x "$tools/bin/cargo-deb" ]; then
        say "installing cargo-deb"
        cargo install --quiet --locked cargo-deb@3.8.0 --root "$tools" --target-dir "$tools/target"
        rm -r "$tools/target"
    fi
    say "making the packages"
    client=$(PATH="$tools/bin:$PATH" cargo deb --quiet --locked | tail -n 1)
    server=$(PATH="$tools/bin:$PATH" cargo deb --quiet --locked --variant papod | tail -n 1)
    # That tag is for packages in Debian itself; all others must be fixed.
    say "lintian"
    lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs \
        --allow-root "$client" "$server"
}

# A clean Debian in $root, of this machine's release and from its mirror.
make_root() {
    local release mirror
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' |
        awk -v release="$release" '$2 == release { print $1; exit }')
    [ -n "$mirror" ] || fail "apt knows no mirror of $release"
    say "a clean $release from $mirror"
    # With everything that the packages depend on and recommend, because there is no network later.
    debootstrap --variant=minbase --include=systemd,netcat-openbsd,ca-certificates "$release" "$root" "$mirror" >"$work/debootstrap" ||
        { tail -n 20 "$work/debootstrap" >&2 && fail "no Debian could be made"; }
    # The packages that debootstrap fetched would harm nobody, but they are not part of a system.
    rm -f "$root"/var/cache/apt/archives/*.deb
    # Debian's installer writes it, not debootstrap.
    echo '127.0.0.1 localhost chat.example.org' >"$root/etc/hosts"
}

# Runs a command there, with a clean environment, without systemd.
inside=(
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp
    LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot
)
dpkg_says() { "${inside[@]}" "$root" dpkg "$@" >"$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2 && fail "dpkg $*"; }; }

# Lists everything there: type, mode and owner, name, and content.
listing() {
    (cd "$root" && find . -xdev -regex '\./\(proc\|sys\|dev\|run\|tmp\)' -prune \
        -o -type f -printf '%M %U:%G %p ' -exec sh -c 'sha256sum <"$1"' sh {} \; \
        -o -printf '%M %U:%G %p %l\n' | LC_ALL=C sort -k3)
}

# The names that differ between two listings, except dpkg's own records.
changed() {
    { diff "$1" "$2" || true; } | awk '/^[<>]/ { print $4 }' | LC_ALL=C sort -u |
        grep -Ev '^\./(var/lib/dpkg|var/log/dpkg\.log|var/log/alternatives\.log)' || true
}

# Installs and removes the packages without systemd: every change must be accounted for.
try_installing() {
    say "installing the client alone"
    mkdir "$work/etc"
    cp "$root"/etc/{group,gshadow,passwd,shadow} "$work/etc"
    cp "$client" "$root/root/papo_1_all.deb"
    cp "$server" "$root/root/papod_1_all.deb"
    listing >"$work/before"
    dpkg_says -i /root/papo_1_all.deb
    ! [ -e "$root/usr/bin/papod" ] || fail "the client's package brings a server"
    ! [ -e "$root/etc/papo" ] || fail "the client's package brings settings of a server"
    "${inside[@]}" "$root" papo --version

    say "installing the server"
    dpkg_says -i /root/papod_1_all.deb
    local unit wanted=$root/etc/systemd/system
    for unit in multi-user.target.wants/papod.service papod.service.wants/papod-admin.socket \
        sockets.target.wants/papod-{admin,plain,unix}.socket timers.target.wants/papo-backup.timer; do
        [ -L "$wanted/$unit" ] || fail "$unit is not enabled"
    done
    ! find "$wanted" | grep -qE 'tls|http' || fail "a socket is enabled that an operator has to enable"
    "${inside[@]}" "$root" systemd-analyze verify --man=no papod.service papod-{admin,plain,unix,tls,http,https}.socket \
        papo-backup.{service,timer}
    for unit in papod papo-backup; do
        "${inside[@]}" "$root" systemd-analyze security --offline=true --threshold=25 "$unit.service" |
            tail -n 1
    done
    # What an operator enables must go too.
    "${inside[@]}" "$root" systemctl --quiet enable papod-{tls,http,https}.socket
    say "installing once more, over it"
    dpkg_says -i /root/papod_1_all.deb /root/papo_1_all.deb

    local left expected
    say "removing"
    dpkg_says -r papo papod
    for left in usr/bin/papo usr/bin/papod usr/sbin/papo-backup lib/systemd/system/papod.service; do
        ! [ -e "$root/$left" ] || fail "$left is still there"
    done
    [ -e "$root/etc/papo/papod.env" ] || fail "the settings are gone"
    say "purging"
    dpkg_says -P papo papod
    listing >"$work/after"
    # The user papo stays, and so do the copies of these files that its creation left.
    expected=$(printf './%s\n' etc/{group,gshadow,passwd,shadow}{,-})
    left=$(changed "$work/before" "$work/after")
    printf '%s\n' "$left"
    is "what is left" "$expected" "$left"
    for left in group gshadow passwd shadow; do
        ! { diff "$work/etc/$left" "$root/etc/$left" | grep -v '^> papo:' | grep '^[<>]'; } ||
            fail "/etc/$left is another"
    done
}

# Starts systemd there, and waits until it is up. $init is its process.
start_system() {
    say "starting systemd"
    unshare --mount --pid --net --cgroup --ipc --uts --fork --kill-child \
        "$0" --boot "$root" >"$work/boot" 2>&1 &
    system=$!
    local patience
    for patience in {1..150}; do
        init=$(pgrep -P "$system" || true)
        if [ -n "$init" ] && in_system systemctl is-system-running --wait >"$work/state" 2>&1; then return; fi
        # Until then it is unshare or this script, or nobody answers yet.
        kill -0 "$system" 2>/dev/null || break
        sleep 0.2
    done
    cat "$work/boot" "$work/state" >&2
    fail "systemd does not start, after $patience tries"
}

# Stops it, and waits until none of its processes holds a file there.
end_system() {
    [ -n "$system" ] || return 0
    # unshare itself does not listen to SIGTERM; systemd dies with it.
    kill -KILL "$system" || true
    wait "$system" 2>/dev/null || true
    while [ -n "$init" ] && kill -0 "$init" 2>/dev/null; do sleep 0.1; done
}

in_system() {
    nsenter -t "$init" --mount --pid --net --uts --ipc --cgroup --root --wd \
        env -i -C /root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive HOST=chat.example.org "$@" </dev/null
}

# Runs a block of the operator's guide; $said is its output.
block() {
    local text
    text=$(awk -v fence="\`\`\`shell $1" '$0 == "```" { here = 0 } here; $0 == fence { here = 1 }' \
        contrib/OPERATING.md)
    [ -n "$text" ] || fail "OPERATING.md has no block $1"
    say "OPERATING.md: $1"
    blocks+=("$1")
    said=$(in_system "${@:2}" bash -euo pipefail -c "$text" 2>&1) || {
        printf '%s\n' "$said" >&2
        in_system journalctl -b --no-pager -n 30 >&2
        fail "the block $1 fails"
    }
    printf '%s\n' "$said" | tail -n 5
}

# Sends commands over the operators' socket, and prints the answers.
operator() { in_system sh -c 'printf "%s\nQUIT\n" "$1" | nc -U /run/papo-admin.sock' sh "$1"; }

# A certificate where certbot puts it, from an authority that the system trusts.
certify() {
    in_system bash -euc '
        live=/etc/letsencrypt/live/$HOST ca=/root/ca
        mkdir -p "$live" && umask 077
        if ! [ -e "$ca.pem" ]; then
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                -subj "/CN=an authority" -keyout "$ca.key" -out "$ca.pem"
            install -m 644 "$ca.pem" /usr/local/share/ca-certificates/ours.crt
            update-ca-certificates
        fi
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$HOST" \
            -keyout "$live/privkey.pem" -out "$live/request.pem"
        openssl x509 -req -in "$live/request.pem" -CA "$ca.pem" -CAkey "$ca.key" -days 1 \
            -set_serial "$1" -out "$live/fullchain.pem" \
            -extfile <(printf "subjectAltName=DNS:%s\nbasicConstraints=CA:FALSE\n" "$HOST")
    ' certify "$1" >"$work/certify" 2>&1 || { cat "$work/certify" >&2 && fail "no certificate"; }
}

served_serial() {
    in_system sh -c 'openssl s_client -connect "$HOST:7277" </dev/null 2>/dev/null |
        openssl x509 -noout -serial'
}

runs() { is "the state of $1" "${2-active}" "$(in_system systemctl is-active "$1" || true)"; }

# papod.env with a mistake in it, and then without.
try_a_wrong_setting() {
    say "a wrong setting, mended"
    in_system cp -p /etc/papo/papod.env /root/papod.env
    local slip said
    while IFS='|' read -r slip said; do
        in_system cp -p /root/papod.env /etc/papo/papod.env
        in_system sh -c 'echo "$1" >>/etc/papo/papod.env' sh "$slip"
        ! in_system systemctl restart papod 2>/dev/null || fail "papod starts with a wrong setting"
        has "the journal" "$(in_system journalctl -u papod -o cat --no-pager)" "$said"
    done <<EOF
export PAPOD_REGISTRATION=closed|leave out "export"
REGISTRATION=closed|unknown variable REGISTRATION; did you mean PAPOD_REGISTRATION?
PAPOD_REGISTRATION=closd|PAPOD_REGISTRATION=closd: expected open, invite or closed
EOF
    in_system sh -c 'printf "PING still here\nQUIT\n" | nc localhost 7276' >"$work/waited" &
    local client=$! restarts
    # More often than systemd's usual limit on starts.
    for restarts in {1..7}; do
        ! in_system systemctl restart papod 2>/dev/null || fail "restart $restarts succeeds"
    done
    for restarts in plain unix admin; do runs "papod-$restarts.socket"; done
    in_system cp -p /root/papod.env /etc/papo/papod.env
    in_system systemctl restart papod
    runs papod.service
    wait "$client" || fail "a client that waited is turned away"
    has "a client that waited" "$(cat "$work/waited")" "OK PING still here"
}

# A backup can only be where an operator would look for it.
try_places_of_backups() {
    say "places of backups"
    local place
    for place in /tmp /var/tmp /var/backups /root /home; do
        has "a backup into $place" "$(operator "ADMIN BACKUP $place/b.db")" \
            "ERR ADMIN storage backup failed: cannot write to $place: "
    done
    has "its advice" "$(operator "ADMIN BACKUP /tmp/b.db")" "; papod may write below /var/lib/"
    has "a backup" "$(operator "ADMIN BACKUP /var/lib/papo/b.db")" "OK ADMIN BACKUP "
    in_system test -s /var/lib/papo/b.db
}

# Upgrades from the single package with both programs to the two.
try_upgrading_from_one() {
    say "from the single package to two"
    local old=$work/old
    dpkg-deb -R "$client" "$old"
    dpkg-deb -R "$server" "$work/papod"
    cp -a "$work/papod/." "$old"
    sed -i -e 's/^Package: .*/Package: papo/' -e 's/^Version: .*/Version: 0.1.0-1/' \
        -e '/^Breaks:/d' -e '/^Replaces:/d' -e '/^Recommends:/d' "$old/DEBIAN/control"
    rm -f "$old/DEBIAN/md5sums"
    dpkg-deb --root-owner-group -Zgzip -b "$old" "$root/root/old.deb" >"$work/dpkg"
    in_system dpkg -i /root/old.deb >"$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2 && fail "no old package"; }
    runs papod.service
    operator 'ADMIN USER NEW dora secret-d' >/dev/null
    in_system sh -c 'echo PAPOD_KEEP=9 >>/etc/papo/papod.env'
    local before
    before=$(in_system systemctl show -p MainPID papod)
    in_system sh -c 'apt-get install -y ./papod_*.deb ./papo_*.deb' >"$work/dpkg" 2>&1 ||
        { cat "$work/dpkg" >&2 && fail "no way from the single package to two"; }
    runs papod.service
    [ "$before" != "$(in_system systemctl show -p MainPID papod)" ] || fail "the old papod still runs"
    is "the settings" PAPOD_KEEP=9 "$(in_system tail -n 1 /etc/papo/papod.env)"
    in_system env PAPO_SECRET=secret-d papo send --as dora dora hello
    is "who has them" papod "$(in_system dpkg -S /etc/papo/papod.env | cut -d : -f 1)"
}

try_operating() {
    local blocks=() said backup before
    start_system
    in_system sh -c 'printf "#!/bin/sh\nshift\nexec \"\$@\"\n" >/usr/local/bin/ssh; chmod 755 /usr/local/bin/ssh'
    block install
    has "nc" "$said" "OK PING are you there"
    try_a_wrong_setting
    try_places_of_backups
    block check
    has "what is there" "$said" "papo.db: sound; 0 accounts, "
    has "who reads the settings" "$said" "papo, who owns the database, can read the files"

    certify 1
    block tls
    is "the certificate" serial=01 "$(served_serial)"
    is "the key" '-rw-------' "$(in_system sh -c 'stat -c %A /etc/letsencrypt/live/$HOST/privkey.pem')"
    block renew
    certify 2
    in_system /etc/letsencrypt/renewal-hooks/deploy/papod
    is "the certificate, renewed" serial=02 "$(served_serial)"
    block accounts
    has "accounts" "$said" "OK ADMIN USER NEW carol"
    has "registration" "$(in_system sh -c 'printf "REG eve secret-e\nQUIT\n" | nc localhost 7276')" \
        "ERR REG closed"
    block client
    has "a TLS client" "$said" "OK MSG 1 "

    block backup
    has "what it says" "$said" "bytes, checked; 1 kept"
    block fetch
    backup=$(in_system sh -c 'ls /root/papo-2*.db')
    in_system papod --check --db "$backup"
    is "what is left of it" 1 "$(in_system sh -c 'ls /var/lib/papo/backups | wc -l')"
    block folder
    has "another folder" "$(in_system ls /srv/papo-backups)" .db
    before=$(in_system systemctl show -p MainPID papod)

    say "another machine"
    in_system sh -c 'systemctl stop "papod*" && rm -r /var/lib/private/papo /var/lib/papo'
    in_system systemctl start papod
    block restore backup="$backup"
    has "restoring" "$said" "is now a copy of $backup"
    [ "$before" != "$(in_system systemctl show -p MainPID papod)" ] || fail "papod was not restarted"
    said=$(in_system bash -euc 'read -r _ PAPO_SECRET < <(sed -n 2p /root/papo-accounts)
        PAPO_SECRET=$PAPO_SECRET papo hist --as bob ana')
    has "what was said" "$said" "lunch at one?"
    for said in plain unix admin tls; do runs "papod-$said.socket"; done
    block drill backup="$backup"
    has "the drill" "$said" "papo.db: sound; 3 accounts since "

    block upgrade
    block retention
    has "the log" "$(in_system journalctl -u papod -o cat --no-pager)" "older than 365 days"
    block watch
    has "what is to be watched" "$said" "STAT uptime_seconds"
    is "the blocks of OPERATING.md" "$(sed -n 's/^```shell //p' contrib/OPERATING.md)" \
        "$(printf '%s\n' "${blocks[@]}")"

    say "purging"
    in_system apt-get purge -y papo papod >"$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2 && fail "no purge"; }
    for said in papod.service papod-plain.socket papo-backup.timer; do runs "$said" inactive; done
    in_system test -s /var/lib/papo/papo.db || fail "the data is gone"
    in_system rm -r /etc/systemd/system/pap{od,o-backup}.service.d
    in_system rm -r /etc/papo || true
    try_upgrading_from_one
}

# The part that needs root.
try_them() {
    work=$(mktemp -d)
    root=$work/root system='' init=''
    trap 'end_system; umount -q "$root/proc" || true; rm -rf --one-file-system "$work"' EXIT
    make_root
    mount -t proc proc "$root/proc"
    try_installing
    umount "$root/proc"
    try_operating
}

# Makes $root the root of these namespaces, and becomes systemd.
boot() {
    mount --bind "$1" "$1"
    cd "$1"
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 tmpfs run
    mount -t tmpfs -o mode=1777 tmpfs tmp
    mount -t tmpfs -o mode=755 tmpfs dev
    mkdir dev/pts dev/shm run/old
    local device
    for device in null zero full random urandom tty; do
        : >"dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    mount -t tmpfs -o mode=1777 tmpfs dev/shm
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    ip link set lo up
    pivot_root . run/old
    umount -l run/old
    # In a container systemd leaves this to the container manager; LoadCredential= needs it.
    mount --make-rshared /
    exec env -i container=papo PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=no
}

case ${1-} in
'')
    build
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    # Whatever gets mounted is mounted in this namespace only.
    "${as_root[@]}" unshare --mount "$0" --try "$client" "$server"
    for package in "$client" "$server"; do
        say "all is well: $(du -k "$package" | cut -f 1) KiB of $package"
    done
    ;;
--try)
    client=$2 server=$3
    try_them
    ;;
--boot) boot "$2" ;;
*) fail "what is $1? Nothing is expected behind try.sh" ;;
esac
