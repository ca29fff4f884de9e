# Helpers of the steps. A step deals with one guest at a time (guest_..), or with
# several that run together (guests_..).
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
        xl_report
        nap 0.05
    done
    xl_report
    vbds=/sys/bus/xen-backend/devices/vbd-$id-
    [ -n "$id" ]
}

guest_lives() {
    kill -0 $xl 2>/dev/null
}

# xl_report: reports what xl has to say of the guest since the last time.
xl_report() {
    while IFS= read -r line <&4; do
        say xl "$line"
        case $line in "Waiting for domain"*"(domid "*) id=${line#*(domid } id=${id%%)*} ;; esac
    done
}

# guest_report [PATTERN]: reports what xl and the guest's console have to say
# since the last time; an unfinished line waits for its end. Returns 0 if a
# console line matches the (shell) pattern.
guest_report() {
    matched=1
    xl_report
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

# Guests that run together. Their consoles are reported whole when they are gone: to follow all
# would disturb what is measured.

# guests_create NAME..: starts these guests, one after the other; $guests has their names, $ids
# their domains' numbers, $vbds what the paths of their disks at blkback begin with.
guests_create() {
    guests=$*
    ids=
    xls=
    all=
    for one in $guests; do
        guest_create $one || return
        ids="$ids $id"
        xls="$xls $xl"
        all="$all $vbds"
    done
    vbds=$all
}

# guests_until TEXT SECONDS: waits until each has a console line that begins so. Status 1 if one
# is gone, 124 if time is up.
guests_until() {
    now
    limit=$((${up%.*} + $2))
    for one in $guests; do
        until grep -qs "^$1" /var/log/xen/console/guest-$one.log; do
            kill -0 $xls 2>/dev/null || { say xl "one is gone before $one says '$1'"; return 1; }
            [ ${up%.*} -lt $limit ] || { say xl "$one: no line '$1' within $2 s"; return 124; }
            nap 0.1
            now
        done
    done
}

# guests_write NODE VALUE: writes a node below each domain's path, all in one transaction.
guests_write() {
    pairs=
    for id in $ids; do
        pairs="$pairs /local/domain/$id/$1 $2"
    done
    xenstore-write $pairs
}

# guests_type: types an empty line on the console of each.
guests_type() {
    paths=
    for id in $ids; do
        paths="$paths /local/domain/$id/console/tty"
    done
    for tty in $(xenstore-read $paths); do
        echo >$tty
    done
}

# guests_end SECONDS: waits until all are gone, and reports their consoles. Status 124 if one had
# to be destroyed because time was up, else the last of xl's that is not 0.
guests_end() {
    now
    limit=$((${up%.*} + $1))
    failed=0
    set -- $xls
    for one in $guests; do
        [ $# -gt 0 ] || break
        while kill -0 $1 2>/dev/null; do
            if [ ${up%.*} -ge $limit ]; then
                say xl "$one: not gone in time: destroyed"
                xl destroy $one
                failed=124
            fi
            nap 0.1
            now
        done
        status=0
        wait $1 || status=$?
        [ $status = 0 ] || [ $failed = 124 ] || failed=$status
        shift
        sed "s/^/[$one $up] /" /var/log/xen/console/guest-$one.log
    done
    return $failed
}

# statistics NAME: sets $files to the files in which blkback counts this for each disk of $vbds.
statistics() {
    files=
    for prefix in $vbds; do
        files="$files $(echo $prefix*/statistics/$1)"
    done
}

# count: sets $counts to what is in each of $files, without a fork.
count() {
    counts=
    for file in $files; do
        read -r one <$file || one=gone
        counts="$counts $one"
    done
}

# mark TEXT: reports TEXT, dom0's uptime, and what is in each of $files, without a fork.
mark() {
    count
    now
    echo "$1 $up$counts"
}

# Operations on grants, as dom0's kernel asks Xen for them, by ftrace: of each call that notes in
# the kernel's tables what Xen has mapped or unmapped, how many it is about. All of blkback's data
# goes through these two (Linux, drivers/xen/grant-table.c), and what programs map by gntdev.
tracing=/sys/kernel/tracing

# grants_count: begins to count. From then on each call takes some instructions more.
grants_count() {
    if [ ! -e $tracing/kprobe_events ]; then
        mount -t tracefs tracefs $tracing
        echo 'p:rig/maps set_foreign_p2m_mapping count=$arg4:u32' >>$tracing/kprobe_events
        echo 'p:rig/unmaps clear_foreign_p2m_mapping count=$arg4:u32' >>$tracing/kprobe_events
    fi
    for calls in maps unmaps; do
        echo 'hist:keys=count' >$tracing/events/rig/$calls/trigger
    done
}

# grants_mark TEXT: a mark that goes on with the numbers of maps and of unmaps so far, and then has
# each of $files again: to sum up takes a fork, in which the backend works on.
grants_mark() {
    count
    before=$counts
    # The shell's own read polls, for which such a file waits until it changes.
    # { count: SIZE } hitcount: CALLS
    sums=$(awk '$1 == "{" { sum[FILENAME] += $3 * $6 }
        END { print sum[ARGV[1]] + 0, sum[ARGV[2]] + 0 }' \
        $tracing/events/rig/maps/hist $tracing/events/rig/unmaps/hist)
    count
    now
    echo "$1 $up$before $sums$counts"
}

# grants_end: ends what grants_count began.
grants_end() {
    for calls in maps unmaps; do
        echo '!hist:keys=count' >$tracing/events/rig/$calls/trigger
    done
}
