//! Tests of the crate on volumes that are made by hand, of both versions and byte orders.

mod faults;
mod files;
mod maker;
mod tables;
mod warnings;

use crate::{DirCursor, Error, Image, Inode, PastEnd, ReadBlocks, SCRATCH_BYTES, Volume};
use maker::{Maker, VARIANTS};

type TestVolume<'a> = Volume<Image<'a>, Vec<u8>>;

fn mount(maker: &Maker) -> Result<TestVolume<'_>, Error<PastEnd>> {
    Volume::mount(Image(&maker.bytes), vec![0; SCRATCH_BYTES])
}

type Names = Vec<(Vec<u8>, Inode)>;

/// Returns the names in a directory with their inodes.
fn names<D: ReadBlocks>(
    volume: &mut Volume<D, Vec<u8>>,
    directory: &Inode,
) -> Result<Names, Error<D::Error>> {
    let mut cursor = DirCursor::new(directory)?;
    let mut names = Names::new();
    while let Some(entry) = volume.next_entry(&mut cursor)? {
        names.push((entry.name().to_vec(), volume.inode_of(&entry)?));
    }
    Ok(names)
}

/// Looks at everything that the made volume has, and gives up at the first error.
fn look_at_all<D: ReadBlocks>(disk: D) -> Result<(), Error<D::Error>> {
    let mut volume = Volume::mount(disk, vec![0; SCRATCH_BYTES])?;
    for directory in [&b"/"[..], b"/dir"] {
        let directory = volume.lookup(directory)?;
        for (_, inode) in names(&mut volume, &directory)? {
            let mut buffer = [0; 3000];
            match inode.kind {
                crate::Kind::File => {
                    for (block, _) in maker::blocks(volume.info().version) {
                        volume.read_at(&inode, block * 4096 + 7, &mut buffer)?;
                    }
                    let mut offset = 0;
                    while let Some(extent) = volume.next_extent(&inode, offset)? {
                        assert!(extent.len > 0);
                        offset += extent.len;
                    }
                }
                crate::Kind::Symlink => {
                    volume.readlink(&inode, &mut buffer)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
