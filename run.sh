#!/usr/bin/env bash
# Entry point: builds the rig (rig/), which reads the command line; for a command that it knows,
# installs missing packages, builds the rest, and starts the rig, which does everything else.
# `./run.sh help` lists the commands.
set -euo pipefail
# Paths on the command line are the caller's.
export RINGMARK_CALLER=$PWD
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

fail() {
    echo "error: $*" >&2
    exit 1
}

# Programs take a closed standard output for /dev/null, and would succeed without a word.
[ -e /dev/fd/1 ] || fail "standard output is closed"

# Everything that the programs below say.
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT

terminal=
if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then terminal=yes; fi

# tick TEXT: tells for how long it has been waiting for the end of its standard input: on a
# terminal in one line, from two seconds on, elsewhere in a line every five seconds.
tick() {
    local start=$SECONDS time=0 line='' code
    while code=0 && { read -r -t 1 || code=$?; } && [ $code -gt 128 ]; do
        time=$((SECONDS - start))
        if [ -n "$terminal" ]; then
            [ $time -lt 2 ] || { line=yes && printf '\r%s: %d s' "$1" $time >&2; }
        elif [ $((time / 5)) -gt "${line:-0}" ]; then
            line=$((time / 5))
            echo "$1: $time s" >&2
        fi
    done
    [ "$line" != yes ] || echo >&2
}

# watched TEXT COMMAND..: runs a command with its output in $said, and tells how long it takes.
watched() {
    local code=0 ticker
    exec {ticker}> >(tick "$1")
    "${@:2}" {ticker}>&- >"$said/out" 2>"$said/err" </dev/null || code=$?
    exec {ticker}>&-
    wait $! || :
    return $code
}

# build WHAT ARGUMENTS..: has cargo build something; its messages for programs are in $said/out.
build() {
    local code=0
    watched "building $1" cargo "$2" --release --quiet --message-format json-render-diagnostics \
        "${@:3}" || code=$?
    cat "$said/err" >&2
    [ $code -eq 0 ] || fail "the build failed"
}

# need PROGRAM PACKAGE..: adds a program's Debian packages to `missing` if it is not found.
missing=()
need() {
    command -v "$1" >/dev/null || missing+=("${@:2}")
}

need_for() {
    # makefs and sfdisk are not on everybody's path.
    PATH="$PATH:/usr/sbin"
    # What packs is on every Debian host.
    [ "$1" != package ] || return 0
    need qemu-system-x86_64 qemu-system-x86
    need xz xz-utils
    case "$1" in test | compare) need makefs makefs ;; esac
    # The Linux guest's kernel is packed with it.
    case "$1" in test | compare | peers | shell | image) need zstd zstd ;; esac
    if [ "$1" = test ]; then
        need fio fio
        /usr/bin/python3 -c 'import pandas' 2>/dev/null || missing+=(python3-pandas)
        # xl's own reader of configurations.
        /usr/bin/python3 -c 'import ctypes; ctypes.CDLL("libxlutil.so.4.17")' 2>/dev/null || missing+=(libxenmisc4.17)
        # Other readers of FFS volumes, and a partitioning tool.
        need fls sleuthkit
        need grub-fstest grub-common
        need sfdisk fdisk
        # Hosts that a fleet goes to.
        need sshd openssh-server
        need ssh openssh-client
        need ip iproute2
    fi
}

install_missing() {
    [ ${#missing[@]} -gt 0 ] || return 0
    local install="apt-get update -qq && apt-get install -qq --no-install-recommends ${missing[*]}"
    # The tests run an sshd of their own: the package is to start none, now or at boot.
    local mask=/etc/systemd/system/ssh.service
    case " ${missing[*]} " in
        *" openssh-server "*) install="mkdir -p ${mask%/*} && { [ -e $mask ] || ln -s /dev/null $mask; } && $install" ;;
    esac
    command -v apt-get >/dev/null || fail "missing: ${missing[*]} (package names of Debian 12, which this needs)"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || fail "missing: ${missing[*]}; run as root: $install"
        as_root=(sudo -n)
    fi
    echo "installing ${missing[*]}" >&2
    # apt's output is shown only when it fails.
    if ! watched installing "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c "$install"; then
        cat "$said/out" "$said/err" | tail -n 20 >&2
        fail "could not run: $install"
    fi
    missing=()
}

command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
command -v cargo >/dev/null || fail "cargo was not found: install stable Rust from https://rustup.rs"

# Without a C compiler cargo links nothing, so nobody can read the command line: only what is surely
# a command installs one.
need cc gcc libc6-dev
case "${1-run}, $* " in
    *" -h "* | *" --help "*) ;;
    run,* | bench,* | compare,* | image,* | kvm,* | package,* | peers,* | scaling,* | selftest,* | shell,* | test,* | waiter,*)
        install_missing
        ;;
esac
[ ${#missing[@]} -eq 0 ] || fail "cc was not found: install ${missing[*]}, or read README.md for the commands"

build "the rig" build --package rig --bin rig
rig=$(sed -n 's/.*"executable":"\(.*\)","fresh":.*/\1/p' "$said/out")
# In JSON these two have a backslash before them.
rig=${rig//\\\"/\"}
rig=${rig//\\\\/\\}
[ -x "$rig" ] || fail "cargo does not tell where it has built the rig"

# The rig itself answers for help and mistakes; 3 is its status for a command.
code=0
"$rig" --parse-only "$@" || code=$?
[ $code -eq 3 ] || exit $code

need_for "${1-run}"
install_missing
# Flags in the environment would take the place of the guest's own.
(unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS && build "the guest" build --package kernel --config kernel/image.toml)
build "the counter" build --package qemu-count
# The tool for dom0 is static, so that any dom0 can run it.
build "the tool for dom0" rustc --package dom0 --bin ringmark-dom0 -- -C target-feature=+crt-static
rm -rf "$said"
exec "$rig" "$@"
