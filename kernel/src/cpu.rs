//! Segments, exceptions and the one interrupt of a vCPU.
//!
//! Interrupts are off while Rust code runs; they are on only inside [`halt_window`]. So the handler
//! of the event upcall needs to do nothing but take the upcall flag back, and every exception is
//! fatal: it is shown with the registers, and the domain crashes.

use core::arch::global_asm;
use core::fmt;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use spin::Mutex;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::registers::control::Cr2;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::idt::InterruptDescriptorTable;
use x86_64::structures::tss::TaskStateSegment;

/// The vector of the event upcall.
pub const UPCALL_VECTOR: u8 = 0xf3;
/// Bytes of the stack that exceptions run on.
const EXCEPTION_STACK_SIZE: usize = 16 * 1024;
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

/// Loads the descriptor tables. Once, on the boot vCPU.
pub fn init() {
    #[repr(align(16))]
    struct Stack(#[expect(dead_code, reason = "used by its address")] [u8; EXCEPTION_STACK_SIZE]);
    static STACK: Mutex<Stack> = Mutex::new(Stack([0; EXCEPTION_STACK_SIZE]));
    static TSS: Mutex<TaskStateSegment> = Mutex::new(TaskStateSegment::new());
    static GDT: Mutex<GlobalDescriptorTable> = Mutex::new(GlobalDescriptorTable::new());
    static IDT: Mutex<InterruptDescriptorTable> = Mutex::new(InterruptDescriptorTable::new());

    // Leaked locks: from here on the processor alone uses what is behind them.
    let stack = spin::MutexGuard::leak(STACK.lock());
    let tss = spin::MutexGuard::leak(TSS.lock());
    let gdt = spin::MutexGuard::leak(GDT.lock());
    let idt = spin::MutexGuard::leak(IDT.lock());

    tss.interrupt_stack_table[0] = VirtAddr::from_ptr(stack) + EXCEPTION_STACK_SIZE as u64;
    let code = gdt.append(Descriptor::kernel_code_segment());
    let data = gdt.append(Descriptor::kernel_data_segment());
    let task = gdt.append(Descriptor::tss_segment(tss));
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

fn set_handlers(idt: &mut InterruptDescriptorTable) {
    let stubs = VirtAddr::from_ptr(&raw const cpu_exception_stubs);
    macro_rules! fatal {
        ($($vector:literal $entry:ident),* $(,)?) => {$(
            // SAFETY: cpu.s has a stub of STUB_SIZE bytes for each vector below 32 that follows
            // the interrupt calling convention and never returns; stack table entry 0 is set.
            unsafe {
                idt.$entry.set_handler_addr(stubs + $vector * STUB_SIZE).set_stack_index(0);
            }
        )*};
    }
    fatal! {
        0 divide_error, 1 debug, 2 non_maskable_interrupt, 3 breakpoint, 4 overflow,
        5 bound_range_exceeded, 6 invalid_opcode, 7 device_not_available, 8 double_fault,
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

/// The time stamp counter, not before earlier loads are done.
#[inline]
pub fn tsc() -> u64 {
    // SAFETY: both instructions exist on every x86-64 processor that Xen runs on.
    unsafe {
        core::arch::x86_64::_mm_lfence();
        core::arch::x86_64::_rdtsc()
    }
}

/// What cpu.s pushes, from the lowest address on.
#[repr(C)]
#[derive(Debug)]
struct Frame {
    /// r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax.
    registers: [u64; 15],
    vector: u64,
    error_code: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.vector {
            0 => "divide error",
            2 => "non-maskable interrupt",
            3 => "breakpoint",
            6 => "invalid opcode",
            8 => "double fault",
            13 => "general protection fault",
            14 => "page fault",
            18 => "machine check",
            _ => "exception",
        };
        writeln!(
            f,
            "{name} (vector {}, error {:#x}) at rip {:#x}",
            self.vector, self.error_code, self.rip
        )?;
        if self.vector == 14 {
            writeln!(f, "  address {:#x}", Cr2::read_raw())?;
        }
        writeln!(f, "  rsp {:#018x} rflags {:#x} cs {:#x}", self.rsp, self.rflags, self.cs)?;
        let names = [
            "r15", "r14", "r13", "r12", "r11", "r10", " r9", " r8", "rbp", "rdi", "rsi", "rdx",
            "rcx", "rbx", "rax",
        ];
        for (place, (name, value)) in names.iter().zip(self.registers).enumerate() {
            let end = if place % 4 == 3 || place == 14 { "\n" } else { "" };
            write!(f, "  {name} {value:#018x}{end}")?;
        }
        Ok(())
    }
}

/// Called by the stubs.
#[unsafe(no_mangle)]
extern "C" fn cpu_fatal_exception(frame: &Frame) -> ! {
    crate::lifecycle::crash(format_args!("{frame}"))
}
