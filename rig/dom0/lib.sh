# Helpers of the steps. A step deals with one guest at a time.
#
# Every console line of a guest is reported, as it appears, as
#   [NAME UPTIME] text
# with dom0's uptime in seconds; what xl says of it as [xl UPTIME] text.

# now: sets $up to dom0's uptime, without a fork.
now() {
    read -r up _ </proc/uptime
}

say() {
    now
    printf '[%s %s] %s\n' "$1" "$up" "$2"
}

# nap SECONDS: sleeps without a fork, so that watching hardly disturbs.
[ -p /tmp/never ] || mkfifo /tmp/never
exec 9<>/tmp/never
nap() {
    read -r -t "$1" _ <&9
}

# guest_create NAME [xl create options]: starts /guests/NAME.cfg and returns when
# xl is done with it; $id is the domain's number, $vbds what the paths of its
# disks at blkback begin with. xl stays in the foreground of a job of its own:
# when that ends, the domain is gone.
guest_create() {
    guest=$1
    shift
    log=/var/log/xen/console/guest-$guest.log
    rm -f $log
    : >/tmp/xl.$guest
    say xl "create $guest"
    xl create -F "$@" /guests/$guest.cfg >/tmp/xl.$guest 2>&1 &
    xl=$!
    exec 4</tmp/xl.$guest
    id=
    opened=
    held=
    while [ -z "$id" ] && guest_lives; do
        guest_report
        nap 0.05
    done
    guest_report
    vbds=/sys/bus/xen-backend/devices/vbd-$id-
    [ -n "$id" ]
}

guest_lives() {
    kill -0 $xl 2>/dev/null
}

# guest_report [PATTERN]: reports what xl and the guest's console have to say
# since the last time; an unfinished line waits for its end. Returns 0 if a
# console line matches the (shell) pattern.
guest_report() {
    matched=1
    while IFS= read -r line <&4; do
        say xl "$line"
        case $line in "Waiting for domain"*"(domid "*) id=${line#*(domid } id=${id%%)*} ;; esac
    done
    if [ -z "$opened" ] && [ -e $log ]; then
        exec 3<$log
        opened=y
    fi
    while [ -n "$opened" ]; do
        IFS= read -r line <&3 || { held=$held$line; break; }
        line=$held$line
        held=
        say $guest "$line"
        case $line in ${1:-}) matched=0 ;; esac
    done
    return $matched
}

# guest_until PATTERN SECONDS [NAP]: watches until a console line matches.
# Status 1 if the guest is gone without one, 124 if time is up.
guest_until() {
    now
    limit=$((${up%.*} + $2))
    while ! guest_report "$1"; do
        guest_lives || { guest_report "$1"; return; }
        [ ${up%.*} -lt $limit ] || { say xl "$guest: no line like '$1' within $2 s"; return 124; }
        nap ${3:-0.1}
        now
    done
}

# guest_end SECONDS: watches until the guest is gone. Status 124 if it had to
# be destroyed because time was up, else xl's.
guest_end() {
    now
    limit=$((${up%.*} + $1))
    late=
    while guest_lives; do
        guest_report
        if [ -z "$late" ] && [ ${up%.*} -ge $limit ]; then
            say xl "$guest: not gone within $1 s: destroyed"
            xl destroy $guest
            late=y
        fi
        nap 0.1
        now
    done
    wait $xl
    status=$?
    guest_report
    [ -z "$held" ] || say $guest "$held"
    [ -z "$late" ] || return 124
    return $status
}

# guest NAME SECONDS: the whole life of a guest.
guest() {
    guest_create $1
    guest_end $2
}
