//! Cylinder groups, of which reading needs one number: the inodes of a group that FFSv2 has
//! initialized. Behind them is whatever the disk held before.

use crate::endian::Fields;
use crate::error::{Error, Place};
use crate::hash::check_hash;
use crate::store::{Slot, Store};
use crate::superblock::{CK_CYLGRP, Superblock};
use crate::{ReadBlocks, Version};

/// `sizeof(struct cg)`, without the maps that follow it.
const GROUP_BYTES: usize = 168;
const CG_MAGIC: u32 = 0x0009_0255;
const MAGIC: usize = 4;
const CGX: usize = 12;
const NDBLK: usize = 20;
const IUSEDOFF: usize = 92;
const FREEOFF: usize = 96;
const NEXTFREEOFF: usize = 100;
const NIBLK: usize = 116;
const INITEDIBLK: usize = 120;
const CKHASH: usize = 132;

const REMEMBERED: usize = 64;

/// Groups that were checked last, each with its number of initialized inodes.
pub(crate) struct Groups([Option<(u32, u32)>; REMEMBERED]);

impl Default for Groups {
    fn default() -> Self {
        Groups([None; REMEMBERED])
    }
}

impl Groups {
    /// Returns how many inodes of a group may be read. `group` is below the number of groups.
    pub(crate) fn initialized<D: ReadBlocks, B: AsMut<[u8]>>(
        &mut self,
        store: &mut Store<D, B>,
        superblock: &Superblock,
        group: u32,
    ) -> Result<u32, Error<D::Error>> {
        let hashed = superblock.hashed & CK_CYLGRP != 0;
        if superblock.info.version == Version::Ffs1 && !hashed {
            return Ok(superblock.group_inodes);
        }
        let remembered = group as usize % REMEMBERED;
        if let Some((number, inodes)) = self.0[remembered]
            && number == group
        {
            return Ok(inodes);
        }
        let inodes = read_group(store, superblock, group, hashed)?;
        self.0[remembered] = Some((group, inodes));
        Ok(inodes)
    }
}

fn read_group<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    superblock: &Superblock,
    group: u32,
    hashed: bool,
) -> Result<u32, Error<D::Error>> {
    let fragment_bytes = u64::from(superblock.info.fragment_bytes);
    let at = (superblock.group_start(group) + superblock.cblkno) * fragment_bytes;
    let bytes = store.block(Slot::Inodes, at, superblock.group_bytes)?;
    let place = Place::Group(group);
    // fs_cgsize is a fragment at least.
    let header = bytes.first_chunk::<GROUP_BYTES>().unwrap_or(&[0; GROUP_BYTES]);
    let cg = Fields::new(header, superblock.info.endian);
    let magic = cg.u32::<MAGIC>();
    place.check(magic == CG_MAGIC, "cg_magic", magic, "0x090255")?;
    if hashed {
        let hash = cg.u32::<CKHASH>();
        let right = check_hash(bytes, CKHASH) == hash;
        place.check(right, "cg_ckhash", hash, "the group's check-hash")?;
    }
    let cgx = cg.u32::<CGX>();
    place.check(cgx == group, "cg_cgx", cgx, "the group's number")?;
    let (used, free) = (cg.u32::<IUSEDOFF>(), cg.u32::<FREEOFF>());
    let next = cg.u32::<NEXTFREEOFF>();
    place.check(used as usize >= GROUP_BYTES, "cg_iusedoff", used, "behind the header")?;
    place.check(free >= used, "cg_freeoff", free, "cg_iusedoff or more")?;
    let inside = next >= free && next as usize <= bytes.len();
    place.check(inside, "cg_nextfreeoff", next, "from cg_freeoff to fs_cgsize")?;
    if superblock.info.version == Version::Ffs1 {
        return Ok(superblock.group_inodes);
    }
    let ndblk = u64::from(cg.u32::<NDBLK>());
    place.check(ndblk <= superblock.group_size, "cg_ndblk", ndblk, "at most fs_fpg")?;
    let niblk = cg.u32::<NIBLK>();
    place.check(niblk == superblock.group_inodes, "cg_niblk", niblk, "fs_ipg")?;
    let initialized = cg.u32::<INITEDIBLK>();
    place.check(initialized <= niblk, "cg_initediblk", initialized, "at most cg_niblk")?;
    Ok(initialized)
}
