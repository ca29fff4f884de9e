//! Files that were unpacked or installed with this program: `bin/ringmark` has
//! `lib/ringmark/ringmark` beside its directory, the guest's kernel.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Place of the guest's kernel below the directory that has `bin`.
const KERNEL: &str = "lib/ringmark/ringmark";
/// Directory of what is installed if this program is nowhere else.
const USUAL: &str = "/usr/local";

/// Returns where the guest's kernel is, or is to be if there is none.
pub fn kernel() -> PathBuf {
    let beside = program().as_deref().and_then(beside);
    beside.unwrap_or_else(|| Path::new(USUAL).join(KERNEL))
}

/// Returns the kernel that a program came with.
fn beside(program: &Path) -> Option<PathBuf> {
    let kernel = program.parent()?.parent()?.join(KERNEL);
    kernel.is_file().then_some(kernel)
}

/// Returns the file of this program, whatever links lead there.
fn program() -> Option<PathBuf> {
    // Without /proc, as in a plain chroot, only the first word tells.
    let word =
        || env::args_os().next().map(PathBuf::from).filter(|word| word.components().count() > 1);
    env::current_exe().ok().or_else(word).and_then(|path| fs::canonicalize(path).ok())
}
