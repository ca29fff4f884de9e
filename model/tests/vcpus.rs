//! Loops on several vCPUs, each with queues of its own: no wake-up is lost, no completion comes to
//! a queue that is another's, and all data is right. The seed decides who runs when.
//!
//! Events go to the vCPU that uses the queue, or all to the boot vCPU, which passes them on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use drivers::Hypervisor;
use drivers::blkfront::{Disconnected, GrantMode, QueuePair, Setup};
use fio_job::Job;
use load::engine::{Control, Disk, Progress, Share};
use load::plan::Dealing;
use load::worker::{self, Finished, Relay, Words};
use model::fixture::{Machine, assert_nothing_is_left, run_line, vdev};
use model::guest::{self, Device};
use model::vcpus::{self, Ran, Work};
use model::{Disk as Backend, Guest, ModelXen};
use xen_abi::{Errno, Port};

const SECTORS: u64 = 256;

/// Destination of the events of queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Events {
    /// The vCPU that uses the queue.
    Bound,
    /// The boot vCPU, which passes them on.
    Relayed,
    /// The boot vCPU, which does not.
    Kept,
    /// The vCPU after the one that uses the queue.
    Misbound,
    /// The vCPU that uses the queue, since after it armed it.
    BoundLate,
}

/// Jobs on disks of these names, each on a part of the disk that is its own.
fn draw_jobs(rng: &mut fastrand::Rng, disks: &[String], loops: u32) -> Vec<Job> {
    let poll_us = ["0", "auto"][rng.usize(..2)];
    let mut line = format!("bs=4k verify=crc32c ringmark_poll_us={poll_us} loops={loops}");
    for disk in disks {
        let jobs = rng.u64(1..=3);
        let size = SECTORS * 512 / jobs / 4096 * 4096;
        for number in 0..jobs {
            let rw = ["randwrite", "write", "randrw"][rng.usize(..3)];
            let (iodepth, offset) = (rng.u32(1..=4), number * size);
            line += &format!(
                " --name={disk}-{number} --filename={disk} --rw={rw} --iodepth={iodepth} \
                 --offset={offset} --size={size}"
            );
        }
    }
    fio_job::parse(&line).expect("jobs")
}

/// A stage as it is drawn.
struct Stage<'a> {
    xen: &'a ModelXen,
    vcpus: u32,
    shares: BTreeMap<u32, Share<'a>>,
    /// Ports by which vCPUs are woken, by vCPU.
    wakes: Vec<Port>,
}

fn ports(share: &Share<'_>) -> Vec<Port> {
    share.disks.iter().flat_map(|disk| &disk.queues).map(QueuePair::port).collect()
}

impl<'a> Stage<'a> {
    /// Sees to it that events go where they are to; returns what the boot vCPU passes on.
    fn direct(&self, events: Events) -> Relay {
        let mut relay = Relay::default();
        for (&vcpu, share) in &self.shares {
            for queue in share.disks.iter().flat_map(|disk| &disk.queues) {
                match events {
                    Events::Bound => queue.bind(self.xen, vcpu).expect("a vCPU"),
                    Events::Misbound => {
                        queue.bind(self.xen, (vcpu + 1) % self.vcpus).expect("a vCPU");
                    }
                    Events::Relayed if vcpu != 0 => {
                        relay.add(queue.port(), self.wakes[vcpu as usize]);
                    }
                    Events::Relayed | Events::Kept | Events::BoundLate => {}
                }
            }
        }
        relay
    }

    /// Runs all loops to their end.
    fn run(mut self, events: Events) -> (Ran<()>, Vec<Finished<'a>>) {
        let (xen, relay) = (self.xen, &self.direct(events));
        let owned = |(&vcpu, share)| ports(share).into_iter().map(move |port| (port, vcpu));
        let mut late: Vec<(Port, u32)> = self.shares.iter().flat_map(owned).collect();
        late.retain(|_| events == Events::BoundLate);
        let bind_late = move || {
            let bind = |&(port, vcpu)| xen.evtchn_bind_vcpu(port, vcpu).expect("a vCPU");
            late.iter().for_each(bind);
        };
        let own = self.shares.remove(&0);
        let words = &Words::new(self.shares.len());
        let (done, all) = (&RefCell::new(Vec::new()), &RefCell::new(Vec::new()));
        let mut works = vec![Work {
            ports: own.as_ref().map_or(Vec::new(), ports),
            run: Box::new(move |vcpu| {
                let mut observe = |progress: &Progress| {
                    if progress.ios() != 0 {
                        bind_late();
                    }
                    Control::Continue
                };
                let mut collect = || done.borrow_mut().pop();
                all.replace(worker::lead(vcpu, own, words, relay, &mut collect, &mut observe));
            }),
        }];
        let mut number = 0;
        for id in 1..self.vcpus {
            let wake = (events == Events::Relayed).then_some(self.wakes[id as usize]);
            let Some(share) = self.shares.remove(&id) else {
                works.push(Work { ports: Vec::new(), run: Box::new(|_| ()) });
                continue;
            };
            let follower = number;
            number += 1;
            works.push(Work {
                ports: ports(&share),
                run: Box::new(move |vcpu| {
                    let finished = worker::follow(vcpu, share, words, follower, wake);
                    done.borrow_mut().push(finished);
                }),
            });
        }
        let ran = vcpus::run(xen, works);
        let passes_on = events == Events::Relayed && number != 0;
        assert!(!passes_on || ran.first_yields == 0, "{ran:?}");
        (ran, all.take())
    }
}

/// Runs what is drawn from a seed, `loops` times each job; returns how often vCPUs slept, how often
/// they lost a wake-up, and how often the first one yielded.
fn life(seed: u64, events: Events, loops: u32) -> [u64; 3] {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (vcpus, disks) = (rng.u32(2..=4), rng.u32(1..=3));
    let mut machine = Machine::seeded(seed).vcpus(vcpus);
    for index in 0..disks {
        let queues_max = rng.u32(1..=4);
        machine = machine.disk(Backend {
            traced: true,
            queues_max,
            ..Backend::new(vdev(index), SECTORS)
        });
    }
    let xen = machine.build();
    let mut guest = Guest::boot(&xen);
    let grants = GrantMode::ALL[rng.usize(..3)];
    let setup = Setup { grants, queues: vcpus, slots: 12, ..Setup::ONE };
    let connect = |index| guest.connect(vdev(index), &setup).expect("a disk");
    let mut devices: Vec<Device<'_>> = (0..disks).map(connect).collect();
    let rings: Vec<Vec<Port>> =
        devices.iter().map(|one| one.queues.iter().map(QueuePair::port).collect()).collect();
    let names: Vec<String> = devices.iter().map(|one| one.vdev().to_string()).collect();
    let jobs = draw_jobs(&mut rng, &names, loops);
    let queues = |name: &str| {
        let place = names.iter().position(|one| one == name).expect("a disk");
        rings[place].len() as u32
    };
    let all: Vec<u32> = (0..vcpus).collect();
    let dealing = Dealing::new(&jobs, &all, queues).expect("jobs that can be dealt");
    let wakes: Vec<Port> =
        all.iter().map(|&vcpu| xen.evtchn_bind_ipi(vcpu).expect("a port")).collect();
    let shares = worker::share_out(&jobs, &dealing, devices.iter_mut().map(Device::lend));
    let shares = shares.into_iter().map(|share| (share.vcpu, share)).collect();
    let (ran, finished) = Stage { xen: &xen, vcpus, shares, wakes: wakes.clone() }.run(events);
    let (outcome, lent) = worker::join(finished);
    assert_eq!((&outcome.error, &outcome.first_failure), (&None, &None), "seed {seed}");
    assert_eq!(outcome.results.len(), jobs.len());
    assert!(outcome.results.iter().all(|one| one.ios() > 0 && one.errors() == 0), "seed {seed}");
    for Disk { name, queues, .. } in lent {
        let place = names.iter().position(|one| *one == name).expect("a disk");
        devices[place].queues.extend(queues);
    }
    for ((index, device), ports) in devices.into_iter().enumerate().zip(&rings) {
        assert_eq!(device.queues.len(), ports.len());
        for queue in &device.queues {
            let ring = ports.iter().position(|&port| port == queue.port()).expect("its ring");
            let served =
                xen.world().disks[index].served.iter().filter(|one| one.ring == ring).count();
            let requests = queue.counters().reads + queue.counters().writes;
            assert_eq!(requests, served as u64, "seed {seed}, disk {index}, ring {ring}");
        }
        assert_eq!(guest.disconnect(device), Disconnected::default());
    }
    wakes.into_iter().for_each(|port| xen.evtchn_close(port).expect("an open port"));
    assert_nothing_is_left(&xen);
    [ran.sleeps, ran.lost, ran.first_yields]
}

/// Runs many seeds; returns the sums of what [`life`] does.
fn lives(seeds: Range<u64>, events: Events) -> [u64; 3] {
    let each = seeds.map(|seed| life(seed, events, 1));
    each.fold([0; 3], |sum, one| std::array::from_fn(|index| sum[index] + one[index]))
}

#[test]
fn no_wake_up_is_lost_where_each_vcpu_gets_its_own_events() {
    let [sleeps, lost, _] = lives(0..1000, Events::Bound);
    assert!(sleeps > 50_000 && lost == 0, "{lost} of {sleeps}");
}

#[test]
fn no_wake_up_is_lost_where_the_boot_vcpu_passes_events_on() {
    let [sleeps, lost, _] = lives(0..1000, Events::Relayed);
    assert!(sleeps > 50_000 && lost == 0, "{lost} of {sleeps}");
}

/// An event does not end a yield, and others wait for those that the boot vCPU passes on.
#[test]
fn the_boot_vcpu_yields_only_where_it_passes_nothing_on() {
    let yields = |events| (0..20).map(|seed| life(seed, events, 20)[2]).sum::<u64>();
    assert!(yields(Events::Bound) > 0);
    yields(Events::Relayed);
}

#[test]
fn a_queue_that_cannot_be_bound_goes_on_as_before() {
    let xen = Machine::seeded(1).vcpus(2).disks(1, SECTORS).build();
    let mut guest = Guest::boot(&xen);
    let mut devices = [guest.connect(vdev(0), &guest::setup(GrantMode::Persistent)).unwrap()];
    let queue = &devices[0].queues[0];
    assert_eq!(queue.bind(&xen, 2), Err(Errno::ENOENT));
    let calls = xen.world().xen.totals.fallible_calls;
    xen.world().xen.fail_call = Some(calls);
    assert_eq!(queue.bind(&xen, 1), Err(Errno::EINVAL));
    let outcome = run_line(&xen, &mut devices, "filename=xvda rw=randread ringmark_poll_us=0");
    assert_eq!((outcome.error, outcome.results[0].ios()), (None, SECTORS / 8));
    assert_eq!(xen.world().xen.totals.timeouts, 0);
}

#[test]
fn events_that_go_astray_are_noticed() {
    for events in [Events::Kept, Events::Misbound, Events::BoundLate] {
        let [sleeps, lost, _] = lives(0..50, events);
        assert!(lost > 0, "{events:?}: none of {sleeps}");
    }
}
