//! The rights of memory: each rule is checked by breaking it, which must fault.

use alloc::boxed::Box;
use core::hint::black_box;
use core::ops::Range;
use core::ptr;

use boot_info::cpuid;
use boot_info::exception::{DOUBLE_FAULT, Expected, PAGE_FAULT};
use boot_info::stack::Place;
use drivers::Page;
use spin::Mutex;
use x86_64::structures::idt::PageFaultErrorCode;
use x86_64::structures::paging::PageTableFlags;
use xen_abi::PAGE_SIZE;

use super::attempt::is_raised;
use super::tally::Selftest;
use crate::vcpu_tables;

/// The instruction `ret`: memory that can be executed returns at once.
const RET: u8 = 0xc3;

// Error codes of page faults.
const READ_ABSENT: PageFaultErrorCode = PageFaultErrorCode::empty();
const WRITE_ABSENT: PageFaultErrorCode = PageFaultErrorCode::CAUSED_BY_WRITE;
const WRITE_FORBIDDEN: PageFaultErrorCode =
    WRITE_ABSENT.union(PageFaultErrorCode::PROTECTION_VIOLATION);
const EXECUTE_FORBIDDEN: PageFaultErrorCode =
    PageFaultErrorCode::INSTRUCTION_FETCH.union(PageFaultErrorCode::PROTECTION_VIOLATION);

unsafe extern "C" {
    static cpu_attempt_read: u8;
    static cpu_attempt_write: u8;
    static cpu_attempt_rewrite: u8;
    static cpu_attempt_execute: u8;
    static cpu_attempt_overflow: u8;
}

static CONSTANT: u8 = RET;
static DATA: Mutex<u8> = Mutex::new(RET);
static ZEROED: Mutex<u8> = Mutex::new(0);

impl Selftest {
    /// Checks the rights of the image, the heap and the stacks.
    pub(super) fn protection(&mut self, tables: &mut vcpu_tables::Loaded) {
        self.check("the processor can forbid execution (NX)", boot::has_nx());
        let text = (&raw const cpu_attempt_read).addr();
        self.check("text can't be written", is_write_forbidden(text));
        self.check(
            "constants can't be written",
            is_write_forbidden(ptr::from_ref(&CONSTANT).addr()),
        );
        self.check("constants can't be executed", is_execution_forbidden(&CONSTANT));
        self.check("data can't be executed", is_execution_forbidden(&DATA.lock()));
        *ZEROED.lock() = RET;
        self.check("zeroed data can't be executed", is_execution_forbidden(&ZEROED.lock()));
        self.check("the heap can't be executed", is_execution_forbidden(&Box::new(black_box(RET))));
        self.check("the stack can't be executed", is_execution_forbidden(&black_box(RET)));
        self.check("page 0 can't be accessed", is_absent(0..PAGE_SIZE));
        self.alias(text);
        self.stacks(vcpu_tables::stacks());
        let guard = tables.exception_stack().guard();
        let is_raised = tables.without_exception_stack(|| {
            let code = (&raw const cpu_attempt_read).addr();
            // SAFETY: a read of page 0, which was just seen to fault.
            unsafe { is_raised(double_fault(guard), code, 0) }
        });
        self.check(
            "without its stack an exception becomes a double fault, on another stack",
            is_raised,
        );
        self.mappings();
    }

    /// Checks that what the alias shows, `text` and all else, is read there and no more.
    fn alias(&mut self, text: usize) {
        let has_alias = boot::read_alias() != 0;
        let is_due = cpuid::has_huge_pages(core::arch::x86_64::__cpuid);
        self.check("memory has an alias if there are pages of 1 GiB", has_alias == is_due);
        if !has_alias {
            return;
        }
        let alias_of = |address: usize| address + boot::read_alias() as usize;
        let constant = alias_of(ptr::from_ref(&CONSTANT).expose_provenance());
        // SAFETY: the constant, once more, as nobody writes it.
        let shown = unsafe { ptr::with_exposed_provenance::<u8>(constant).read_volatile() };
        self.check("the alias shows a constant", shown == RET);
        self.check("the alias of text can't be written", is_write_forbidden(alias_of(text)));
        let data = alias_of(ptr::from_ref(&*DATA.lock()).addr());
        self.check("the alias of data can't be written", is_write_forbidden(data));
        // SAFETY: there is `ret`, as was just seen.
        let is_forbidden = unsafe { is_execution_forbidden_at(constant) };
        self.check("the alias can't be executed", is_forbidden);
    }

    /// Checks that the hypercall's instruction is at `stub`, in far text, if it was to be moved.
    pub(super) fn far_text(&mut self, stub: Option<usize>) {
        let is_where_due = stub.is_some() == self.moved.is_some();
        self.check("hypercalls are made from far text where they can be", is_where_due);
        if let Some(stub) = stub {
            self.check("far text can't be written", is_write_forbidden(stub));
        }
        if let Some(origin) = self.moved {
            self.check("it has left its place", is_absent(origin..origin + PAGE_SIZE));
        }
    }

    /// Checks that a page that is to be shared can't be executed.
    pub(super) fn page(&mut self, page: &mut Page) {
        page.write(0, &[RET]);
        // SAFETY: the page is ours and begins with `ret`.
        let is_forbidden = unsafe { is_execution_forbidden_at(page.start().as_ptr().addr()) };
        self.check("a page can't be executed", is_forbidden);
    }

    /// Checks the guards of stacks: the one that this runs on, and others that nobody runs on.
    pub(super) fn stacks<'s>(&mut self, stacks: impl IntoIterator<Item = &'s Place>) {
        stacks.into_iter().for_each(|stack| self.guard(stack));
    }

    /// Checks that the page below a stack faults, also when the stack really overflows.
    fn guard(&mut self, stack: &Place) {
        let is_guarded = is_absent(stack.guard());
        self.check(&alloc::format!("the page below {stack} can't be accessed"), is_guarded);
        let here = 0_u8;
        let is_ours = (stack.bottom..stack.top).contains(&ptr::from_ref(&here).addr());
        let code = (&raw const cpu_attempt_overflow).addr();
        let from = if is_ours { 0 } else { stack.top };
        // SAFETY: nothing below the present frame is in use, nor anything of a stack that nobody
        // runs on; the overflow goes no further than the guard page, as was just seen.
        let overflows =
            || unsafe { is_raised(page_fault(WRITE_ABSENT, stack.guard()), code, from) };
        self.check(&alloc::format!("an overflow of {stack} faults"), is_guarded && overflows());
    }

    /// Checks the page tables as a whole.
    pub(super) fn mappings(&mut self) {
        let has = |flags: PageTableFlags| move |page: &boot::Mapping| page.flags.contains(flags);
        let is_executable = |page: &boot::Mapping| {
            has(PageTableFlags::PRESENT)(page) && !has(PageTableFlags::NO_EXECUTE)(page)
        };
        let clean = boot::mappings()
            .chain(boot::high_mappings())
            .filter(is_executable)
            .all(|page| !has(PageTableFlags::WRITABLE)(&page));
        self.check("no page is both writable and executable", clean);
        let is_written = boot::high_mappings().any(|page| has(PageTableFlags::WRITABLE)(&page));
        self.check("no page above 4 GiB is writable", !is_written);
        let absent = boot::mappings().filter(|page| !has(PageTableFlags::PRESENT)(page));
        let mut absent = absent.map(|page| page.page.start as usize);
        let is_guard = |at| vcpu_tables::stacks().any(|stack| stack.guard().start == at);
        let is_known = |at| is_guard(at) || Some(at) == self.moved;
        let known = absent.next() == Some(0) && absent.all(is_known);
        self.check("all pages but page 0, those below stacks and one moved are mapped", known);
    }
}

fn page_fault(error_code: PageFaultErrorCode, addresses: Range<usize>) -> Expected {
    Expected { vector: PAGE_FAULT, error_code: error_code.bits(), addresses }
}

fn double_fault(addresses: Range<usize>) -> Expected {
    Expected { vector: DOUBLE_FAULT, error_code: 0, addresses }
}

/// Returns whether neither end of a page that holds nothing can be read or written.
pub(super) fn is_absent(page: Range<usize>) -> bool {
    let attempts =
        [(&raw const cpu_attempt_read, READ_ABSENT), (&raw const cpu_attempt_write, WRITE_ABSENT)];
    [page.start, page.end - 1].into_iter().all(|address| {
        attempts.iter().all(|(code, error_code)| {
            let expected = page_fault(*error_code, address..address + 1);
            // SAFETY: the code reads a byte, or writes one that nobody uses.
            unsafe { is_raised(expected, code.addr(), address) }
        })
    })
}

fn is_write_forbidden(address: usize) -> bool {
    let code = (&raw const cpu_attempt_rewrite).addr();
    // SAFETY: the code writes what is there.
    unsafe { is_raised(page_fault(WRITE_FORBIDDEN, address..address + 1), code, address) }
}

fn is_execution_forbidden(ret: &u8) -> bool {
    assert_eq!(*ret, RET);
    // SAFETY: there is `ret`.
    unsafe { is_execution_forbidden_at(ptr::from_ref(ret).addr()) }
}

/// # Safety
/// At `address` is the instruction [`RET`].
unsafe fn is_execution_forbidden_at(address: usize) -> bool {
    let code = (&raw const cpu_attempt_execute).addr();
    // SAFETY: if the fault does not come, the instruction returns (the caller's promise).
    unsafe { is_raised(page_fault(EXECUTE_FORBIDDEN, address..address + 1), code, address) }
}
