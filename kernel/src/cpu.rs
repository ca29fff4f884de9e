//! Segments, exceptions and the one interrupt of a vCPU.
//!
//! Interrupts are off while Rust code runs; they are on only inside [`halt_window`]. So the handler
//! of the event upcall needs to do nothing but take the upcall flag back. Exceptions run on a stack
//! of their own ([`exception`](crate::exception) has what they do), and the double fault on
//! another, so that neither needs the stack whose overflow it may report.

use core::arch::global_asm;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use spin::{Mutex, Once};
use x86_64::VirtAddr;
use x86_64::instructions::port::Port;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::idt::InterruptDescriptorTable;
use x86_64::structures::tss::TaskStateSegment;
use xen_abi::PAGE_SIZE;

use crate::stack::{Place, Stack};

/// The vector of the event upcall.
pub const UPCALL_VECTOR: u8 = 0xf3;
/// Entry of the interrupt stack table for exceptions.
const EXCEPTION_STACK: u16 = 0;
/// Entry of the interrupt stack table for the double fault.
const DOUBLE_FAULT_STACK: u16 = 1;
/// Command ports of the two legacy interrupt controllers (8259); their masks are one above.
const LEGACY_MASTER: u16 = 0x20;
const LEGACY_SLAVE: u16 = 0xa0;
/// Bytes of code of one exception's stub.
const STUB_SIZE: u64 = 16;

/// The byte that asks for an upcall; the handler clears it. Null until Xen's shared page is there,
/// and until then there is no upcall either.
#[unsafe(export_name = "cpu_upcall_flag")]
static UPCALL_FLAG: AtomicPtr<AtomicU8> = AtomicPtr::new(core::ptr::null_mut());

global_asm!(include_str!("cpu.s"), options(att_syntax));

unsafe extern "C" {
    static cpu_exception_stubs: [u8; 32 * STUB_SIZE as usize];
    static cpu_upcall: u8;
    fn cpu_halt_window();
}

/// A vCPU's descriptor table and task state.
struct Tables {
    tss: TaskStateSegment,
    gdt: GlobalDescriptorTable,
}

/// A vCPU's stacks. Apart from [`Tables`], for they are zeros, which take no room in the file.
struct VcpuStacks {
    exception: Stack<{ 4 * PAGE_SIZE }>,
    double_fault: Stack<{ 4 * PAGE_SIZE }>,
}

/// All stacks; a static, because a fault has to tell whether it is an overflow of one.
static STACKS: Once<[Place; 3]> = Once::new();
/// The task state that the processor finds its stacks in.
static TSS: AtomicPtr<TaskStateSegment> = AtomicPtr::new(core::ptr::null_mut());

/// Loads the descriptor tables and takes the guard pages away. Once, on the boot vCPU.
pub fn init() {
    static TABLES: Mutex<Tables> =
        Mutex::new(Tables { tss: TaskStateSegment::new(), gdt: GlobalDescriptorTable::new() });
    static VCPU_STACKS: Mutex<VcpuStacks> =
        Mutex::new(VcpuStacks { exception: Stack::new(), double_fault: Stack::new() });
    static IDT: Mutex<InterruptDescriptorTable> = Mutex::new(InterruptDescriptorTable::new());

    // Leaked locks: from here on the processor alone uses what is behind them.
    let Tables { tss, gdt } = spin::MutexGuard::leak(TABLES.lock());
    let stacks = spin::MutexGuard::leak(VCPU_STACKS.lock());
    let idt = spin::MutexGuard::leak(IDT.lock());

    let exception_stack = stacks.exception.install("exception");
    let double_fault_stack = stacks.double_fault.install("double fault");
    let top = |stack: &Place| VirtAddr::new(stack.top as u64);
    tss.interrupt_stack_table[usize::from(EXCEPTION_STACK)] = top(&exception_stack);
    tss.interrupt_stack_table[usize::from(DOUBLE_FAULT_STACK)] = top(&double_fault_stack);
    STACKS.call_once(|| [Place::boot(), exception_stack, double_fault_stack]);
    let tss = &raw mut *tss;
    TSS.store(tss, Ordering::Relaxed);

    let code = gdt.append(Descriptor::kernel_code_segment());
    let data = gdt.append(Descriptor::kernel_data_segment());
    // SAFETY: the task state lives for ever.
    let task = gdt.append(unsafe { Descriptor::tss_segment_unchecked(tss) });
    gdt.load();
    // SAFETY: the selectors name a 64-bit code segment, a data segment and the task state of the
    // table that was just loaded and lives for ever; code and data are flat, as before.
    unsafe {
        CS::set_reg(code);
        SS::set_reg(data);
        DS::set_reg(SegmentSelector::NULL);
        ES::set_reg(SegmentSelector::NULL);
        load_tss(task);
    }
    set_handlers(idt);
    idt.load();
}

/// The stacks that there are: `main`'s, that of exceptions, that of the double fault.
pub fn stacks() -> &'static [Place] {
    STACKS.get().map_or(&[], |stacks| stacks)
}

/// Calls `act` while exceptions find no stack: each one is a double fault.
pub fn without_exception_stack<T>(act: impl FnOnce() -> T) -> T {
    let set = |top: VirtAddr| {
        let tss = TSS.load(Ordering::Relaxed);
        // SAFETY: `init` stored the address of the task state, which the processor only reads; it
        // is reached in no other way. The fields need not be aligned.
        unsafe {
            let entry = &raw mut (*tss).interrupt_stack_table[usize::from(EXCEPTION_STACK)];
            let before = entry.read_unaligned();
            entry.write_unaligned(top);
            before
        }
    };
    // At its bottom, so that the first push hits the guard page.
    let [_, exception_stack, _] = STACKS.get().expect("`init` was called");
    let before = set(VirtAddr::new(exception_stack.bottom as u64));
    let result = act();
    set(before);
    result
}

fn set_handlers(idt: &mut InterruptDescriptorTable) {
    let stubs = VirtAddr::from_ptr(&raw const cpu_exception_stubs);
    macro_rules! exceptions {
        ($stack:ident: $($vector:literal $entry:ident),* $(,)?) => {$(
            // SAFETY: cpu.s has a stub of STUB_SIZE bytes for each vector below 32 that follows
            // the interrupt calling convention and returns to where the handler says; the entry of
            // the stack table is set.
            unsafe {
                idt.$entry.set_handler_addr(stubs + $vector * STUB_SIZE).set_stack_index($stack);
            }
        )*};
    }
    exceptions! { DOUBLE_FAULT_STACK: 8 double_fault }
    exceptions! {
        EXCEPTION_STACK:
        0 divide_error, 1 debug, 2 non_maskable_interrupt, 3 breakpoint, 4 overflow,
        5 bound_range_exceeded, 6 invalid_opcode, 7 device_not_available,
        10 invalid_tss, 11 segment_not_present, 12 stack_segment_fault,
        13 general_protection_fault, 14 page_fault, 16 x87_floating_point, 17 alignment_check,
        18 machine_check, 19 simd_floating_point, 20 virtualization,
    }
    // SAFETY: the handler keeps every register and returns by `iretq`; it runs only from the halt
    // window, where no red zone is live.
    unsafe {
        idt[UPCALL_VECTOR].set_handler_addr(VirtAddr::from_ptr(&raw const cpu_upcall));
    }
}

/// Masks the two legacy interrupt controllers, if there are any: a PC's firmware leaves the timer's
/// tick on, at a vector that means an exception.
pub fn mask_legacy_interrupts() {
    for port in [LEGACY_MASTER + 1, LEGACY_SLAVE + 1] {
        // SAFETY: the mask of an 8259, or nothing.
        unsafe { Port::<u8>::new(port).write(0xff) };
    }
}

/// Waits until the legacy timer asks for an interrupt, within bounds, and then lets interrupts
/// through for a moment; answers whether it asked. It has no handler: if its tick is not masked,
/// this does not return. Not for a guest of Xen's, where an upcall might be due.
pub fn meet_legacy_tick() -> bool {
    const READ_REQUESTS: u8 = 0x0a;
    let mut master = Port::<u8>::new(LEGACY_MASTER);
    // SAFETY: the command chooses what reading the controller gives, until the next command.
    let asks = unsafe {
        master.write(READ_REQUESTS);
        (0..1_000_000).any(|_| master.read() & 1 != 0)
    };
    // SAFETY: nothing is touched unless an interrupt comes, and that one is fatal anyway.
    unsafe { core::arch::asm!("sti", "nop", "cli") };
    asks
}

/// Tells the upcall handler which flag to take back.
pub fn set_upcall_flag(flag: &'static AtomicU8) {
    UPCALL_FLAG.store(core::ptr::from_ref(flag).cast_mut(), Ordering::Release);
}

/// Sleeps until the next upcall, or not at all if one is due. The only place where interrupts are
/// on.
#[inline]
pub fn halt_window() {
    // SAFETY: cpu.s; the upcall handler keeps every register, touches no memory but its flag and
    // the stack below that function's frame, and interrupts are off again on return.
    unsafe { cpu_halt_window() }
}

/// Ends the vCPU's work.
pub fn halt_forever() -> ! {
    loop {
        x86_64::instructions::interrupts::disable();
        x86_64::instructions::hlt();
    }
}

/// The time stamp counter, not before earlier loads are done.
#[inline]
pub fn tsc() -> u64 {
    // SAFETY: both instructions exist on every x86-64 processor that Xen runs on.
    unsafe {
        core::arch::x86_64::_mm_lfence();
        core::arch::x86_64::_rdtsc()
    }
}
