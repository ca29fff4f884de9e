//! Segments, stacks for exceptions, and handlers of a vCPU.
//!
//! Exceptions run on a stack of their own, and the double fault on another, so that neither needs
//! the stack whose overflow it may report. What a vCPU has of its own is one value,
//! [`VcpuTables`]; the table of handlers is the same for all.
//!
//! The boot vCPU's lie in the image. Those of the others ([`Ready`]) are made of memory, all before
//! the first of them runs, so that no vCPU has a page in its TLB that becomes a guard.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::mem::{self, MaybeUninit};
use core::sync::atomic::AtomicU8;

use boot_info::stack::Place;
use load::plan::VCPU_PAGES;
pub use load::plan::VCPUS_MAX;
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::registers::control::{Cr0, Cr3, Cr4};
use x86_64::registers::model_specific::Efer;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::idt::InterruptDescriptorTable;
use x86_64::structures::tss::TaskStateSegment;
use xen_abi::hvm_vcpu::{self, HvmContext, Registers64};
use xen_abi::{Errno, PAGE_SIZE};

use crate::cpu::{self, HaltWindow};
use crate::stack::Stack;
use crate::xen::{self, Xen};

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

/// Number of the vCPU that the domain begins with.
pub const BOOT_VCPU: u32 = 0;
/// Size of the stack of a vCPU other than the boot vCPU, in bytes: as large as that one's.
const STACK_SIZE: usize = 16 * PAGE_SIZE;

/// Layout of all that the processor uses of a vCPU. As it has guards, it is had by raw pointers.
struct VcpuTables {
    exception_stack: Stack<{ 4 * PAGE_SIZE }>,
    double_fault_stack: Stack<{ 4 * PAGE_SIZE }>,
    tss: MaybeUninit<TaskStateSegment>,
    gdt: MaybeUninit<GlobalDescriptorTable>,
}

/// Layout of all that a vCPU has of its own, of one that is not the boot vCPU.
struct VcpuMemory {
    stack: Stack<STACK_SIZE>,
    tables: VcpuTables,
}

// What a guest needs is computed with it.
const _: () = assert!(size_of::<VcpuMemory>() / PAGE_SIZE + 3 <= VCPU_PAGES as usize);

/// Memory of the boot vCPU's tables. It begins as zeros, which take no room in the file.
struct BootMemory(UnsafeCell<MaybeUninit<VcpuTables>>);

// SAFETY: `init` alone uses it, and is called once.
unsafe impl Sync for BootMemory {}

/// Tables whose stacks have their guards, for a vCPU to load.
struct Installed {
    vcpu: u32,
    tss: &'static mut MaybeUninit<TaskStateSegment>,
    gdt: &'static mut MaybeUninit<GlobalDescriptorTable>,
    exception_stack: Place,
    double_fault_stack: Place,
}

/// All that a vCPU has of its own, before it runs for the first time.
pub struct Ready {
    id: u32,
    stack: Place,
    tables: Installed,
}

/// Beginning of a vCPU: its tables, and what runs then.
struct Beginning<T: 'static> {
    tables: Installed,
    code: fn(Loaded, &'static T) -> !,
    argument: &'static T,
}

/// Tables that a vCPU has loaded. It stays on that vCPU.
#[derive(Debug)]
pub struct Loaded {
    /// Task state, in which the processor finds its stacks.
    tss: *mut TaskStateSegment,
    exception_stack: Place,
    /// Flag: it is the boot vCPU's, and no other vCPU has ever run.
    is_alone: bool,
}

/// Each vCPU's stacks: its own, that of exceptions, that of the double fault. A static, because the
/// handler of an exception, which the processor calls, has to report an overflow of one as such.
static STACKS: [Once<[Place; 3]>; VCPUS_MAX] = [const { Once::new() }; VCPUS_MAX];

/// The table of handlers.
static HANDLERS: Once<InterruptDescriptorTable> = Once::new();

/// Loads the boot vCPU's tables, takes the guard pages away and sets the handlers.
///
/// # Safety
/// To be called once, on the boot vCPU, when no other has run.
pub unsafe fn init() -> Loaded {
    static MEMORY: BootMemory = BootMemory(UnsafeCell::new(MaybeUninit::zeroed()));

    let memory = UnsafeCell::raw_get(&raw const MEMORY.0).cast();
    // SAFETY: nobody else uses that memory, nor was it used before, and no other vCPU runs (the
    // caller's promise).
    let tables = unsafe { Installed::new(memory, BOOT_VCPU) };
    let boot = boot::stack();
    let (bottom, top) = (boot.start as usize, boot.end as usize);
    note_stacks(Place { name: "boot", vcpu: BOOT_VCPU, bottom, top }, &tables);
    // SAFETY: this is the boot vCPU (the caller's promise).
    Loaded { is_alone: true, ..unsafe { tables.load() } }
}

fn note_stacks(stack: Place, tables: &Installed) {
    let stacks = [stack, tables.exception_stack, tables.double_fault_stack];
    STACKS[stack.vcpu as usize].call_once(|| stacks);
}

/// Returns the stacks of vCPU `id`, as far as it has any.
pub fn stacks_of(id: u32) -> &'static [Place] {
    let stacks = STACKS.get(id as usize).and_then(Once::get);
    stacks.map_or(&[], |stacks| stacks)
}

/// Returns the stacks of all vCPUs.
pub fn stacks() -> impl Iterator<Item = &'static Place> {
    STACKS.iter().filter_map(Once::get).flatten()
}

/// Makes all that vCPU `id`, which has nothing yet, has of its own. `None` if there is not enough
/// memory.
///
/// # Safety
/// No other vCPU has ever run.
unsafe fn make(xen: &Xen, id: u32) -> Option<Ready> {
    let memory = xen.memory_for_good::<VcpuMemory>()?.as_ptr();
    // SAFETY: the fields of memory that is there, as pointers.
    let (stack, tables) = unsafe { (&raw mut (*memory).stack, &raw mut (*memory).tables) };
    // SAFETY: as above.
    let (exception, double_fault) =
        unsafe { (&raw mut (*tables).exception_stack, &raw mut (*tables).double_fault_stack) };
    for guard in [Stack::guard(stack), Stack::guard(exception), Stack::guard(double_fault)] {
        if boot::is_large(guard) {
            // SAFETY: nobody else uses that memory; zeros are entries of a table.
            let table = unsafe { xen.memory_for_good()?.as_mut() };
            // SAFETY: no other vCPU runs (the caller's promise).
            unsafe { boot::split(guard, table) };
        }
    }
    // SAFETY: nobody else uses that memory, for good; no other vCPU runs (the caller's promise).
    let (stack, tables) =
        unsafe { (Stack::install(stack, "main", id), Installed::new(tables, id)) };
    note_stacks(stack, &tables);
    Some(Ready { id, stack, tables })
}

impl Installed {
    /// Takes the guard pages away.
    ///
    /// # Safety
    /// `memory` points to memory that lives for ever. Nobody else uses it, and no reference that
    /// covers any of it is used from here on. No other vCPU runs.
    unsafe fn new(memory: *mut VcpuTables, vcpu: u32) -> Self {
        // SAFETY: the caller's promise; these references cover no stack.
        let (tss, gdt) = unsafe { (&mut (*memory).tss, &mut (*memory).gdt) };
        // SAFETY: the caller's promise.
        let [exception_stack, double_fault_stack] = unsafe {
            [
                Stack::install(&raw mut (*memory).exception_stack, "exception", vcpu),
                Stack::install(&raw mut (*memory).double_fault_stack, "double fault", vcpu),
            ]
        };
        Self { vcpu, tss, gdt, exception_stack, double_fault_stack }
    }

    /// Fills the tables in and loads them, the handlers too.
    ///
    /// # Safety
    /// This runs on the vCPU that they are for, outside of any exception.
    unsafe fn load(self) -> Loaded {
        let Self { vcpu, tss, gdt, exception_stack, double_fault_stack } = self;
        // SAFETY: the caller's promise.
        unsafe { cpu::begin(vcpu) };
        let top = |stack: &Place| VirtAddr::new(stack.top as u64);
        let tss = tss.write(TaskStateSegment::new());
        tss.interrupt_stack_table[usize::from(EXCEPTION_STACK)] = top(&exception_stack);
        tss.interrupt_stack_table[usize::from(DOUBLE_FAULT_STACK)] = top(&double_fault_stack);
        let tss = &raw mut *tss;

        let gdt = gdt.write(GlobalDescriptorTable::new());
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
        HANDLERS.call_once(handlers).load();
        Loaded { tss, exception_stack, is_alone: false }
    }
}

impl Ready {
    /// Returns the number of the vCPU.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Sets the vCPU's registers, so that once it is let run it loads its tables, and then runs
    /// `code` with them and `argument`.
    ///
    /// # Errors
    /// Xen's.
    pub fn begin_at<T: Sync>(
        self,
        xen: &Xen,
        code: fn(Loaded, &'static T) -> !,
        argument: &'static T,
    ) -> Result<(), Errno> {
        let Self { id, stack, tables } = self;
        let beginning = Box::into_raw(Box::new(Beginning { tables, code, argument }));
        let entry: extern "C" fn(*mut Beginning<T>) -> ! = begin;
        let registers = Registers64 {
            // As if called: what returns finds a null pointer.
            rsp: (stack.top - size_of::<usize>()) as u64,
            rdi: beginning.expose_provenance() as u64,
            rip: entry as usize as u64,
            cr0: Cr0::read_raw(),
            cr3: Cr3::read_raw().0.start_address().as_u64(),
            cr4: Cr4::read_raw(),
            efer: Efer::read_raw(),
            ..Registers64::default()
        };
        let mode = hvm_vcpu::MODE_64;
        let mut context = HvmContext { mode, registers, ..HvmContext::default() };
        // SAFETY: the vCPU has this one's page tables and modes, so it runs what a call of `begin`
        // runs, on a stack that nobody else has and that it never leaves. Interrupts are off. It
        // begins once, for Xen takes registers once, and has a beginning of its own.
        unsafe { xen::initialise_vcpu(xen.entry(), id, &mut context) }
    }
}

/// Runs on a vCPU from its beginning.
extern "C" fn begin<T: Sync>(beginning: *mut Beginning<T>) -> ! {
    // SAFETY: `begin_at` made it for this vCPU, which alone has it, and which is the one that the
    // tables are for.
    let (tables, code, argument) = unsafe {
        let Beginning { tables, code, argument } = *Box::from_raw(beginning);
        (tables.load(), code, argument)
    };
    code(tables, argument)
}

impl Loaded {
    /// Returns the sleep of the vCPU that this runs on, whose upcalls are to take `flag` back.
    pub fn halt_window(&self, flag: &'static AtomicU8) -> HaltWindow {
        // SAFETY: this vCPU has loaded its tables (`load`).
        unsafe { HaltWindow::new(flag) }
    }

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

    /// Makes all that the vCPUs from 1 up to `count`, not included, have of their own, in the order
    /// of their numbers. `None` if there is not enough memory, or another vCPU may have run, as
    /// after the first call.
    pub fn make_others(&mut self, xen: &Xen, count: u32) -> Option<Vec<Ready>> {
        if !mem::take(&mut self.is_alone) {
            return None;
        }
        // SAFETY: no other vCPU has run: none can before it has what is made here, and only now.
        (1..count).map(|id| unsafe { make(xen, id) }).collect()
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
