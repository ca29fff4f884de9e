//! Mutated volumes of 64 KiB through all commands: no panic, bounded reads, bounded memory.

use std::cell::Cell;

use fs::{Image as Disk, SCRATCH_BYTES, Volume};
use fs_tools::Tools;
use newfs::hostile::{PATHS, disks, mutate, volumes};

use crate::collected::Collected;
use crate::limits::{Counting, MEMORY_BYTES_MAX};

/// Mutations of each volume.
const CASES: usize = 1000;
/// Most reads of a command for each block of the volume.
const READS_PER_BLOCK_MAX: usize = 8;
const NAMES_BYTES_MAX: usize = 256 << 10;

#[test]
fn all_commands_end_in_bounds() {
    let (mut mounted, mut failed, mut most_reads, mut most_bytes) = (0, 0, 0, 0);
    for (number, seed) in volumes().into_iter().chain(disks()).enumerate() {
        let blocks = seed.len() / 4096;
        for case in 0..CASES {
            let mut random = fastrand::Rng::with_seed((number * CASES + case) as u64);
            let mut bytes = seed.clone();
            mutate(&mut bytes, &mut random);
            for act in 0..3 {
                let reads = Cell::new(0);
                let mut done = None;
                let info = allocation_counter::measure(|| done = act_on(&bytes, &reads, act));
                let Some(done) = done else { continue };
                mounted += 1;
                failed += usize::from(!done);
                most_reads = most_reads.max(reads.get());
                most_bytes = most_bytes.max(info.bytes_max);
                let max = READS_PER_BLOCK_MAX * blocks;
                assert!(reads.get() <= max, "seed {number}, case {case}: {} reads", reads.get());
                let most = info.bytes_max;
                assert!(most <= MEMORY_BYTES_MAX, "seed {number}, case {case}: {most} bytes");
            }
        }
    }
    println!("{mounted} commands, {failed} failed; {most_reads} reads, {most_bytes} bytes at most");
    assert!(mounted > 10 * CASES && failed > CASES, "{mounted} commands, {failed} failed");
}

/// Returns whether a command succeeded; `None` if there was no volume.
fn act_on(bytes: &[u8], reads: &Cell<usize>, act: u8) -> Option<bool> {
    let disk = Counting { disk: Disk(bytes), reads };
    let volume = Volume::mount(disk, vec![0; SCRATCH_BYTES]).ok()?;
    let (names_bytes_max, hole_bytes_max) = (NAMES_BYTES_MAX, 1 << 20);
    let mut tools = Tools { volume, buffer: vec![0; 8192], names_bytes_max, hole_bytes_max };
    let mut found = Collected { output_bytes_max: 256 << 10, ..Collected::default() };
    let done = match act {
        0 => tools.ls(b"/", true, &mut found),
        1 => tools.sum(b"/", &mut found),
        _ => PATHS.into_iter().try_for_each(|path| tools.cat(path.as_bytes(), &mut found)),
    };
    if let Err(line) = &done {
        assert!(!line.contains('\n') && !line.is_empty(), "{line}");
    }
    Some(done.is_ok())
}
