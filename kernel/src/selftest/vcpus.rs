//! Each other vCPU: comes up, has what it needs of its own, works beside the others, goes down.

use alloc::format;
use alloc::vec::Vec;
use core::ptr;

use drivers::{Hypervisor, Vcpu as _};
use xen_abi::PAGE_SIZE;

use super::protection::is_absent;
use super::tally::Selftest;
use crate::smp::{self, Crew, VcpuError};
use crate::vcpu::Vcpu;
use crate::vcpu_tables::{BOOT_VCPU, Loaded, stacks_of};
use crate::xen::Xen;
use crate::{cpu, xen};

/// Length of the sleep that is tried, in nanoseconds.
const SLEEP_NS: u64 = 20_000_000;
/// Fault of a vCPU whose work does not end.
const STILL_AT_WORK: &str = ": it is still at work";

/// Findings of a vCPU about itself.
struct Found {
    id: u32,
    has_stack: bool,
    has_handlers: bool,
    /// System time at which it came up, in nanoseconds.
    began_ns: u64,
    slept_ns: u64,
}

impl Selftest {
    /// Checks the vCPUs that the domain has besides the boot vCPU, `here`.
    pub(super) fn vcpus(&mut self, xen: &'static Xen, here: &Vcpu, tables: &mut Loaded) {
        let count = smp::count(xen.entry());
        match Crew::new(xen, tables, count) {
            Ok(mut crew) => self.crew(xen, here, &mut crew, count),
            Err(error) => self.check(&format!("{count} vCPUs are made ready: {error}"), false),
        }
    }

    fn crew(&mut self, xen: &'static Xen, here: &Vcpu, crew: &mut Crew, count: u32) {
        // As long as nobody runs on their stacks.
        (1..count).for_each(|id| self.stacks(stacks_of(id)));
        self.mappings();
        for id in 1..count {
            let start_ns = here.now_ns();
            let found = crew.start(here, id, find_out).map(|pending| {
                let found = pending.wait_briefly(here);
                found.map_or((false, STILL_AT_WORK), |found| found.verdict(id, start_ns))
            });
            self.vcpu(id, "comes up, with stack, handlers, clock and timer of its own", found);
        }
        // One after the other each went down; now all work at once.
        let work = move |_: &Vcpu| is_shared_well(xen);
        let pending: Vec<_> = (1..count).map(|id| crew.start(here, id, work)).collect();
        let mut is_well = is_shared_well(xen);
        for (id, pending) in (1..count).zip(pending) {
            let outcome = pending.map(|pending| match pending.wait_briefly(here) {
                Some(is_well) => (is_well, ""),
                None => (false, STILL_AT_WORK),
            });
            is_well &= matches!(outcome, Ok((true, _)));
            self.vcpu(id, "shares heap and pages with the others", outcome);
        }
        let what = format!("vCPU {BOOT_VCPU} shares heap and pages with {} others", count - 1);
        self.check(&what, is_well);
        for id in 1..count {
            let started = crew.start(here, id, |_| ());
            let is_down = || xen::is_let_run(xen.entry(), id) == Ok(false);
            let is_down = started.is_ok() && smp::wait_for(here, is_down).is_some();
            self.check(&format!("vCPU {id} goes down when it has no work"), is_down);
        }
    }

    fn vcpu(&mut self, id: u32, what: &str, outcome: Result<(bool, &'static str), VcpuError>) {
        match outcome {
            Ok((passed, wrong)) => self.check(&format!("vCPU {id} {what}{wrong}"), passed),
            Err(error) => self.check(&format!("vCPU {id} {what}: {error}"), false),
        }
    }
}

impl Found {
    /// Returns whether it is as it must be of vCPU `id`, started at `start_ns`, and what is not.
    fn verdict(&self, id: u32, start_ns: u64) -> (bool, &'static str) {
        let wrong = [
            (self.id == id, ": it is another"),
            (self.has_stack, ": it runs on another's stack"),
            (self.has_handlers, ": an exception is not handled"),
            (self.began_ns >= start_ns, ": its clock is behind"),
            ((SLEEP_NS..SLEEP_NS * 500).contains(&self.slept_ns), ": its timer does not wake it"),
        ];
        let wrong = wrong.iter().find(|(is_right, _)| !is_right);
        wrong.map_or((true, ""), |(_, what)| (false, what))
    }
}

/// Finds out what the vCPU that this runs on is like.
fn find_out(vcpu: &Vcpu) -> Found {
    let (id, began_ns) = (cpu::vcpu_id(), vcpu.now_ns());
    let here = ptr::from_ref(&id).addr();
    let has_stack = stacks_of(id).first().is_some_and(|own| (own.bottom..own.top).contains(&here));
    let has_handlers = is_absent(0..PAGE_SIZE);
    let start_ns = vcpu.now_ns();
    while vcpu.now_ns() < start_ns + SLEEP_NS {
        vcpu.prepare_wait();
        vcpu.wait(start_ns + SLEEP_NS);
    }
    Found { id, has_stack, has_handlers, began_ns, slept_ns: vcpu.now_ns() - start_ns }
}

/// Returns whether memory that is had while others ask for some keeps what is written to it.
fn is_shared_well(xen: &Xen) -> bool {
    (0..2_000_u64).all(|round| {
        let mark = round << 32 | u64::from(cpu::vcpu_id());
        let numbers: Vec<u64> = (0..round % 100).map(|number| number ^ mark).collect();
        let Some(mut page) = xen.alloc_page() else { return false };
        page.write(0, &mark.to_le_bytes());
        let mut back = [0; 8];
        page.read(0, &mut back);
        xen.free_page(page);
        back == mark.to_le_bytes() && (0..).zip(&numbers).all(|(at, number)| number ^ mark == at)
    })
}
