//! Segments, stacks for exceptions, and handlers of a vCPU.
//!
//! Exceptions run on a stack of their own, and the double fault on another, so that neither needs
//! the stack whose overflow it may report. What a vCPU has of its own is one value,
//! [`VcpuTables`]; the table of handlers is the same for all.

use core::arch::global_asm;
use core::mem::MaybeUninit;

use boot_info::stack::Place;
use spin::{Mutex, MutexGuard, Once};
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::idt::InterruptDescriptorTable;
use x86_64::structures::tss::TaskStateSegment;
use xen_abi::PAGE_SIZE;

use crate::cpu;
use crate::stack::Stack;

/// Entry of the interrupt stack table for exceptions.
const EXCEPTION_STACK: u16 = 0;
/// Entry of the interrupt stack table for the double fault.
const DOUBLE_FAULT_STACK: u16 = 1;
/// Bytes of code of one exception's stub.
const STUB_SIZE: u64 = 16;

global_asm!(include_str!("exception.s"), options(att_syntax));

unsafe extern "C" {
    static cpu_exception_stubs: [u8; 32 * STUB_SIZE as usize];
}

/// Memory of all that a vCPU has of its own. It begins as zeros, which take no room in the file,
/// and lies in the image, for only pages below 2 MiB can be guards.
struct VcpuTables {
    exception_stack: Stack<{ 4 * PAGE_SIZE }>,
    double_fault_stack: Stack<{ 4 * PAGE_SIZE }>,
    tss: MaybeUninit<TaskStateSegment>,
    gdt: MaybeUninit<GlobalDescriptorTable>,
}

/// Tables that a vCPU has loaded.
#[derive(Debug)]
pub struct Loaded {
    /// Task state, in which the processor finds its stacks.
    tss: *mut TaskStateSegment,
    exception_stack: Place,
    double_fault_stack: Place,
}

/// All stacks, of whichever vCPU; a static, because the handler of an exception, which the
/// processor calls, has to report an overflow of one as such.
static STACKS: Once<[Place; 3]> = Once::new();

/// Loads the boot vCPU's tables, takes the guard pages away and sets the handlers. To be called
/// once.
pub fn init() -> Loaded {
    static BOOT_VCPU: Mutex<VcpuTables> = Mutex::new(VcpuTables::new());
    static HANDLERS: Once<InterruptDescriptorTable> = Once::new();

    // A leaked lock: from here on the processor alone uses what is behind it.
    let loaded = MutexGuard::leak(BOOT_VCPU.lock()).load();
    let boot = boot::stack();
    let boot = Place { name: "boot", bottom: boot.start as usize, top: boot.end as usize };
    STACKS.call_once(|| [boot, loaded.exception_stack, loaded.double_fault_stack]);
    HANDLERS.call_once(handlers).load();
    loaded
}

/// Returns the stacks that there are: `main`'s, that of exceptions, that of the double fault.
pub fn stacks() -> &'static [Place] {
    STACKS.get().map_or(&[], |stacks| stacks)
}

impl VcpuTables {
    const fn new() -> Self {
        Self {
            exception_stack: Stack::new(),
            double_fault_stack: Stack::new(),
            tss: MaybeUninit::zeroed(),
            gdt: MaybeUninit::zeroed(),
        }
    }

    /// Fills the tables in and loads them on the vCPU that this runs on.
    fn load(&'static mut self) -> Loaded {
        let exception_stack = self.exception_stack.install("exception");
        let double_fault_stack = self.double_fault_stack.install("double fault");
        let top = |stack: &Place| VirtAddr::new(stack.top as u64);
        let tss = self.tss.write(TaskStateSegment::new());
        tss.interrupt_stack_table[usize::from(EXCEPTION_STACK)] = top(&exception_stack);
        tss.interrupt_stack_table[usize::from(DOUBLE_FAULT_STACK)] = top(&double_fault_stack);
        let tss = &raw mut *tss;

        let gdt = self.gdt.write(GlobalDescriptorTable::new());
        let code = gdt.append(Descriptor::kernel_code_segment());
        let data = gdt.append(Descriptor::kernel_data_segment());
        // SAFETY: the task state lives for ever.
        let task = gdt.append(unsafe { Descriptor::tss_segment_unchecked(tss) });
        gdt.load();
        // SAFETY: the selectors name a 64-bit code segment, a data segment and the task state of
        // the table that was just loaded and lives for ever; code and data are flat, as before.
        unsafe {
            CS::set_reg(code);
            SS::set_reg(data);
            DS::set_reg(SegmentSelector::NULL);
            ES::set_reg(SegmentSelector::NULL);
            load_tss(task);
        }
        Loaded { tss, exception_stack, double_fault_stack }
    }
}

impl Loaded {
    /// Calls `act` while exceptions find no stack: each one is a double fault.
    pub fn without_exception_stack<T>(&mut self, act: impl FnOnce() -> T) -> T {
        // At its bottom, so that the first push hits the guard page.
        let before = self.set_exception_stack(VirtAddr::new(self.exception_stack.bottom as u64));
        let result = act();
        self.set_exception_stack(before);
        result
    }

    /// Sets where the exception stack begins; returns where it began.
    fn set_exception_stack(&mut self, top: VirtAddr) -> VirtAddr {
        // SAFETY: the task state lives for ever, the processor only reads it, and it is reached in
        // no other way. The fields need not be aligned.
        unsafe {
            let entry = &raw mut (*self.tss).interrupt_stack_table[usize::from(EXCEPTION_STACK)];
            let before = entry.read_unaligned();
            entry.write_unaligned(top);
            before
        }
    }

    /// Returns the place of the exception stack.
    pub fn exception_stack(&self) -> &Place {
        &self.exception_stack
    }
}

/// Returns the table of all handlers.
fn handlers() -> InterruptDescriptorTable {
    let mut idt = InterruptDescriptorTable::new();
    let stubs = VirtAddr::from_ptr(&raw const cpu_exception_stubs);
    macro_rules! exceptions {
        ($stack:ident: $($vector:literal $entry:ident),* $(,)?) => {$(
            // SAFETY: exception.s has a stub of STUB_SIZE bytes for each vector below 32 that
            // follows the interrupt calling convention and returns to where the handler says; the
            // entry of the stack table is set.
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
    // SAFETY: `upcall_handler` says what the handler keeps.
    unsafe {
        idt[cpu::UPCALL_VECTOR].set_handler_addr(cpu::upcall_handler());
    }
    idt
}
