//! Reading `hvm_start_info` and what it points to (arch-x86/hvm/start_info.h).
//!
//! Everything is copied out of memory, in bounded amounts, before it is looked at.

use core::fmt;

use heapless::Vec;
use xen_abi::start_info::{MAGIC, MemmapEntry, Module, SIZE_V0, StartInfo};
use zerocopy::{FromBytes, IntoBytes};

use crate::memory_map::ENTRIES_MAX;

/// Longest command line, in bytes.
pub const COMMAND_LINE_MAX: usize = 4096;
/// Most modules that are looked at.
pub const MODULES_MAX: usize = 16;

/// Physical memory, to be read with care.
pub trait PhysicalMemory {
    /// Copies bytes out.
    ///
    /// # Errors
    /// [`Unreadable`], when a part of the range can't be reached.
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Unreadable>;
}

/// The address can't be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub u64);

/// Why the loader's information can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootError {
    /// Pointer to where nothing can be read.
    Unreadable(u64),
    /// Structure that does not begin with the magic number.
    Magic(u32),
    /// The command line has no end within [`COMMAND_LINE_MAX`] bytes.
    CommandLineTooLong,
}

impl From<Unreadable> for BootError {
    fn from(Unreadable(address): Unreadable) -> Self {
        Self::Unreadable(address)
    }
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(address) => {
                write!(f, "the loader's start_info points to {address:#x}, which can't be read")
            }
            Self::Magic(magic) => {
                write!(f, "the loader's start_info has magic {magic:#x}, not {MAGIC:#x}")
            }
            Self::CommandLineTooLong => write!(
                f,
                "the command line (extra=) is longer than {COMMAND_LINE_MAX} bytes; \
                 give the jobs in a job file (ramdisk=)"
            ),
        }
    }
}

/// Everything that the loader passed, copied.
#[derive(Debug)]
pub struct Loaded {
    /// The structure itself; the memory map's fields are 0 in version 0.
    pub start_info: StartInfo,
    /// The command line, unchanged: any bytes but 0; empty if there is none.
    pub command_line: Vec<u8, COMMAND_LINE_MAX>,
    /// Files loaded with the kernel.
    pub modules: Vec<Module, MODULES_MAX>,
    /// The memory map; empty in version 0.
    pub memory_map: Vec<MemmapEntry, ENTRIES_MAX>,
}

impl Loaded {
    /// Reads all of it, starting from the structure's address.
    ///
    /// # Errors
    /// [`BootError`]. Modules and map entries beyond the limits are left out, not refused.
    pub fn read(memory: &impl PhysicalMemory, address: u64) -> Result<Self, BootError> {
        let start_info = read_start_info(memory, address)?;
        let command_line = read_command_line(memory, start_info.cmdline_paddr)?;
        let StartInfo { modlist_paddr, nr_modules, memmap_paddr, memmap_entries, .. } = start_info;
        let modules = read_table(memory, modlist_paddr, nr_modules)?;
        let memory_map = read_table(memory, memmap_paddr, memmap_entries)?;
        Ok(Self { start_info, command_line, modules, memory_map })
    }
}

fn read_start_info(memory: &impl PhysicalMemory, address: u64) -> Result<StartInfo, BootError> {
    let mut info = StartInfo::default();
    read_bytes(memory, address, 0, &mut info.as_mut_bytes()[..SIZE_V0])?;
    if info.magic != MAGIC {
        return Err(BootError::Magic(info.magic));
    }
    if info.version >= 1 {
        read_bytes(memory, address, SIZE_V0, &mut info.as_mut_bytes()[SIZE_V0..])?;
    }
    Ok(info)
}

/// Reads the command line. Address 0 means that there is none.
fn read_command_line(
    memory: &impl PhysicalMemory,
    address: u64,
) -> Result<Vec<u8, COMMAND_LINE_MAX>, BootError> {
    let mut line = Vec::new();
    if address == 0 {
        return Ok(line);
    }
    for offset in 0..=COMMAND_LINE_MAX {
        match read_at(memory, address, offset)? {
            0 => return Ok(line),
            byte => line.push(byte).map_err(|_| BootError::CommandLineTooLong)?,
        }
    }
    Err(BootError::CommandLineTooLong)
}

/// Reads the entries of a table, as many as there is room for. Address 0 is no table.
fn read_table<T: FromBytes + IntoBytes, const MAX: usize>(
    memory: &impl PhysicalMemory,
    address: u64,
    count: u32,
) -> Result<Vec<T, MAX>, Unreadable> {
    let mut table = Vec::new();
    if address != 0 {
        for index in 0..MAX.min(count as usize) {
            let _ = table.push(read_at(memory, address, index * size_of::<T>())?);
        }
    }
    Ok(table)
}

fn read_at<T: FromBytes + IntoBytes>(
    memory: &impl PhysicalMemory,
    address: u64,
    offset: usize,
) -> Result<T, Unreadable> {
    let mut value = T::new_zeroed();
    read_bytes(memory, address, offset, value.as_mut_bytes())?;
    Ok(value)
}

fn read_bytes(
    memory: &impl PhysicalMemory,
    address: u64,
    offset: usize,
    bytes: &mut [u8],
) -> Result<(), Unreadable> {
    memory.read(address.checked_add(offset as u64).ok_or(Unreadable(address))?, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    struct Ram(std::vec::Vec<u8>);

    impl PhysicalMemory for Ram {
        fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Unreadable> {
            let start = usize::try_from(address).map_err(|_| Unreadable(address))?;
            let end = start.checked_add(bytes.len()).ok_or(Unreadable(address))?;
            bytes.copy_from_slice(self.0.get(start..end).ok_or(Unreadable(address))?);
            Ok(())
        }
    }

    impl Ram {
        fn put(&mut self, address: usize, bytes: &[u8]) -> &mut Self {
            self.0[address..address + bytes.len()].copy_from_slice(bytes);
            self
        }

        fn words(&mut self, address: usize, words: &[u64]) -> &mut Self {
            for (n, word) in words.iter().enumerate() {
                self.put(address + 8 * n, &word.to_le_bytes());
            }
            self
        }
    }

    /// A version 1 start_info at 0x100 with one module, a command line and two map entries.
    fn guest() -> Ram {
        let mut ram = Ram(vec![0; 0x3000]);
        ram.words(0x100, &[u64::from(MAGIC) | 1 << 32, 1 << 32, 0x200, 0x300, 0, 0x400, 2])
            .words(0x200, &[0x5000, 77, 0, 0])
            .put(0x300, b"rw=randread bs=4k\0")
            .words(0x400, &[0, 0x10_0000, 1, 0xfc00_0000, 0x1000, 2]);
        ram
    }

    #[test]
    fn a_whole_start_info_is_read() {
        let loaded = Loaded::read(&guest(), 0x100).unwrap();
        assert_eq!(loaded.command_line, b"rw=randread bs=4k");
        assert_eq!((loaded.modules[0].paddr, loaded.modules[0].size), (0x5000, 77));
        assert_eq!(loaded.memory_map.len(), 2);
        assert_eq!((loaded.memory_map[1].addr, loaded.memory_map[1].kind), (0xfc00_0000, 2));
    }

    #[test]
    fn version_0_has_no_map_and_later_versions_do() {
        let mut ram = guest();
        ram.put(0x104, &[0; 4]);
        assert!(Loaded::read(&ram, 0x100).unwrap().memory_map.is_empty());
        ram.put(0x104, &[0xff; 4]);
        assert_eq!(Loaded::read(&ram, 0x100).unwrap().memory_map.len(), 2);
    }

    #[test]
    fn every_pointer_and_count_may_be_absurd() {
        assert_eq!(Loaded::read(&guest(), 0).unwrap_err(), BootError::Magic(0));
        for address in [u64::MAX, 0x2ff0, 1 << 40] {
            assert!(matches!(Loaded::read(&guest(), address), Err(BootError::Unreadable(_))));
        }
        for field in [0x110, 0x118, 0x128] {
            for lie in [u64::MAX, u64::MAX - 8, 0x3000, 1 << 33] {
                let mut ram = guest();
                ram.words(field, &[lie]);
                let result = Loaded::read(&ram, 0x100);
                assert!(matches!(result, Err(BootError::Unreadable(_))), "{field:#x} {lie:#x}");
            }
        }
        let mut ram = guest();
        ram.put(0x10c, &[0xff; 4]).put(0x130, &[0xff; 4]);
        let loaded = Loaded::read(&ram, 0x100).unwrap();
        assert_eq!(loaded.modules.len(), MODULES_MAX);
        assert_eq!(loaded.memory_map.len(), ENTRIES_MAX);
    }

    #[test]
    fn the_command_line_is_bounded_and_taken_as_it_is() {
        let mut ram = guest();
        ram.put(0x305, &[0xc3]);
        assert_eq!(Loaded::read(&ram, 0x100).unwrap().command_line, b"rw=ra\xc3dread bs=4k");
        for (len, fits) in [(COMMAND_LINE_MAX, true), (COMMAND_LINE_MAX + 1, false)] {
            let mut ram = guest();
            ram.words(0x118, &[0x1000]).put(0x1000, &vec![b'x'; len]);
            let read = Loaded::read(&ram, 0x100).map(|loaded| loaded.command_line.len());
            assert_eq!(read, if fits { Ok(len) } else { Err(BootError::CommandLineTooLong) });
        }
    }
}
