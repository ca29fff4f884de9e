//! Xen as this guest sees it: hypercalls, the shared page, event channels, memory.
//!
//! The guest's implementation of [`Hypervisor`]. Everything is reached through `&Xen`, by whichever
//! vCPU; what two callers could change at once is behind a lock. What a vCPU has of its own is
//! [`Vcpu`](crate::vcpu::Vcpu)'s.

use core::ptr::{self, NonNull};

use boot_info::memory_map::{ENTRIES_MAX, WIRE_ENTRY_SIZE, decode};
use drivers::blkfront::Room;
use drivers::grant_frame::GrantFrame;
use drivers::hypervisor::NoFrame;
use drivers::{Hypervisor, Page, PageRun};
use load::plan::GRANT_FRAMES_MAX;
use spin::Mutex;
use xen_abi::event_channel::{self, AllocUnbound, BindIpi, BindVcpu, BindVirq, PortArgument};
use xen_abi::grant_table::{self, ENTRIES_PER_PAGE, QuerySize, RESERVED_ENTRIES, TablePage};
use xen_abi::hvm::{self, HvmParam};
use xen_abi::hvm_vcpu::HvmContext;
use xen_abi::memory::{self, AddToPhysmap, MemoryDomain, MemoryMap};
use xen_abi::sched::{self, ShutdownReason};
use xen_abi::shared_info::SharedInfo;
use xen_abi::start_info::MemmapEntry;
use xen_abi::vcpu::{self, RunstateInfo, SetSingleshotTimer};
use xen_abi::{DomId, Errno, Gfn, PAGE_SIZE, Port, hypercall};

use crate::cpu;
use crate::hypercall::{HypercallEntry, far_page_origin};
use crate::memory::PageSource;

/// Pages of address space kept for the shared page and the grant table.
pub const SPECIAL_PAGES: u64 = 1 + GRANT_FRAMES_MAX as u64;

/// Pages that a grant table may have, if Xen does not tell: what `xl` gives at least.
const GRANT_FRAMES_USUAL: u32 = 32;

/// Xen, with this guest's side of what is shared with it.
#[derive(Debug)]
pub struct Xen {
    entry: HypercallEntry,
    shared: &'static SharedInfo,
    /// First gfn of the grant table's pages, which go one after the other.
    grant_table: Gfn,
    /// Pages of it that were handed out.
    grant_frames: Mutex<u32>,
    pages: Mutex<PageSource>,
}

/// The memory map that the tool stack set (XENMEM_memory_map), for a loader that gave none.
///
/// # Errors
/// Xen's.
pub fn memory_map(entry: HypercallEntry, entries: &mut [MemmapEntry]) -> Result<usize, Errno> {
    let mut raw = [0_u8; ENTRIES_MAX * WIRE_ENTRY_SIZE];
    let room = entries.len().min(ENTRIES_MAX);
    let mut argument =
        MemoryMap { nr_entries: room as u32, buffer: ptr::from_mut(&mut raw) as u64 };
    let at = ptr::from_mut(&mut argument) as u64;
    // SAFETY: the structure is the operation's, and its buffer has room for what it says.
    unsafe { entry.call2(hypercall::MEMORY_OP, memory::MEMORY_MAP, at)? };
    Ok(decode(&raw, argument.nr_entries, entries))
}

/// Pages that the domain has, those that it gets when it first touches them included
/// (XENMEM_current_reservation).
///
/// # Errors
/// Xen's.
pub fn reservation_pages(entry: HypercallEntry) -> Result<u64, Errno> {
    let mut argument = MemoryDomain { domid: DomId::SELF.0 };
    let at = ptr::from_mut(&mut argument) as u64;
    // SAFETY: the structure is the operation's, which only reads it.
    unsafe { entry.call2(hypercall::MEMORY_OP, memory::CURRENT_RESERVATION, at) }
}

/// Pages that this domain's grant table may grow to (GNTTABOP_query_size), if Xen tells.
pub fn grant_frames_max(entry: HypercallEntry) -> Option<u32> {
    let mut argument = QuerySize { dom: DomId::SELF.0, ..QuerySize::default() };
    let at = ptr::from_mut(&mut argument) as u64;
    // SAFETY: the structure is the operation's; there is one.
    unsafe { entry.call3(hypercall::GRANT_TABLE_OP, [grant_table::QUERY_SIZE, at, 1]).ok()? };
    (argument.status == grant_table::STATUS_OKAY).then_some(argument.max_nr_frames)
}

/// A parameter of this domain (HVMOP_get_param).
///
/// # Errors
/// Xen's.
pub fn param(entry: HypercallEntry, index: u32) -> Result<u64, Errno> {
    let mut argument = HvmParam { domid: DomId::SELF.0, pad: 0, index, value: 0 };
    // SAFETY: the structure is the operation's.
    unsafe { operate(entry, hypercall::HVM_OP, hvm::GET_PARAM, &mut argument)? };
    Ok(argument.value)
}

/// Sends an event (EVTCHNOP_send).
///
/// # Errors
/// Xen's.
#[inline]
pub fn send(entry: HypercallEntry, port: Port) -> Result<(), Errno> {
    let argument = PortArgument { port: port.0 };
    let (number, at) = (hypercall::EVENT_CHANNEL_OP, entry.to_read(&argument));
    // SAFETY: the structure is the operation's, which only reads it.
    unsafe { entry.call2(number, event_channel::SEND, at).map(drop) }
}

/// A new port for a virtual interrupt of a vCPU (EVTCHNOP_bind_virq).
///
/// # Errors
/// Xen's.
pub fn bind_virq(entry: HypercallEntry, virq: u32, vcpu: u32) -> Result<Port, Errno> {
    let mut argument = BindVirq { virq, vcpu, port: 0 };
    // SAFETY: the structure is the operation's.
    unsafe {
        operate(entry, hypercall::EVENT_CHANNEL_OP, event_channel::BIND_VIRQ, &mut argument)?;
    }
    Ok(Port(argument.port))
}

/// Sets a vCPU's timer, which fires once (VCPUOP_set_singleshot_timer).
///
/// # Errors
/// Xen's.
pub fn set_timer(entry: HypercallEntry, vcpu: u32, timeout_abs_ns: u64) -> Result<(), Errno> {
    let argument = SetSingleshotTimer { timeout_abs_ns, flags: 0 };
    let args = [vcpu::SET_SINGLESHOT_TIMER, u64::from(vcpu), entry.to_read(&argument)];
    // SAFETY: the structure is the operation's, which only reads it.
    unsafe { entry.call3(hypercall::VCPU_OP, args).map(drop) }
}

/// Sets the registers with which a vCPU begins (VCPUOP_initialise).
///
/// # Errors
/// Xen's, such as `EEXIST` for a vCPU that has begun.
///
/// # Safety
/// What the vCPU runs with these registers is sound.
pub unsafe fn initialise_vcpu(
    entry: HypercallEntry,
    vcpu: u32,
    context: &mut HvmContext,
) -> Result<(), Errno> {
    let at = ptr::from_mut(context) as u64;
    // SAFETY: the structure is the operation's; the caller vouches for what it says.
    unsafe { entry.call3(hypercall::VCPU_OP, [vcpu::INITIALISE, u64::from(vcpu), at]).map(drop) }
}

/// Lets a vCPU run (VCPUOP_up), where it stopped.
///
/// # Errors
/// Xen's, such as `EINVAL` for a vCPU that has no registers.
pub fn let_run(entry: HypercallEntry, vcpu: u32) -> Result<(), Errno> {
    // SAFETY: the operation takes no structure; what the vCPU runs, `initialise_vcpu` vouches for.
    unsafe { entry.call3(hypercall::VCPU_OP, [vcpu::UP, u64::from(vcpu), 0]).map(drop) }
}

/// Lets a vCPU run no more (VCPUOP_down); another than this one may still run for a moment. As the
/// last one that runs it ends the domain, as powered off.
///
/// # Errors
/// Xen's.
pub fn stop(entry: HypercallEntry, vcpu: u32) -> Result<(), Errno> {
    // SAFETY: the operation takes no structure and changes nothing.
    unsafe { entry.call3(hypercall::VCPU_OP, [vcpu::DOWN, u64::from(vcpu), 0]).map(drop) }
}

/// Returns whether a vCPU is let run (VCPUOP_is_up).
///
/// # Errors
/// Xen's, such as `ENOENT` for a vCPU that the domain does not have.
pub fn is_let_run(entry: HypercallEntry, vcpu: u32) -> Result<bool, Errno> {
    // SAFETY: the operation takes no structure and changes nothing.
    let up = unsafe { entry.call3(hypercall::VCPU_OP, [vcpu::IS_UP, u64::from(vcpu), 0])? };
    Ok(up != 0)
}

/// Returns the states that a vCPU was in, and for how long (VCPUOP_get_runstate_info).
///
/// # Errors
/// Xen's.
pub fn runstate(entry: HypercallEntry, vcpu: u32) -> Result<RunstateInfo, Errno> {
    let mut info = RunstateInfo::default();
    let at = ptr::from_mut(&mut info) as u64;
    let args = [vcpu::GET_RUNSTATE_INFO, u64::from(vcpu), at];
    // SAFETY: the structure is what the operation answers with.
    unsafe { entry.call3(hypercall::VCPU_OP, args)? };
    Ok(info)
}

/// Lets other domains run (SCHEDOP_yield).
#[inline]
pub fn give_way(entry: HypercallEntry) {
    // SAFETY: this operation takes no argument and changes nothing.
    let _ = unsafe { entry.call2(hypercall::SCHED_OP, sched::YIELD, 0) };
}

/// A hypercall whose only argument is a structure.
///
/// # Safety
/// `argument` has the operation's type, and the operation changes no other memory.
#[inline]
unsafe fn operate<T>(
    entry: HypercallEntry,
    number: u64,
    operation: u64,
    argument: &mut T,
) -> Result<(), Errno> {
    let argument = ptr::from_mut(argument) as u64;
    // SAFETY: the caller's promise.
    unsafe { entry.call2(number, operation, argument).map(drop) }
}

impl Xen {
    /// Maps the shared page, sets the upcall's vector and takes over the pages.
    ///
    /// # Errors
    /// Xen's.
    ///
    /// # Safety
    /// `special` is the first of [`SPECIAL_PAGES`] frames that are mapped one to one and hold
    /// nothing: no memory of ours, and nothing of another `Xen`.
    pub unsafe fn new(
        entry: HypercallEntry,
        special: Gfn,
        pages: PageSource,
    ) -> Result<Self, Errno> {
        // First, for it also tells Xen that this guest is 64-bit, and so the shared page's layout
        // (hvm_latch_shinfo_size). No event is due yet, and interrupts are off.
        set_upcall_vector(entry)?;
        // SAFETY: the frame is the first of those that hold nothing (the caller's promise).
        unsafe { add_to_physmap(entry, memory::SPACE_SHARED_INFO, 0, special)? };
        let shared = ptr::with_exposed_provenance::<SharedInfo>(special.0 as usize * PAGE_SIZE);
        // SAFETY: Xen's shared page is there now, until the domain is saved (a restored one would
        // have to put it there again before it looks at a clock); all its fields are atomics.
        let shared = unsafe { &*shared };
        Ok(Self {
            entry,
            shared,
            grant_table: Gfn(special.0 + 1),
            grant_frames: Mutex::new(0),
            pages: Mutex::new(pages),
        })
    }

    /// Moves the hypercall's instruction to the 1 GiB at `place` and maps that by one page, if
    /// there is something to gain, the processor has such pages, and Xen lets us.
    ///
    /// A processor that does not say how long the instruction is that exits (QEMU's emulation of
    /// SVM) has Xen walk our page tables to read it, each time.
    ///
    /// The page is saved and restored with the domain as any other; where that is restored, the
    /// processor has to have pages of 1 GiB.
    ///
    /// # Safety
    /// `place` is the start of a huge page of guest-physical memory in which there is nothing, now
    /// and later. To be called once, when no other vCPU has run.
    pub unsafe fn go_far(&mut self, place: u64) {
        if !self.entry.can_go_far() {
            return;
        }
        let origin = far_page_origin();
        let (index, gfn) = ((origin / PAGE_SIZE) as u64, Gfn(place / PAGE_SIZE as u64));
        // SAFETY: nothing is at the place (the caller's promise), nor does anybody use the page.
        let moved = unsafe { add_to_physmap(self.entry, memory::SPACE_GMFN, index, gfn) };
        // SAFETY: nobody uses the page here; no other vCPU runs (the caller's promise). Xen may
        // have failed with the page gone.
        unsafe { boot::unmap(origin) };
        if moved.is_ok() {
            // SAFETY: there are huge pages, or the entry could not go; at the place there is
            // nothing but the page of text, which is mapped nowhere else.
            self.entry = unsafe { self.entry.in_far_page(boot::map_far_text(place)) };
        }
    }

    /// The page that Xen shares with all vCPUs.
    pub fn shared(&self) -> &'static SharedInfo {
        self.shared
    }

    /// Xen's version, as major and minor.
    ///
    /// # Errors
    /// Xen's.
    pub fn version(&self) -> Result<(u64, u64), Errno> {
        // SAFETY: this operation takes no argument and changes nothing.
        let version =
            unsafe { self.entry.call2(hypercall::XEN_VERSION, hypercall::XENVER_VERSION, 0)? };
        Ok((version >> 16, version & 0xffff))
    }

    /// Returns how this guest enters Xen.
    pub fn entry(&self) -> HypercallEntry {
        self.entry
    }

    /// Takes memory for a `T` for good, which nobody else uses; all its bytes are 0.
    pub fn memory_for_good<T>(&self) -> Option<NonNull<T>> {
        self.pages.lock().take_for_good()
    }

    /// Lets the heap grow to so many bytes, if it has fewer; returns whether it has them.
    pub fn grow_heap(&self, bytes: u64) -> bool {
        usize::try_from(bytes).is_ok_and(|bytes| self.pages.lock().grow_heap(bytes))
    }

    /// Returns by how many bytes the heap can grow.
    pub fn heap_growth(&self) -> u64 {
        self.pages.lock().heap_growth()
    }

    /// Pages that are free.
    pub fn pages_available(&self) -> u64 {
        self.pages.lock().available()
    }

    /// Returns the pages that are free, and the entries that the grant table may have.
    pub fn room(&self) -> Room {
        let frames = grant_frames_max(self.entry).unwrap_or(GRANT_FRAMES_USUAL);
        let entries = u64::from(frames.min(GRANT_FRAMES_MAX)) * u64::from(ENTRIES_PER_PAGE);
        let grants = entries.saturating_sub(RESERVED_ENTRIES.into());
        Room { pages: self.pages_available(), grants }
    }
}

/// Ends the domain; returns only if Xen refuses.
pub fn shut_down(entry: HypercallEntry, reason: ShutdownReason) {
    let mut argument = sched::Shutdown { reason: reason as u32 };
    let at = ptr::from_mut(&mut argument) as u64;
    // SAFETY: the structure is the operation's.
    let _ = unsafe { entry.call2(hypercall::SCHED_OP, sched::SHUTDOWN, at) };
}

fn set_upcall_vector(entry: HypercallEntry) -> Result<(), Errno> {
    let value = hvm::callback_vector(cpu::UPCALL_VECTOR);
    let index = hvm::PARAM_CALLBACK_IRQ;
    let mut argument = HvmParam { domid: DomId::SELF.0, pad: 0, index, value };
    // SAFETY: the structure is the operation's; there is a handler for the vector.
    unsafe { operate(entry, hypercall::HVM_OP, hvm::SET_PARAM, &mut argument) }
}

/// Puts a page at `gfn`, in place of what was there. It may be ours ([`memory::SPACE_GMFN`]): then
/// it leaves its place, where there may be nothing any more even if this fails.
///
/// # Safety
/// No memory of ours was there, nor does anybody use memory of ours that is put there.
unsafe fn add_to_physmap(
    entry: HypercallEntry,
    space: u32,
    index: u64,
    gfn: Gfn,
) -> Result<(), Errno> {
    let mut argument = AddToPhysmap { domid: DomId::SELF.0, size: 0, space, index, gfn: gfn.0 };
    let at = ptr::from_mut(&mut argument) as u64;
    // SAFETY: the structure is the operation's; no memory that Rust uses changes (the caller's
    // promise).
    unsafe { entry.call2(hypercall::MEMORY_OP, memory::ADD_TO_PHYSMAP, at).map(drop) }
}

impl Hypervisor for Xen {
    fn alloc_page(&self) -> Option<Page> {
        self.pages.lock().take()
    }

    fn alloc_run(&self, count: usize) -> Option<PageRun> {
        self.pages.lock().take_run(count)
    }

    fn free_page(&self, page: Page) {
        self.pages.lock().put(page);
    }

    fn grant_frame(&self) -> Result<GrantFrame<'_>, NoFrame> {
        let mut handed_out = self.grant_frames.lock();
        let index = *handed_out;
        if index >= GRANT_FRAMES_MAX {
            return Err(NoFrame::Room);
        }
        let gfn = Gfn(self.grant_table.0 + u64::from(index));
        // SAFETY: one of the frames behind the shared page that hold nothing (`new`) but what an
        // earlier call put there, which is the same.
        let put =
            unsafe { add_to_physmap(self.entry, memory::SPACE_GRANT_TABLE, index.into(), gfn) };
        put.map_err(NoFrame::Xen)?;
        *handed_out += 1;
        let entries = ptr::with_exposed_provenance::<TablePage>(gfn.0 as usize * PAGE_SIZE);
        // SAFETY: that page of the grant table is there now, until the domain is saved (nothing
        // here survives that: a restored domain would have to put each page there again); all its
        // fields are atomics. The count sees to it that no page is handed out twice.
        Ok(unsafe { GrantFrame::new(index, &*entries) })
    }

    fn evtchn_alloc_unbound(&self, remote: DomId) -> Result<Port, Errno> {
        let mut argument = AllocUnbound { dom: DomId::SELF.0, remote_dom: remote.0, port: 0 };
        // SAFETY: the structure is the operation's.
        unsafe {
            operate(
                self.entry,
                hypercall::EVENT_CHANNEL_OP,
                event_channel::ALLOC_UNBOUND,
                &mut argument,
            )?;
        }
        Ok(Port(argument.port))
    }

    fn evtchn_close(&self, port: Port) -> Result<(), Errno> {
        let mut argument = PortArgument { port: port.0 };
        // SAFETY: the structure is the operation's.
        unsafe {
            operate(self.entry, hypercall::EVENT_CHANNEL_OP, event_channel::CLOSE, &mut argument)
        }
    }

    fn evtchn_bind_vcpu(&self, port: Port, vcpu: u32) -> Result<(), Errno> {
        let (number, operation) = (hypercall::EVENT_CHANNEL_OP, event_channel::BIND_VCPU);
        let mut argument = BindVcpu { port: port.0, vcpu };
        // SAFETY: the structure is the operation's.
        unsafe { operate(self.entry, number, operation, &mut argument) }
    }

    fn evtchn_bind_ipi(&self, vcpu: u32) -> Result<Port, Errno> {
        let (number, operation) = (hypercall::EVENT_CHANNEL_OP, event_channel::BIND_IPI);
        let mut argument = BindIpi { vcpu, port: 0 };
        // SAFETY: the structure is the operation's.
        unsafe { operate(self.entry, number, operation, &mut argument)? };
        Ok(Port(argument.port))
    }
}
