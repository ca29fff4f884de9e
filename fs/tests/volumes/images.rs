//! Volumes of makefs(8), in every combination of version, byte order, block and fragment size: the
//! tree that our reader finds is the tree that they were made of.
//!
//! makefs accepts all 80 combinations. It keeps no holes (it writes the zeros), so files with
//! holes, and all levels of indirect blocks at all block sizes, are in `sparse.rs`.

use crate::listing::{assert_same, mount, of_host, of_volume};
use newfs::sample::plant;
use newfs::{Makefs, Scratch};

fn all_combinations(block_bytes: usize) {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("images-{block_bytes}"));
    let (source, image) = (scratch.0.join("source"), scratch.0.join("image"));
    std::fs::create_dir(&source).unwrap();
    plant(&source, block_bytes);
    let expected = of_host(&source);
    assert!(expected.len() > 10_000);
    for makefs in Makefs::all(block_bytes) {
        let disk = makefs.make(&source, &image);
        let mut volume = mount(&disk);
        let info = volume.info();
        assert_eq!(info.block_bytes as usize, makefs.block_bytes);
        assert_eq!(info.fragment_bytes as usize, makefs.frag_bytes);
        assert_eq!(info.version == ::fs::Version::Ffs2, makefs.version == 2);
        assert_eq!(info.endian == ::fs::Endian::Big, makefs.big_endian);
        assert!(!info.dirty);
        assert_same(&format!("{makefs:?}"), &of_volume(&mut volume, &disk), &expected);
        for (path, number) in [
            (&b"/links/file"[..], volume.lookup(b"/modes/644").unwrap().number),
            (b"/links/chain", volume.lookup(b"/modes/644").unwrap().number),
            (b"/links/directory/d/../d/.", volume.lookup(b"/deep/d/d/d").unwrap().number),
            (b"//many///name-99-of-99", volume.lookup(b"/many/file-99").unwrap().number),
        ] {
            assert_eq!(volume.lookup(path).unwrap().number, number, "{}", path.escape_ascii());
        }
    }
}

#[test]
fn blocks_of_4096() {
    all_combinations(4096);
}

#[test]
fn blocks_of_8192() {
    all_combinations(8192);
}

#[test]
fn blocks_of_16384() {
    all_combinations(16384);
}

#[test]
fn blocks_of_32768() {
    all_combinations(32768);
}

#[test]
fn blocks_of_65536() {
    all_combinations(65536);
}
