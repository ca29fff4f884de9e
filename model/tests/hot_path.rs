//! Cost of 1,000 reads, counted, for one seed: the figures are exact, and change only when somebody
//! changes what the drivers do.

use drivers::Vcpu;
use drivers::blkfront::{GrantMode, Operation, Setup};
use model::fixture::{Machine, XVDA};
use model::guest::Device;
use model::xen::Totals;
use model::{Disk, Guest, ModelXen};

const READS: u64 = 1000;

/// Keeps `depth` reads of `bytes` in flight until all are done.
fn read_all(xen: &ModelXen, device: &mut Device<'_>, depth: u64, bytes: u32) {
    let (mut started, mut done) = (0, 0);
    while done < READS {
        while started < READS && started - done < depth {
            let slot = device.queues[0].acquire().expect("a slot for each read in flight");
            device.queues[0].submit(slot, Operation::Read, started % 50 * 8, bytes);
            started += 1;
        }
        device.queues[0].kick(xen).expect("an honest backend");
        let mut progress = false;
        while let Some(completion) = device.queues[0].poll().expect("an honest backend") {
            assert_eq!(completion.result, Ok(()));
            device.queues[0].release(completion.slot);
            done += 1;
            progress = true;
        }
        if !progress {
            xen.prepare_wait();
            if let Some(until_ns) = device.queues[0].arm(xen) {
                xen.wait(until_ns.min(xen.now_ns() + 1_000_000_000));
            }
        }
    }
}

/// Counts so far, or what came to them between two moments.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    /// Requests with data, by the guest's count and by the backend's.
    requests: [u64; 2],
    /// Events sent and received.
    events: [u64; 2],
    /// Grants made, and pages copied.
    pages: [u64; 2],
    /// Pages that the backend mapped and unmapped.
    mapped: [u64; 2],
    /// The guest's hypercalls: to send events, to sleep, and for anything else.
    hypercalls: [u64; 3],
}

impl Counts {
    fn of(xen: &ModelXen, device: &Device<'_>) -> Self {
        let (counters, world) = (device.queues[0].counters(), xen.world());
        let Totals { sends, sleeps, yields, stolen_calls, set_up_calls, .. } = world.xen.totals;
        Self {
            requests: [counters.reads, world.disks[0].stats.reads],
            events: [counters.notifications, counters.events],
            pages: [counters.grants, counters.copies],
            mapped: [world.xen.grants.maps, world.xen.grants.unmaps],
            hypercalls: [sends, sleeps, yields + stolen_calls + set_up_calls],
        }
    }

    fn since(self, before: Self) -> Self {
        fn less<const N: usize>(one: [u64; N], other: [u64; N]) -> [u64; N] {
            std::array::from_fn(|index| one[index] - other[index])
        }
        Self {
            requests: less(self.requests, before.requests),
            events: less(self.events, before.events),
            pages: less(self.pages, before.pages),
            mapped: less(self.mapped, before.mapped),
            hypercalls: less(self.hypercalls, before.hypercalls),
        }
    }
}

/// Counts of two runs of the same reads, and how often anything was allocated in the second.
fn measure(mode: GrantMode, depth: u32, bytes: u32) -> ([Counts; 2], u64) {
    let xen = Machine::seeded(1).disk(Disk::new(XVDA, 512)).build();
    let mut guest = Guest::boot(&xen);
    let pages_per_slot = bytes.div_ceil(4096) as usize;
    let setup = Setup { grants: mode, slots: depth, pages_per_slot, ..Setup::ONE };
    let mut device = guest.connect(XVDA, &setup).unwrap();
    let mut counts = || {
        // Whatever was drawn until now, so that the handshake does not count.
        xen.world().xen.rng.seed(2);
        let before = Counts::of(&xen, &device);
        let read = || read_all(&xen, &mut device, depth.into(), bytes);
        let allocated = allocation_counter::measure(read).count_total;
        (Counts::of(&xen, &device).since(before), allocated)
    };
    // The backend maps its persistent grants with the first use of each.
    let (first, _) = counts();
    let (second, allocated) = counts();
    guest.disconnect(device);
    ([first, second], allocated)
}

#[test]
fn counts_per_1000_reads() {
    println!("mode             depth  notifications  events  grants  copies");
    let mut costs = Vec::new();
    for depth in [1, 32] {
        for mode in GrantMode::ALL {
            let ([_, counts], allocated) = measure(mode, depth, 4096);
            let ([sent, events], [grants, copies]) = (counts.events, counts.pages);
            println!("{mode:16} {depth:5}  {sent:13}  {events:6}  {grants:6}  {copies:6}");
            assert_eq!(counts.requests, [READS; 2]);
            assert_eq!(allocated, 0, "the hot path allocates nothing, nor does the model");
            costs.push([sent, events, grants, copies]);
        }
    }
    let expected = [
        [1000, 1019, 0, 0],
        [1000, 1019, 0, 1000],
        [1000, 1019, 1000, 0],
        [301, 367, 0, 0],
        [301, 367, 0, 1000],
        [301, 367, 1000, 0],
    ];
    assert_eq!(costs, expected);
}

/// Between the first read and the last, a guest calls Xen to send events and to sleep, the same
/// number of times whether it grants and revokes or not; and a backend that keeps pages mapped maps
/// each once, while one that must not maps and unmaps them with each read.
#[test]
fn grants_cost_no_hypercall_and_persistent_ones_no_map() {
    println!("mode             depth  bytes  sends  sleeps  others   maps  unmaps");
    for (depth, bytes, pages) in [(1, 4096, 1), (32, 4096, 1), (4, 12 * 4096, 13)] {
        let all = GrantMode::ALL.map(|mode| (mode, measure(mode, depth, bytes).0));
        for (mode, [first, second]) in all {
            let ([sends, sleeps, others], [maps, unmaps]) = (second.hypercalls, second.mapped);
            println!(
                "{mode:16} {depth:5}  {bytes:5}  {sends:5}  {sleeps:6}  {others:6}  {maps:5}  \
                 {unmaps:6}"
            );
            assert_eq!((sends, others), (second.events[0], 0), "{mode}");
            assert_eq!(second.hypercalls, all[0].1[1].hypercalls, "{mode}");
            let [granted, _] = second.pages;
            if mode.is_persistent() {
                let used = u64::from(depth) * pages;
                assert_eq!((first.mapped, second.mapped), ([used, 0], [0, 0]), "{mode}");
                assert_eq!((first.pages[0], granted), (0, 0), "granted at connect: {mode}");
            } else {
                assert_eq!(second.mapped, [READS * pages; 2]);
                assert_eq!(granted, READS * pages);
            }
        }
    }
}
