//! Small volumes with a bit of everything, and mutations that know their structures.

use newfs::fields::{dinode1, dinode2, sb};
use newfs::{Contents, Format, Image, Node, UFS1_AT, check_hash};

/// Paths in the volumes.
const PATHS: [&str; 11] = [
    "",
    "/d",
    "/d/deep",
    "/d/deep/f",
    "/empty",
    "/file",
    "/full",
    "/link",
    "/long",
    "/snapshot",
    "/sparse",
];

fn volume(format: Format) -> Image {
    let block = format.block_bytes as usize;
    let pieces = vec![(block as u64, vec![3; block]), (13 * block as u64, vec![4; block])];
    let sparse = Contents { size: 14 * block as u64, pieces };
    let noise = |seed, len| newfs::sample::noise(seed, len);
    let root = Node::directory([
        ("d", Node::directory([("deep", Node::directory([("f", Node::file("deep"))]))])),
        ("empty", Node::file("")),
        ("file", Node::file(noise(1, 700))),
        ("full", Node::file(noise(2, 3 * block + 5))),
        ("link", Node::symlink("d/deep/f")),
        ("long", Node::symlink(&"./".repeat(200))),
        ("snapshot", Node::file(noise(3, 1024))),
        ("sparse", Node::File(sparse)),
    ]);
    let mut image = Image::new(format, &root);
    let flags = if format.version == 1 { dinode1::FLAGS } else { dinode2::FLAGS };
    if !format.old {
        image.put(image.inode_of("/snapshot"), flags, 0x0020_0000);
        image.seal();
    }
    image
}

/// Returns volumes of 100 KiB to 1 MiB: UFS1, which rufs does not read, and UFS2 where all readers
/// look for it, of both byte orders.
pub fn volumes() -> Vec<Image> {
    let sized = |version, block, frag| Format {
        inodes_per_group: 16,
        data_blocks_per_group: 12,
        ..Format::new(version, block, frag)
    };
    let (one, two) = (sized(1, 4096, 512), sized(2, 4096, 2048));
    let formats = [
        one,
        Format { big_endian: true, ..one },
        Format { old: true, big_endian: true, superblock_at: UFS1_AT, ..one },
        Format { staggered: true, ..sized(1, 8192, 1024) },
        two,
        Format { big_endian: true, ..two },
        Format { hashed: true, ..two },
        Format { hashed: true, big_endian: true, ..two },
        sized(2, 8192, 2048),
        Format { big_endian: true, ..sized(2, 4096, 4096) },
        Format { hashed: true, ..sized(2, 16384, 2048) },
        two,
    ];
    formats.map(volume).into()
}

/// Changes some bytes, most of them where they matter; hashes of groups and inodes are put right
/// again three times of four.
pub fn mutate(seed: &Image, random: &mut fastrand::Rng) -> Image {
    let mut image = seed.clone();
    for _ in 0..random.usize(1..5) {
        let path = *random.choice(&PATHS).expect("some");
        let inode = if path.is_empty() { image.inode_at(2) } else { image.inode_of(path) };
        let at = match random.u8(0..16) {
            0..2 => image.format.superblock_at as usize + random.usize(0..1376),
            2..8 => inode as usize + random.usize(0..image.format.inode_bytes() as usize),
            8..12 => {
                let directory = *random.choice(&["", "/d", "/d/deep"]).expect("some");
                let inode = match directory {
                    "" => image.inode_at(2),
                    path => image.inode_of(path),
                };
                let block = seed.get(inode, seed.pointer(0)) * image.format.frag_bytes;
                let len = if random.bool() { 160 } else { 512 };
                block as usize + random.usize(0..len)
            }
            12 => image.group_at(random.u64(0..image.groups())) as usize + random.usize(0..200),
            13 => {
                let block = seed.get(seed.inode_of("/sparse"), seed.pointer(12));
                (block * image.format.frag_bytes) as usize + random.usize(0..32)
            }
            _ => random.usize(0..image.bytes.len()),
        };
        let Some(byte) = image.bytes.get_mut(at) else { continue };
        *byte = match random.u8(0..3) {
            0 => random.u8(..),
            1 => *byte ^ 1 << random.u8(0..8),
            _ => *random.choice(&[0, 1, 2, 0x7f, 0x80, 0xff]).expect("some"),
        };
    }
    if image.format.hashed && random.u8(0..4) > 0 {
        seal(&mut image);
    }
    image
}

/// Recomputes the hashes of groups and inodes; a wrong one of the superblock is a warning only.
fn seal(image: &mut Image) {
    let hashes: Vec<_> = image.hashes().filter(|(_, field, _)| field.at != sb::CKHASH.at).collect();
    for (at, field, len) in hashes {
        image.put(at, field, 0);
        let hash = check_hash(&image.bytes[at as usize..(at + len) as usize]);
        image.put(at, field, u64::from(hash));
    }
}
