//! Exceptions as data: what is pushed for one, whether it was expected, and its report.

use core::fmt;
use core::ops::Range;

use crate::stack::Place;

/// Vector of the double fault.
pub const DOUBLE_FAULT: u64 = 8;
/// Vector of the page fault.
pub const PAGE_FAULT: u64 = 14;

/// Registers of the interrupted code, from the lowest address on: the stubs push the general
/// registers and the vector, the processor the rest. For a vector without an error code the stubs
/// push 0 in its place.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct TrapFrame {
    /// r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax.
    pub registers: [u64; 15],
    /// Vector of the exception, 0 to 31.
    pub vector: u64,
    /// Error code.
    pub error_code: u64,
    /// Instruction that is returned to.
    pub rip: u64,
    /// Code segment.
    pub cs: u64,
    /// Flags.
    pub rflags: u64,
    /// Stack pointer that is returned to.
    pub rsp: u64,
    /// Stack segment.
    pub ss: u64,
}

/// An exception that is to come.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Its vector.
    pub vector: u64,
    /// Its error code.
    pub error_code: u64,
    /// Addresses one of which CR2 is to hold.
    pub addresses: Range<usize>,
}

impl Expected {
    /// Returns whether it is the exception of `frame`, raised with `cr2` in CR2.
    pub fn is(&self, frame: &TrapFrame, cr2: u64) -> bool {
        self.vector == frame.vector
            && self.error_code == frame.error_code
            && usize::try_from(cr2).is_ok_and(|address| self.addresses.contains(&address))
    }
}

/// Report of an exception that ends the guest: what happened, and all registers.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Registers of the interrupted code.
    pub frame: &'a TrapFrame,
    /// CR2: the address of a page fault, the one that became a double fault included.
    pub cr2: u64,
    /// Stacks of the vCPU that it was raised on, each with a guard page.
    pub stacks: &'a [Place],
}

impl Report<'_> {
    /// Returns the stack that overflowed, if that is what happened.
    fn overflowed(&self) -> Option<&Place> {
        // A page fault on the way into a handler is a double fault.
        let has_address = [PAGE_FAULT, DOUBLE_FAULT].contains(&self.frame.vector);
        let address = usize::try_from(self.cr2).ok().filter(|_| has_address)?;
        self.stacks.iter().find(|stack| stack.guard().contains(&address))
    }
}

/// Names of the general registers, as they stand in a [`TrapFrame`].
const REGISTERS: [&str; 15] = [
    "r15", "r14", "r13", "r12", "r11", "r10", " r9", " r8", "rbp", "rdi", "rsi", "rdx", "rcx",
    "rbx", "rax",
];

const fn name(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        2 => "non-maskable interrupt",
        3 => "breakpoint",
        6 => "invalid opcode",
        DOUBLE_FAULT => "double fault",
        13 => "general protection fault",
        PAGE_FAULT => "page fault",
        18 => "machine check",
        _ => "exception",
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stack) = self.overflowed() {
            write!(f, "stack overflow of {stack}: ")?;
        }
        let TrapFrame { registers, vector, error_code, rip, cs, rflags, rsp, .. } = self.frame;
        let name = name(*vector);
        write!(f, "{name} (vector {vector}, error {error_code:#x}) at rip {rip:#x}")?;
        if *vector == PAGE_FAULT {
            write!(f, ", address {:#x}", self.cr2)?;
        }
        writeln!(f)?;
        writeln!(f, "  rsp {rsp:#018x} rflags {rflags:#x} cs {cs:#x}")?;
        for (place, (name, value)) in REGISTERS.iter().zip(registers).enumerate() {
            let end = if place % 4 == 3 || place == 14 { "\n" } else { "" };
            write!(f, "  {name} {value:#018x}{end}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    const STACKS: [Place; 2] = [
        Place { name: "boot", vcpu: 0, bottom: 0x5000, top: 0x8000 },
        Place { name: "exception", vcpu: 2, bottom: 0xa000, top: 0xb000 },
    ];

    fn frame(vector: u64) -> TrapFrame {
        let registers = core::array::from_fn(|place| 0xf - place as u64);
        TrapFrame {
            registers,
            vector,
            error_code: 2,
            rip: 0x10_0abc,
            cs: 8,
            rflags: 0x46,
            rsp: 0x7ff0,
            ss: 0x10,
        }
    }

    fn report(vector: u64, cr2: u64) -> std::string::String {
        Report { frame: &frame(vector), cr2, stacks: &STACKS }.to_string()
    }

    fn headline(vector: u64, cr2: u64) -> std::string::String {
        report(vector, cr2).lines().next().unwrap().to_string()
    }

    #[test]
    fn a_report_names_the_exception_and_has_all_registers() {
        assert_eq!(
            report(3, 0x4fff),
            "breakpoint (vector 3, error 0x2) at rip 0x100abc\n\
             \x20 rsp 0x0000000000007ff0 rflags 0x46 cs 0x8\n\
             \x20 r15 0x000000000000000f  r14 0x000000000000000e  r13 0x000000000000000d  \
             r12 0x000000000000000c\n\
             \x20 r11 0x000000000000000b  r10 0x000000000000000a   r9 0x0000000000000009   \
             r8 0x0000000000000008\n\
             \x20 rbp 0x0000000000000007  rdi 0x0000000000000006  rsi 0x0000000000000005  \
             rdx 0x0000000000000004\n\
             \x20 rcx 0x0000000000000003  rbx 0x0000000000000002  rax 0x0000000000000001\n"
        );
    }

    #[test]
    fn a_vector_has_its_name_or_none() {
        let named = [
            (0, "divide error"),
            (2, "non-maskable interrupt"),
            (3, "breakpoint"),
            (6, "invalid opcode"),
            (8, "double fault"),
            (13, "general protection fault"),
            (14, "page fault"),
            (18, "machine check"),
        ];
        for vector in (0..32).chain([u64::MAX]) {
            let known = named.iter().find(|(known, _)| *known == vector);
            let name = known.map_or("exception", |(_, name)| name);
            let expected = std::format!("{name} (vector {vector}, error 0x2) at rip ");
            assert!(headline(vector, 0).starts_with(&expected), "{}", headline(vector, 0));
        }
    }

    #[test]
    fn only_a_page_fault_has_an_address() {
        let end = " at rip 0x100abc, address 0x123456789";
        assert!(headline(PAGE_FAULT, 0x1_2345_6789).ends_with(end));
        assert!(headline(DOUBLE_FAULT, 0x1_2345_6789).ends_with(" at rip 0x100abc"));
    }

    #[test]
    fn an_overflow_is_an_access_to_the_page_below_a_stack() {
        let boot = "stack overflow of the boot stack of vCPU 0 at 0x5000..0x8000: ";
        let exception = "stack overflow of the exception stack of vCPU 2 at 0xa000..0xb000: ";
        for vector in [PAGE_FAULT, DOUBLE_FAULT] {
            for (cr2, expected) in [
                (0x3fff, None),
                (0x4000, Some(boot)),
                (0x4fff, Some(boot)),
                (0x5000, None),
                (0x8fff, None),
                (0x9000, Some(exception)),
                (0x9fff, Some(exception)),
                (0xa000, None),
                (u64::MAX, None),
            ] {
                let line = headline(vector, cr2);
                let begins = expected.is_some_and(|expected| line.starts_with(expected));
                assert!(begins || expected.is_none() && !line.contains("overflow"), "{line}");
            }
        }
        // What CR2 holds is of an earlier fault.
        assert!(!headline(13, 0x4000).contains("overflow"));
    }

    #[test]
    fn the_expected_exception_is_that_one_only() {
        let expected = Expected { vector: PAGE_FAULT, error_code: 2, addresses: 0x4000..0x5000 };
        assert!(expected.is(&frame(PAGE_FAULT), 0x4000) && expected.is(&frame(PAGE_FAULT), 0x4fff));
        assert!(!expected.is(&frame(PAGE_FAULT), 0x3fff));
        assert!(!expected.is(&frame(PAGE_FAULT), 0x5000));
        assert!(!expected.is(&frame(DOUBLE_FAULT), 0x4000));
        assert!(!expected.is(&TrapFrame { error_code: 3, ..frame(PAGE_FAULT) }, 0x4000));
    }
}
