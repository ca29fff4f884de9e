//! QEMU's side: called at start, once for each block that is translated, and before each execution.

use std::ffi::{CStr, OsStr, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use memmap2::MmapRaw;

use crate::counts::{Block, Counts, SIZE};

static COUNTS: OnceLock<MmapRaw> = OnceLock::new();
static IN_GUEST: AtomicBool = AtomicBool::new(false);

/// The version of the interface that is used here.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

/// `QEMU_PLUGIN_CB_NO_REGS`.
const NO_REGISTERS: c_int = 0;

#[repr(C)]
struct TranslatedBlock {
    opaque: [u8; 0],
}

#[repr(C)]
struct Instruction {
    opaque: [u8; 0],
}

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(
        id: u64,
        callback: extern "C" fn(u64, *mut TranslatedBlock),
    );
    fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: *mut TranslatedBlock,
        callback: extern "C" fn(c_uint, *mut c_void),
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_tb_n_insns(block: *const TranslatedBlock) -> usize;
    fn qemu_plugin_tb_vaddr(block: *const TranslatedBlock) -> u64;
    fn qemu_plugin_tb_get_insn(block: *const TranslatedBlock, index: usize) -> *mut Instruction;
    fn qemu_plugin_insn_data(instruction: *const Instruction) -> *const c_void;
    fn qemu_plugin_insn_size(instruction: *const Instruction) -> usize;
}

/// Called by QEMU when it loads the plugin; answers 0 if all is well.
///
/// # Safety
/// `argv` has `argc` strings, as QEMU gives them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _info: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the caller's promise.
    let arguments = (0..count).map(|index| unsafe { CStr::from_ptr(*argv.add(index)) });
    let Some(path) = arguments.filter_map(|text| text.to_bytes().strip_prefix(b"out=")).next_back()
    else {
        eprintln!("qemu-count: name the file for the counts: out=FILE");
        return 1;
    };
    let path = OsStr::from_bytes(path);
    match map(path) {
        Ok(counts) => COUNTS.get_or_init(|| counts),
        Err(error) => {
            eprintln!("qemu-count: {}: {error}", path.display());
            return 1;
        }
    };
    // SAFETY: `translated` is what QEMU wants here.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, translated) };
    0
}

fn map(path: &OsStr) -> io::Result<MmapRaw> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    file.set_len(SIZE as u64)?;
    MmapRaw::map_raw(&file)
}

extern "C" fn translated(_id: u64, block: *mut TranslatedBlock) {
    // SAFETY: QEMU lends the block, and what is in it, for this call.
    unsafe {
        let instructions = qemu_plugin_tb_n_insns(block);
        let Some(last) = instructions.checked_sub(1) else { return };
        let last = qemu_plugin_tb_get_insn(block, last);
        let bytes = std::slice::from_raw_parts(
            qemu_plugin_insn_data(last).cast::<u8>(),
            qemu_plugin_insn_size(last),
        );
        let block_of = Block::new(qemu_plugin_tb_vaddr(block), instructions as u32, bytes);
        let data = ptr::without_provenance_mut(block_of.pack());
        qemu_plugin_register_vcpu_tb_exec_cb(block, executed, NO_REGISTERS, data);
    }
}

extern "C" fn executed(_vcpu: c_uint, data: *mut c_void) {
    let Some(map) = COUNTS.get() else { return };
    // SAFETY: the map has room for the counts, at a page's start, for ever; all are atomics.
    let counts = unsafe { &*map.as_ptr().cast::<Counts>() };
    counts.execute(Block::unpack(data.addr()), &IN_GUEST);
}
