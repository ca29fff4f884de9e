//! `selftest`: the machine without any disk, with and without Xen.

mod attempt;
mod crash;
mod protection;
mod tally;
mod vcpus;

use alloc::format;
use alloc::vec::Vec;

use boot_info::layout::Layout;
use bootloader_api::BootInfo;
use drivers::grant::Access;
use drivers::grant::GrantTable;
use drivers::shared::SharedPage;
use drivers::{Hypervisor, Vcpu as _};
use guest_protocol::command_line::Selftest as Kind;
use xen_abi::sched::ShutdownReason;
use xen_abi::{DomId, PAGE_SIZE};

use tally::Selftest;

use crate::memory::PageSource;
use crate::vcpu::Vcpu;
use crate::vcpu_tables::Loaded;
use crate::xen::{self, Xen};
use crate::{cpu, hypercall, legacy, shutdown};

/// Runs the self-test on Xen and ends the guest.
pub fn under_xen(
    kind: Kind,
    boot_info: &BootInfo,
    layout: &Layout<'_>,
    tables: &mut Loaded,
    xen: &'static Xen,
    vcpu: &Vcpu,
) -> ! {
    match kind {
        Kind::VcpuOverflow => crash::vcpu_overflow(xen, vcpu, tables),
        _ => crash_as(kind),
    }
    let is_to_move = layout.far.is_some() && xen.entry().can_go_far();
    let moved = is_to_move.then(hypercall::far_page_origin);
    let mut test = Selftest::of(moved);
    test.machine(boot_info, tables);
    test.xen(xen, vcpu);
    test.vcpus(xen, vcpu, tables);
    end(test)
}

/// Runs the self-test of a machine without Xen, on which `pages` are all pages, and ends the guest.
pub fn without_xen(
    kind: Kind,
    boot_info: &BootInfo,
    tables: &mut Loaded,
    pages: &mut PageSource,
) -> ! {
    crash_as(kind);
    let mut test = Selftest::default();
    test.machine(boot_info, tables);
    test.pc();
    test.pages(pages);
    end(test)
}

/// Crashes as `kind` says; returns if it says nothing of it.
fn crash_as(kind: Kind) {
    match kind {
        Kind::Checks => {}
        Kind::Overflow => crash::overflow(),
        Kind::NestedFault => crash::nested_fault(),
        Kind::VcpuOverflow => crash::no_other_vcpu(),
    }
}

/// Ends the guest as the checks say.
fn end(test: Selftest) -> ! {
    let passed = test.finish();
    shutdown::end(if passed { ShutdownReason::Poweroff } else { ShutdownReason::Crash })
}

impl Selftest {
    /// Checks what any machine must do.
    fn machine(&mut self, boot_info: &BootInfo, tables: &mut Loaded) {
        let image_end = boot_info.kernel_addr + boot_info.kernel_len;
        let clear = boot_info
            .memory_regions
            .iter()
            .all(|region| region.end <= boot_info.kernel_addr || region.start >= image_end);
        self.check("no usable memory below the image", clear);
        let sorted = boot_info.memory_regions.iter().is_sorted_by(|a, b| a.end <= b.start);
        self.check("usable regions are in order and apart", sorted);
        if let Some(&start) = boot_info.ramdisk_addr.as_ref() {
            let end = start + boot_info.ramdisk_len;
            let apart = boot_info.memory_regions.iter().all(|r| r.end <= start || r.start >= end);
            self.check("no usable memory below the RAM disk", apart);
        }
        self.check("floating point formats", format!("{:.3}", 1.0_f64 / 3.0) == "0.333");
        let numbers: Vec<u64> = (0..10_000).collect();
        self.check(
            "the heap keeps what is written to it",
            numbers.iter().sum::<u64>() == 49_995_000,
        );
        let mut bytes = [0_u8; 100];
        bytes.iter_mut().zip(0..).for_each(|(byte, value)| *byte = value);
        bytes.copy_within(0..90, 10);
        bytes.copy_within(11..100, 1);
        self.check("overlapping copies, up and down", bytes[1..10] == [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let (first, second) = (cpu::tsc(), cpu::tsc());
        self.check("the time stamp counter moves on", second > first);
        self.protection(tables);
    }

    /// Checks what a PC must do that is not a guest of Xen's.
    fn pc(&mut self) {
        self.check("a tick of the legacy timer is masked", legacy::meet_tick());
    }

    /// Checks that fresh and returned pages come zeroed.
    fn pages(&mut self, pages: &mut PageSource) {
        let before = pages.available();
        let Some(mut page) = pages.take() else { return self.check("a page is available", false) };
        let frame = page.gfn();
        self.page(&mut page);
        page.write(100, &[0xa5; 200]);
        pages.put(page);
        let again = pages.take();
        let mut bytes = [0xff; PAGE_SIZE];
        let clean = again.is_some_and(|again| {
            again.read(0, &mut bytes);
            let same = again.gfn() == frame;
            pages.put(again);
            same
        });
        self.check("a returned page comes back zeroed", clean && bytes == [0; PAGE_SIZE]);
        self.check("no page is lost", pages.available() == before);
    }

    /// Checks what Xen must do.
    fn xen(&mut self, xen: &Xen, vcpu: &Vcpu) {
        self.check("Xen says its version", xen.version().is_ok());
        let page = "the hypercall page is written if it is used, and only then";
        self.check(page, xen.entry().has_written_page() == xen.entry().uses_page());
        self.far_text(xen.entry().far_stub());
        let start_ns = vcpu.now_ns();
        vcpu.prepare_wait();
        vcpu.wait(start_ns + 20_000_000);
        let mut slept_ns = vcpu.now_ns() - start_ns;
        while slept_ns < 20_000_000 {
            vcpu.prepare_wait();
            vcpu.wait(start_ns + 20_000_000);
            slept_ns = vcpu.now_ns() - start_ns;
        }
        self.check("a sleep of 20 ms ends by the timer", slept_ns < 10_000_000_000);

        // Without a second domain there is no port to send to, but an unbound one can be allocated
        // and closed once.
        let port = xen.evtchn_alloc_unbound(DomId(0));
        self.check("an event channel can be allocated", port.is_ok());
        if let Ok(port) = port {
            self.check("no event is pending on it", !vcpu.take_event(port));
            self.check("it closes once", xen.evtchn_close(port).is_ok());
            self.check("it does not close twice", xen.evtchn_close(port).is_err());
        }

        let frames = xen::grant_frames_max(xen.entry());
        self.check("Xen says how large the grant table may be", frames.is_some_and(|n| n > 0));
        let mut table = GrantTable::new(xen);
        let mut line = table.reserve(1).unwrap_or_default();
        match (line.pop(), xen.alloc_page()) {
            (Some(grant), Some(mut page)) => {
                self.page(&mut page);
                self.check("reserved grants are left alone", grant.gref().0 >= 8);
                let mut shared = SharedPage::new(page, grant);
                shared.permit(DomId(0), Access::ReadWrite);
                let parts = shared.into_parts();
                self.check("an unused grant is revoked", parts.is_ok());
                if let Ok((page, grant)) = parts {
                    line.push(grant);
                    table.release(line);
                    xen.free_page(page);
                }
            }
            _ => self.check("a grant is available", false),
        }
    }
}
