//! Writes FFS volumes into memory, laid out as newfs(8) lays them out: what makefs(8) can't make
//! (holes, old inodes, check hashes, a UFS2 superblock at 65536), and small volumes of which every
//! byte is known, to be corrupted. Has volumes of makefs(8) as well, and a tree of files to put in
//! them.
//!
//! Facts from FreeBSD's sys/ufs/ffs/fs.h, sys/ufs/ufs/{dinode,dir}.h and what its superblock check
//! demands. Shares nothing with the crate `fs`, so that a misunderstanding isn't shared either; the
//! Sleuth Kit and GRUB read its volumes in `fs/tests/volumes/readers.rs`.

#![forbid(unsafe_code)]

pub mod fields;
mod format;
mod host;
pub mod hostile;
mod image;
mod makefs;
pub mod sample;
pub mod tables;
mod tree;
mod writer;

pub use format::{Format, UFS1_AT, UFS2_AT};
pub use host::{Scratch, run};
pub use image::{Image, check_hash};
pub use makefs::Makefs;
pub use tree::{Contents, Node};
