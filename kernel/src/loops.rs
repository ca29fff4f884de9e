//! The loops of a stage: one on each vCPU that has jobs, with queue pairs of its own.

use alloc::sync::Arc;
use alloc::vec::Vec;

use drivers::Hypervisor as _;
use fio_job::Job;
use load::engine::{Control, Disk, Outcome, Progress, Share};
use load::plan::Dealing;
use load::worker::{self, Finished, Observer, Relay, Words};
use xen_abi::Port;

use crate::disks::Connected;
use crate::failure::Failure;
use crate::guest::Guest;
use crate::smp::{Crew, Pending, VcpuError};
use crate::vcpu::Vcpu;
use crate::vcpu_tables::BOOT_VCPU;
use crate::xen::Xen;

/// Ports by which the boot vCPU wakes the others, by vCPU.
type Wakes = Vec<(u32, Port)>;

/// Watch over the loops of a stage, by the boot vCPU.
pub trait Watch {
    /// Shows the progress of all, and says whether they go on.
    fn observe(&mut self, guest: &mut Guest<'static>, progress: &Progress) -> Control;

    /// Waits until they may begin; returns false if they are to end instead.
    fn await_start(&mut self, guest: &mut Guest<'static>) -> bool;
}

/// Watch with the guest that it is about.
struct OnGuest<'w> {
    guest: &'w mut Guest<'static>,
    watch: &'w mut dyn Watch,
}

impl Observer for OnGuest<'_> {
    fn observe(&mut self, progress: &Progress) -> Control {
        self.watch.observe(self.guest, progress)
    }

    fn await_start(&mut self) -> bool {
        self.watch.await_start(self.guest)
    }
}

/// Runs jobs as they are dealt on disks that are connected, and brings the queues back.
///
/// # Errors
/// A vCPU that is of no use, or event channels that are not had.
pub fn run(
    guest: &mut Guest<'static>,
    jobs: &[Job],
    dealing: &Dealing,
    connected: &mut [Connected<'static>],
    watch: &mut dyn Watch,
) -> Result<Outcome, Failure> {
    let mut wakes = Wakes::new();
    let mut relay = Relay::default();
    let directed = direct_events(guest.xen, jobs, dealing, connected, &mut wakes, &mut relay);
    if let Err(failure) = directed {
        close_all(guest.xen, &wakes);
        return Err(failure);
    }
    let mut shares = worker::share_out(jobs, dealing, connected.iter_mut().map(Connected::lend));
    let place = shares.iter().position(|share| share.vcpu == BOOT_VCPU);
    let mut own = place.map(|place| shares.remove(place));
    let words = Arc::new(Words::new(shares.len()));
    let mut pending = Vec::with_capacity(shares.len());
    let started = start_all(guest, &mut shares, &words, &wakes, &mut pending);
    let count = pending.len();
    let mut collect = || {
        let done = pending.iter().enumerate().find_map(|(n, one)| Some((n, one.try_take()?)));
        done.map(|(place, finished)| {
            pending.swap_remove(place);
            finished
        })
    };
    let vcpu = guest.vcpu;
    let mut observer = OnGuest { guest, watch };
    let finished = match started {
        Ok(()) => worker::lead(vcpu, own.take(), &words, &relay, &mut collect, &mut observer),
        Err(_) => worker::dismiss(vcpu, &words, count, &mut collect),
    };
    close_all(guest.xen, &wakes);
    let (outcome, disks) = worker::join(finished);
    let unused = shares.into_iter().chain(own).flat_map(|share| share.disks);
    for Disk { name, queues, .. } in disks.into_iter().chain(unused) {
        let disk = connected.iter_mut().find(|disk| disk.plan.name == name);
        disk.expect("a disk of the stage").queues.extend(queues);
    }
    started?;
    Ok(outcome)
}

/// Has the events of each queue go to the vCPU that uses it, or has the boot vCPU pass them on.
fn direct_events(
    xen: &Xen,
    jobs: &[Job],
    dealing: &Dealing,
    connected: &[Connected<'_>],
    wakes: &mut Wakes,
    relay: &mut Relay,
) -> Result<(), Failure> {
    for disk in connected {
        let name = &disk.plan.name;
        let users = dealing.users(name, jobs);
        let refused = |errno| Failure::Events(name.clone(), errno);
        for (queue, &user) in disk.queues.iter().zip(users.iter().cycle()) {
            if user == BOOT_VCPU {
                continue;
            }
            if disk.plan.bind {
                queue.bind(xen, user).map_err(refused)?;
            } else {
                let wake = match wake_of(wakes, user) {
                    Some(wake) => wake,
                    None => {
                        let wake = xen.evtchn_bind_ipi(user).map_err(refused)?;
                        wakes.push((user, wake));
                        wake
                    }
                };
                relay.add(queue.port(), wake);
            }
        }
    }
    Ok(())
}

/// Closes the ports by which the boot vCPU wakes the others.
fn close_all(xen: &Xen, wakes: &Wakes) {
    wakes.iter().for_each(|&(_, wake)| _ = xen.evtchn_close(wake));
}

/// Returns the port by which the boot vCPU wakes another, if there is one.
fn wake_of(wakes: &Wakes, vcpu: u32) -> Option<Port> {
    wakes.iter().find(|(id, _)| *id == vcpu).map(|&(_, wake)| wake)
}

/// Starts the loops of the vCPUs besides the boot vCPU, up to the first that is of no use; leaves
/// the shares of those that were not tried.
fn start_all(
    guest: &mut Guest<'static>,
    shares: &mut Vec<Share<'static>>,
    words: &Arc<Words>,
    wakes: &Wakes,
    pending: &mut Vec<Pending<Finished<'static>>>,
) -> Result<(), VcpuError> {
    while let Some(share) = shares.pop() {
        let (id, number) = (share.vcpu, shares.len());
        let (words, wake) = (Arc::clone(words), wake_of(wakes, id));
        let work = move |vcpu: &Vcpu| worker::follow(vcpu, share, &words, number, wake);
        let crew: &mut Crew = guest.crew.as_mut().ok_or(VcpuError::Absent { vcpu: id })?;
        pending.push(crew.start(guest.vcpu, id, work)?);
    }
    Ok(())
}
