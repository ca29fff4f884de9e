#!/usr/bin/env bash
# Entry point: installs missing packages, builds, and starts the rig (rig/), which
# does everything else. `./run.sh help` lists the commands.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

fail() {
    echo "error: $*" >&2
    exit 1
}

# need PROGRAM PACKAGE..: adds a program's Debian packages to `missing` if it is not found.
missing=()
need() {
    command -v "$1" >/dev/null || missing+=("${@:2}")
}

install_missing() {
    # makefs and sfdisk are not on everybody's path.
    PATH="$PATH:/usr/sbin"
    need cc gcc libc6-dev
    need qemu-system-x86_64 qemu-system-x86
    need xz xz-utils
    case "${1-}" in test | compare) need makefs makefs ;; esac
    # The Linux guest's kernel is packed with it.
    case "${1-}" in test | compare | shell | image) need zstd zstd ;; esac
    if [ "${1-}" = test ]; then
        need fio fio
        /usr/bin/python3 -c 'import pandas' 2>/dev/null || missing+=(python3-pandas)
        # Other readers of FFS volumes, and a partitioning tool.
        need fls sleuthkit
        need grub-fstest grub-common
        need sfdisk fdisk
    fi
    [ ${#missing[@]} -gt 0 ] || return 0
    local install="apt-get update -qq && apt-get install -qq --no-install-recommends ${missing[*]}"
    command -v apt-get >/dev/null || fail "missing: ${missing[*]} (package names of Debian 12, which this needs)"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || fail "missing: ${missing[*]}; run as root: $install"
        as_root=(sudo -n)
    fi
    echo "installing ${missing[*]}" >&2
    # apt's output is shown only when it fails.
    local said
    said=$(mktemp)
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c "$install" >"$said" 2>&1 </dev/null; then
        tail -n 20 "$said" >&2
        rm -f "$said"
        fail "could not run: $install"
    fi
    rm -f "$said"
}

find_cargo() {
    command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || fail "cargo was not found: install stable Rust from https://rustup.rs"
}

case "${1-}" in
    help | -h | --help | -V | --version) ;;
    *) install_missing "$@" ;;
esac
find_cargo
cargo build --release --quiet --package kernel --package rig --package qemu-count || fail "the build failed"
# The tool for dom0 is static, so that any dom0 can run it.
cargo rustc --release --quiet --package dom0 --bin ringmark-dom0 -- -C target-feature=+crt-static || fail "the build failed"
exec "${CARGO_TARGET_DIR:-target}/release/rig" "$@"
