//! P1 to P11: what the loader and Xen tell at boot. The functions are the kernel's own; memory is
//! a byte vector.

use std::arch::x86_64::CpuidResult;

use boot_info::cpuid::xen_leaves;
use boot_info::memory_map::{self, ENTRIES_MAX, MAPPED_END, REGIONS_MAX, Range};
use boot_info::memory_map::{WIRE_ENTRY_SIZE, decode};
use boot_info::start_info::{BootError, COMMAND_LINE_MAX, Loaded, MODULES_MAX};
use boot_info::start_info::{PhysicalMemory, Unreadable};
use xen_abi::start_info::{MAGIC, MEMMAP_RAM, MemmapEntry};

use crate::{Class, Must, class};

pub const CLASSES: [Class; 11] = [
    class(1, "start_info at an absurd address", Must::Fail, absurd_address),
    class(2, "wrong magic, absurd version", Must::Fail, wrong_magic),
    class(3, "absurd module list", Must::Fail, absurd_modules),
    class(4, "absurd command line", Must::Fail, absurd_command_line),
    class(5, "absurd memory map", Must::Ignore, absurd_memory_map),
    class(6, "no RAM, or not enough", Must::Fail, too_little_ram),
    class(7, "RAM that holds the image, modules or special pages", Must::Ignore, occupied_ram),
    class(8, "absurd RSDP", Must::Ignore, absurd_rsdp),
    class(9, "CPUID leaves moved or missing", Must::Fail, cpuid_leaves),
    class(10, "memory map and HVM parameter calls fail", Must::Fail, failing_calls),
    class(11, "range for Xen's pages already occupied", Must::Ignore, occupied_range),
];

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const INFO: u64 = 0x1000;

/// Memory from address 0 on; nothing can be read at page 0 or behind its end.
struct Ram(Vec<u8>);

impl PhysicalMemory for Ram {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Unreadable> {
        let range =
            usize::try_from(address).ok().filter(|&start| start >= 4096).and_then(|start| {
                let end = start.checked_add(bytes.len())?;
                self.0.get(start..end)
            });
        bytes.copy_from_slice(range.ok_or(Unreadable(address))?);
        Ok(())
    }
}

impl Ram {
    fn words(mut self, address: u64, words: &[u64]) -> Self {
        for (n, word) in words.iter().enumerate() {
            let at = address as usize + 8 * n;
            self.0[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        self
    }

    fn bytes(mut self, address: u64, bytes: &[u8]) -> Self {
        self.0[address as usize..][..bytes.len()].copy_from_slice(bytes);
        self
    }
}

/// A version 1 start_info with a module, a command line and a map of two entries.
fn ram() -> Ram {
    Ram(vec![0; 64 * KIB as usize])
        .words(INFO, &[u64::from(MAGIC) | 1 << 32, 1 << 32, 0x2000, 0x3000, 0, 0x5000, 2])
        .words(0x2000, &[0x8000, 100, 0, 0])
        .bytes(0x3000, b"rw=read\0")
        .words(0x5000, &[0, 16 * MIB, 1, 0xfc00_0000, 4096, 2])
}

fn load(ram: &Ram) -> Result<Loaded, BootError> {
    Loaded::read(ram, INFO)
}

fn entry(addr: u64, size: u64, kind: u32) -> MemmapEntry {
    MemmapEntry { addr, size, kind, reserved: 0 }
}

/// Returns the usable regions, after it has checked what must hold for any map.
fn usable(entries: &[MemmapEntry], reserved: &[Range]) -> Vec<(u64, u64)> {
    let found = memory_map::usable(entries, reserved);
    assert!(found.len() <= REGIONS_MAX);
    let mut end = 4096;
    for region in &found {
        assert!(region.start >= end && region.start < region.end && region.end <= MAPPED_END);
        assert!(region.start % 4096 == 0 && region.end % 4096 == 0);
        end = region.end;
        let touches = |start: u64, size: u64| {
            size != 0 && start < region.end && start.saturating_add(size) > region.start
        };
        let others = entries.iter().filter(|entry| entry.kind != MEMMAP_RAM);
        assert!(!others.clone().any(|entry| touches(entry.addr, entry.size)));
        assert!(!reserved.iter().any(|range| touches(range.start, range.end - range.start)));
    }
    found.iter().map(|region| (region.start, region.end)).collect()
}

fn absurd_address() {
    let outside = [0, 8, 4095, 64 * KIB, 64 * KIB - 39, u64::from(u32::MAX) - 7, u64::MAX];
    for address in outside {
        let error = Loaded::read(&ram(), address).unwrap_err();
        assert!(matches!(error, BootError::Unreadable(_)), "{address:#x}: {error}");
    }
    // Not aligned, or in the middle of something else.
    for address in [INFO + 1, INFO + 4, INFO + 40, 0x3000] {
        let error = Loaded::read(&ram(), address).unwrap_err();
        assert!(matches!(error, BootError::Magic(_)), "{address:#x}: {error}");
    }
    let shifted = ram().words(0x6001, &[u64::from(MAGIC), 0, 0, 0, 0]);
    assert!(Loaded::read(&shifted, 0x6001).is_ok(), "alignment is not needed");
}

fn wrong_magic() {
    for magic in [0, 1, MAGIC ^ 1, MAGIC.swap_bytes(), u32::MAX] {
        let ram = ram().bytes(INFO, &magic.to_le_bytes());
        assert_eq!(load(&ram).unwrap_err(), BootError::Magic(magic));
    }
    for (version, entries) in [(0, 0), (1, 2), (2, 2), (u32::MAX, 2)] {
        let ram = ram().bytes(INFO + 4, &version.to_le_bytes());
        assert_eq!(load(&ram).unwrap().memory_map.len(), entries, "version {version}");
    }
}

fn absurd_modules() {
    let count = |count: u32| ram().bytes(INFO + 12, &count.to_le_bytes());
    for (modules, read) in [(0, 0), (1, 1), (1000, MODULES_MAX), (u32::MAX, MODULES_MAX)] {
        assert_eq!(load(&count(modules)).unwrap().modules.len(), read);
    }
    let list = |address| count(u32::MAX).words(INFO + 16, &[address]);
    assert!(load(&list(0)).unwrap().modules.is_empty());
    for address in [1, 64 * KIB - 31, 1 << 40, u64::MAX, u64::MAX - 100] {
        assert!(matches!(load(&list(address)), Err(BootError::Unreadable(_))), "{address:#x}");
    }
    // A module over everything takes everything, and no more.
    let image = Range { start: MIB, end: 2 * MIB };
    for module in [Range::sized(0, u64::MAX), Range::sized(u64::MAX - 5, u64::MAX)] {
        let found = usable(&[entry(0, 16 * MIB, 1)], &[image, module]);
        assert_eq!(found.is_empty(), module.start == 0);
    }
}

fn absurd_command_line() {
    let line = |address: u64, bytes: &[u8]| {
        let ram = ram().words(INFO + 24, &[address]).bytes(0x6000, bytes);
        load(&ram).map(|loaded| loaded.command_line.to_vec())
    };
    assert_eq!(line(0, b""), Ok(Vec::new()));
    assert_eq!(line(0x6000, b"a b\0c"), Ok(b"a b".into()));
    assert_eq!(line(0x6000, &vec![b'x'; COMMAND_LINE_MAX]).map(|line| line.len()), Ok(4096));
    let long = line(0x6000, &vec![b'x'; COMMAND_LINE_MAX + 1]);
    assert_eq!(long, Err(BootError::CommandLineTooLong));
    for byte in [0x80, 0xc3, 0xff] {
        assert_eq!(line(0x6000, &[b'a', byte, 0]), Ok(vec![b'a', byte]), "the job parser's");
    }
    for address in [1, 64 * KIB, 1 << 32, 1 << 52, u64::MAX] {
        assert!(matches!(line(address, b""), Err(BootError::Unreadable(_))), "{address:#x}");
    }
    // It runs over the end of memory.
    let open = ram().words(INFO + 24, &[64 * KIB - 2]).bytes(64 * KIB - 2, b"xx");
    assert_eq!(load(&open).unwrap_err(), BootError::Unreadable(64 * KIB));
}

fn absurd_memory_map() {
    for (entries, read) in [(0, 0), (2, 2), (1000, ENTRIES_MAX), (u32::MAX, ENTRIES_MAX)] {
        let ram = ram().bytes(INFO + 48, &u32::to_le_bytes(entries));
        assert_eq!(load(&ram).unwrap().memory_map.len(), read);
    }
    for address in [1, 64 * KIB - 47, 1 << 52, u64::MAX - 10] {
        let ram = ram().words(INFO + 40, &[address]);
        assert!(matches!(load(&ram), Err(BootError::Unreadable(_))), "{address:#x}");
    }
    // Random maps of nasty values: whatever they say, the answer is sound.
    let nasty = [0, 1, 4095, 4096, MIB, 3 * MIB + 7, MAPPED_END - 1, MAPPED_END, 1 << 52, u64::MAX];
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..3000 {
        let mut any = || match rng.u32(0..3) {
            0 => rng.u64(0..64) * MIB / 4,
            1 => nasty[rng.usize(0..nasty.len())].wrapping_sub(rng.u64(0..3)),
            _ => rng.u64(..) >> rng.u32(0..64),
        };
        let map: Vec<_> = (0..12).map(|n| entry(any(), any(), [1, 1, 2, 7][n % 4])).collect();
        usable(&map, &[Range::sized(MIB, MIB)]);
        if let Some(start) = memory_map::hole(&map, 2 * MIB) {
            let touches = |entry: &MemmapEntry| {
                entry.addr < start + 2 * MIB && entry.addr.saturating_add(entry.size) > start
            };
            assert!(!map.iter().any(|entry| entry.size != 0 && touches(entry)));
        }
    }
}

fn too_little_ram() {
    let image = Range { start: MIB, end: 2 * MIB };
    assert_eq!(usable(&[], &[image]), []);
    assert_eq!(usable(&[entry(0, 4096, 1)], &[image]), []);
    assert_eq!(usable(&[entry(MIB, MIB, 1)], &[image]), [], "nothing beside the image");
    assert_eq!(usable(&[entry(0, MIB, 1)], &[image]), [(4096, MIB)]);
    let huge = usable(&[entry(0, 8 << 40, 1)], &[image]);
    assert_eq!(huge, [(4096, MIB), (2 * MIB, MAPPED_END)]);
}

fn occupied_ram() {
    let image = Range { start: MIB, end: 2 * MIB };
    let module = Range { start: 4 * MIB + 100, end: 5 * MIB - 100 };
    let special = entry(15 * MIB, 4096, 2);
    let acpi = entry(6 * MIB, 10, 3);
    let found = usable(&[entry(0, 16 * MIB, 1), special, acpi], &[image, module]);
    let expected = [
        (4096, MIB),
        (2 * MIB, 4 * MIB),
        (5 * MIB, 6 * MIB),
        (6 * MIB + 4096, 15 * MIB),
        (15 * MIB + 4096, 16 * MIB),
    ];
    assert_eq!(found, expected);
}

fn absurd_rsdp() {
    // ACPI is not used: the address is never followed.
    for rsdp in [0, 1, 64 * KIB, u64::MAX] {
        let loaded = load(&ram().words(INFO + 32, &[rsdp])).unwrap();
        assert_eq!(loaded.start_info.rsdp_paddr, rsdp);
    }
}

fn cpuid_leaves() {
    use xen_abi::hypercall::{CPUID_END, CPUID_FIRST, CPUID_SIGNATURE, CPUID_STEP};
    let [ebx, ecx, edx] = CPUID_SIGNATURE;
    let xen = |eax| CpuidResult { eax, ebx, ecx, edx };
    let none = CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    // Wherever the leaves are, also behind another hypervisor's.
    for base in (CPUID_FIRST..CPUID_END).step_by(CPUID_STEP as usize) {
        let found = xen_leaves(|leaf| if leaf == base { xen(base + 4) } else { none });
        assert_eq!(found, Some(base));
    }
    // Not where nobody may look, too few leaves, or another's signature.
    assert_eq!(xen_leaves(|leaf| if leaf == CPUID_END { xen(leaf + 4) } else { none }), None);
    assert_eq!(xen_leaves(|leaf| xen(leaf + 1)), None);
    assert_eq!(xen_leaves(|_| xen(0)), None);
    for other in [[0, ecx, edx], [ebx, 0, edx], [ebx, ecx, 0]] {
        let [ebx, ecx, edx] = other;
        assert_eq!(xen_leaves(|leaf| CpuidResult { eax: leaf + 4, ebx, ecx, edx }), None);
    }
}

fn failing_calls() {
    // The parameters' refusals are C7's and X21's; this is what the map's call may answer.
    let mut raw = vec![0; 3 * WIRE_ENTRY_SIZE + 7];
    raw[..20].copy_from_slice(&[0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    let mut entries = [MemmapEntry::default(); ENTRIES_MAX];
    for (count, expected) in [(0, 0), (1, 1), (3, 3), (4, 3), (u32::MAX, 3)] {
        assert_eq!(decode(&raw, count, &mut entries), expected);
    }
    assert_eq!(entries[0], entry(0x1_0000, 0x1_0002_0000, MEMMAP_RAM));
    assert_eq!(decode(&raw, 3, &mut entries[..2]), 2);
    assert_eq!(decode(&[], 3, &mut entries), 0);
    assert_eq!(usable(&entries[3..], &[]), []);
}

fn occupied_range() {
    let size = 4 * MIB;
    let ram = entry(0, 16 * MIB, 1);
    // Every candidate is taken by something, up to the last.
    let mut map = vec![ram];
    let mut expected = 16 * MIB;
    for n in 0..40 {
        assert_eq!(memory_map::hole(&map, size), Some(expected));
        map.push(entry(expected + (n % 4) * MIB, 1, 2 + n as u32 % 5));
        expected += (n % 4 / 2 + 1) * 2 * MIB;
    }
    assert_eq!(memory_map::hole(&[entry(0, u64::MAX, 2)], size), None);
}
