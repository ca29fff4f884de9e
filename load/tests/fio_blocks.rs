//! Patterns against fio itself, on its null engine with `write_iolog`: the same law, though not the
//! same sequence. This needs Debian's package `fio`.
//!
//! Both run a job for all of its bytes. Where each block is visited once, the multisets are equal
//! or both cover the region once; where I/Os are drawn, each share differs by no more than chance
//! does in fixed seeds.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use fio_job::{Direction, Job};
use load::{Io, Pattern};

const MIB: u64 = 1 << 20;
/// Standard deviations by which a share may differ: chance has it once in 15,000 shares.
const DEVIATIONS: f64 = 4.0;
const REGION_PARTS: u64 = 16;

/// Returns the I/Os of fio.
fn theirs(line: &str, size_bytes: u64) -> Vec<Io> {
    let mut name = format!("ringmark-blocks-{}-{line}", std::process::id());
    name.retain(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    let path = std::env::temp_dir().join(name);
    let output = Command::new("fio")
        .args(["--name=a", "--ioengine=null", "--thread", &format!("--size={size_bytes}")])
        .args(line.split(' ').map(|option| format!("--{option}")))
        .arg(format!("--write_iolog={}", path.display()))
        .output();
    let output = output.unwrap_or_else(|e| panic!("cannot run fio: {e}; apt-get install fio"));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    let log = fs::read_to_string(&path).expect("fio's log");
    fs::remove_file(&path).expect("fio's log");
    let io = |line: &str| {
        // Time, file, what, offset, length.
        let words: Vec<&str> = line.split(' ').collect();
        let [_, _, word, offset, bytes] = words[..] else { return None };
        let direction = match word {
            "read" => Direction::Read,
            "write" => Direction::Write,
            "trim" => Direction::Trim,
            _ => return None,
        };
        Some(Io { direction, offset: offset.parse().ok()?, bytes: bytes.parse().ok()? })
    };
    log.lines().filter_map(io).collect()
}

/// Returns the I/Os of our pattern.
fn ours(line: &str, size_bytes: u64) -> Vec<Io> {
    let job: Job = fio_job::parse(&format!("filename=xvda size={size_bytes} {line}"))
        .unwrap_or_else(|error| panic!("{line}: {error}"))
        .remove(0);
    let region = job.resolve("xvda", size_bytes, 512).expect(line);
    let mut pattern = Pattern::new(&job, region, 9);
    assert!(pattern.make_map());
    let mut left = region.io_bytes.expect("an end");
    let next = || {
        let io = (left > 0).then(|| pattern.next_io())?;
        left = left.saturating_sub(io.bytes.into());
        Some(io)
    };
    std::iter::from_fn(next).collect()
}

fn both(line: &str, size_bytes: u64) -> [Vec<Io>; 2] {
    [theirs(line, size_bytes), ours(line, size_bytes)]
}

fn sorted(ios: &[Io]) -> Vec<(usize, u64, u32)> {
    let mut ios: Vec<_> =
        ios.iter().map(|io| (io.direction as usize, io.offset, io.bytes)).collect();
    ios.sort_unstable();
    ios
}

/// Compares the shares of I/Os that are alike by this key.
fn same_shares<K: Ord + std::fmt::Debug>(
    line: &str,
    [theirs, ours]: [&[Io]; 2],
    mut key: impl FnMut(&[Io], usize) -> K,
) {
    let mut counts: BTreeMap<K, [f64; 2]> = BTreeMap::new();
    for (side, ios) in [theirs, ours].into_iter().enumerate() {
        for index in 0..ios.len() {
            counts.entry(key(ios, index)).or_default()[side] += 1.0;
        }
    }
    let all = [theirs.len() as f64, ours.len() as f64];
    for (key, count) in counts {
        let [one, other] = [count[0] / all[0], count[1] / all[1]];
        let both = (count[0] + count[1]) / (all[0] + all[1]);
        let deviation = (both * (1.0 - both) * (1.0 / all[0] + 1.0 / all[1])).sqrt();
        let most = DEVIATIONS * deviation + 2.0 / all[0].min(all[1]);
        assert!((one - other).abs() <= most, "{line}: {key:?} has {one} of fio's, {other} of ours");
    }
}

/// Returns whether an I/O begins where the last one of its direction ended, or began.
fn follows(ios: &[Io], index: usize) -> (usize, bool, bool) {
    let io = &ios[index];
    let last = ios[..index].iter().rev().take(64).find(|last| last.direction == io.direction);
    let behind = last.is_some_and(|last| last.offset + u64::from(last.bytes) == io.offset);
    (io.direction as usize, behind, last.is_some_and(|last| last.offset == io.offset))
}

/// Compares sizes, places, order and alignment by direction.
fn same_law(line: &str, size_bytes: u64) -> [Vec<Io>; 2] {
    let [theirs, ours] = both(line, size_bytes);
    let sides = [&theirs[..], &ours[..]];
    // The places of I/Os that follow others are no draws.
    let part = |ios: &[Io], index: usize| match follows(ios, index) {
        (side, false, false) => Some((side, ios[index].offset * REGION_PARTS / size_bytes)),
        _ => None,
    };
    same_shares(line, sides, |ios, index| (ios[index].direction as usize, ios[index].bytes));
    same_shares(line, sides, part);
    same_shares(line, sides, follows);
    for direction in Direction::ALL {
        let aligned = |ios: &[Io]| {
            let offsets = ios.iter().filter(|io| io.direction == direction).map(|io| io.offset);
            offsets.fold(u64::MAX, |unit, offset| unit.min(1 << offset.trailing_zeros().min(40)))
        };
        assert_eq!(aligned(&theirs), aligned(&ours), "{line}: {direction:?}");
    }
    [theirs, ours]
}

/// Returns how often each block of the region was visited.
fn visits(ios: &[Io], block_bytes: u64, size_bytes: u64) -> Vec<u32> {
    let mut visits = vec![0; (size_bytes / block_bytes) as usize];
    for io in ios {
        let blocks = io.offset / block_bytes..(io.offset + u64::from(io.bytes)) / block_bytes;
        blocks.for_each(|block| visits[block as usize] += 1);
    }
    visits
}

#[test]
fn jobs_whose_ios_are_known_are_the_same() {
    for line in [
        "rw=read bs=4k",
        "rw=randread bs=4k",
        "rw=randtrim bs=64k",
        "rw=randread bs=4k norandommap random_generator=lfsr",
        "rw=randread bs=4k,8k",
        "rw=randwrite bs=8k bssplit=8k/90:16k/10,,",
        "rw=randread bsrange=4k:4k,4k:8k",
        "rw=read bssplit=4k/50:6k/50",
        "rw=randwrite bs=4k percentage_random=25,100,0",
        "rw=read bs=4k percentage_random=25",
    ] {
        let [theirs, ours] = both(line, 4 * MIB);
        assert_eq!(sorted(&theirs), sorted(&ours), "{line}");
    }
}

#[test]
fn holes_are_as_wide_and_come_again() {
    for line in [
        "rw=read:4k bs=4k",
        "rw=read:-8k bs=4k",
        "rw=read:-1024 bs=512",
        "rw=write:512 bs=1k",
        "rw=trim:12k bs=4k",
        "rw=read:-2k bs=4k number_ios=90",
        "rw=read:4k bs=4k rw_sequencer=identical",
    ] {
        let [theirs, mut ours] = both(line, MIB);
        ours.truncate(theirs.len());
        assert!(theirs.len() > 80);
        assert_eq!(theirs, ours, "{line}");
    }
}

#[test]
fn drawn_ios_have_the_same_law() {
    for line in [
        "rw=randread bsrange=4k-64k norandommap",
        "rw=randread bsrange=4k-10k norandommap",
        "rw=randwrite bsrange=512-16k norandommap",
        "rw=randrw bsrange=4k-16k,8k-64k norandommap rwmixread=30",
        "rw=randtrim bsrange=64k-256k norandommap",
        "rw=read bsrange=4k-64k",
        "rw=read bsrange=3k-10k",
        "rw=randread bssplit=4k/10:64k/50:32k/40 norandommap",
        "rw=randread bssplit=4k/20:8k/30 norandommap",
        "rw=randread bssplit=4k/60:8k/80 norandommap",
        "rw=randread bssplit=4k/50:1k:2k:512/0 norandommap",
        "rw=randread bssplit=4k/50:6k/50 norandommap bs_unaligned",
        "rw=randread bssplit=4k/30:6k/70 norandommap",
        "rw=write bssplit=4k/72:8k/18:12k/3:16k/7",
        "rw=randread bs=8k ba=4k",
        "rw=randread bs=4k ba=512",
        "rw=randread bs=4k ba=64k",
        "rw=randrw bs=4k,16k ba=4k norandommap",
        "rw=randread bsrange=4k-16k random_generator=lfsr",
        "rw=randwrite bs=4k percentage_random=0,33,0 norandommap",
        "rw=randrw bs=8k percentage_random=80,20 norandommap",
        "rw=randread bs=4k percentage_random=50",
        "rw=randread:8 bs=4k norandommap",
        "rw=randread:3 bs=4k norandommap rw_sequencer=identical",
        "rw=randrw:5 bs=4k norandommap",
        "rw=randread random_distribution=zoned:50/5:30/15:20/ bs=4k",
        "rw=randread random_distribution=zoned:60/10:40/40 bs=4k",
        "rw=randread random_distribution=zoned_abs:60/10m:0/6m:40/32m bs=4k",
    ] {
        same_law(line, 128 * MIB);
    }
}

#[test]
fn a_map_has_each_block_once_whatever_the_sizes() {
    // The second is that of fio's iometer-file-access-server.fio.
    for (line, block_bytes, size_bytes) in [
        ("rw=randread bssplit=4k/50:8k/50", 4096, 64 * MIB),
        (
            "rw=randrw rwmixread=80 \
             bssplit=512/10:1k/5:2k/5:4k/60:8k/2:16k/4:32k/4:64k/10",
            512,
            64 * MIB,
        ),
        ("rw=randwrite bsrange=4k-64k", 4096, 128 * MIB),
        ("rw=randtrim bsrange=4k-1m", 4096, 256 * MIB),
        ("rw=randread bsrange=4k-10k", 4096, 64 * MIB),
    ] {
        let [theirs, ours] = both(line, size_bytes);
        for ios in [&theirs, &ours] {
            if line != "rw=randread bsrange=4k-10k" {
                let visits = visits(ios, block_bytes, size_bytes);
                assert!(visits.iter().all(|count| *count == 1), "{line}");
            }
        }
        // The first half finds few blocks taken; the second takes what is left between.
        for half in [0..1, 1..2] {
            let part =
                |ios: &[Io]| ios[ios.len() / 2 * half.start..ios.len() / 2 * half.end].to_vec();
            let sides = [part(&theirs), part(&ours)];
            same_shares(line, [&sides[0], &sides[1]], |ios, index| {
                (ios[index].direction as usize, ios[index].bytes)
            });
        }
    }
}

/// In fio a direction's blocks are counted in its own smallest size, in one map for all. The job
/// ends early where none is left, so the first part is compared.
#[test]
fn sizes_by_direction_share_a_map() {
    let line = "rw=randrw bs=4k,8k";
    let [mut theirs, mut ours] = both(line, 64 * MIB);
    let ios = theirs.len().min(ours.len()) * 3 / 4;
    theirs.truncate(ios);
    ours.truncate(ios);
    let number = |io: &Io| io.offset / u64::from(io.bytes);
    for ios in [&theirs, &ours] {
        let mut numbers: Vec<u64> = ios.iter().map(number).collect();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[0] != pair[1]));
    }
    let key = |ios: &[Io], index: usize| (ios[index].bytes, ios[index].offset >> 22);
    same_shares(line, [&theirs, &ours], key);
}

/// Returns the shares of the most popular blocks, as many as `counts` says.
fn popular(ios: &[Io], counts: [usize; 3]) -> [f64; 3] {
    let mut blocks: BTreeMap<u64, f64> = BTreeMap::new();
    ios.iter().for_each(|io| *blocks.entry(io.offset).or_default() += 1.0 / ios.len() as f64);
    let mut shares: Vec<f64> = blocks.into_values().collect();
    shares.sort_by(|one, other| other.total_cmp(one));
    counts.map(|count| shares.iter().take(count).sum())
}

#[test]
fn popular_blocks_are_as_popular_and_lie_anywhere() {
    const SIZE: u64 = 256 * MIB;
    for law in ["zipf:1.2", "zipf", "zipf:1.2:0.5", "pareto:0.1", "normal:0", "normal:10"] {
        let line = format!("rw=randrw bs=4k random_distribution={law}");
        let [theirs, ours] = both(&line, SIZE);
        let [one, other] = [&theirs, &ours].map(|ios| popular(ios, [1, 100, 1000]));
        for (one, other) in one.iter().zip(other) {
            // Ranks that share a block, as fio's do, are few among the popular ones.
            let is_normal = law.starts_with("normal");
            assert!(is_normal || (one - other).abs() < 0.02, "{law}: {one} {other}");
        }
        for ios in [&theirs, &ours].into_iter().filter(|_| law.starts_with("normal")) {
            let place = |io: &Io| io.offset as f64 / SIZE as f64;
            let mean = ios.iter().map(place).sum::<f64>() / ios.len() as f64;
            let square = |io: &Io| (place(io) - mean).powi(2);
            let deviation = (ios.iter().map(square).sum::<f64>() / ios.len() as f64).sqrt();
            assert!((mean - 0.5).abs() < 0.01, "{law}: {mean}");
            assert!((deviation - 0.2887).abs() < 0.004, "{law}: {deviation}");
        }
        // What is popular to read is popular to write.
        for ios in [&theirs, &ours] {
            let most = |direction| {
                let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
                let side = ios.iter().filter(|io| io.direction == direction);
                side.for_each(|io| *counts.entry(io.offset).or_default() += 1);
                counts.into_iter().max_by_key(|(_, count)| *count).map(|(offset, _)| offset)
            };
            let both = [Direction::Read, Direction::Write].map(most);
            assert!(both[0] == both[1] || law.starts_with("normal"), "{law}: {both:?}");
            if law == "zipf:1.2:0.5" {
                assert_eq!(both[0], Some(SIZE / 2));
            }
        }
    }
}

/// fio's job on a device with several sizes by order ends at the first I/O that crosses its end, so
/// only its begin is compared.
#[test]
fn sizes_by_order_are_those_of_the_order() {
    let line = "rw=randread bs=4k,64k bs_is_seq_rand=1 percentage_random=30 norandommap";
    let [mut theirs, mut ours] = both(line, 1024 * MIB);
    let ios = theirs.len().min(ours.len());
    assert!(ios > 300, "{ios}");
    theirs.truncate(ios);
    ours.truncate(ios);
    for ios in [&theirs, &ours] {
        assert!(ios.iter().all(|io| io.offset.is_multiple_of(4096)));
        for pair in ios.windows(2) {
            let is_behind = pair[0].offset + u64::from(pair[0].bytes) == pair[1].offset;
            assert_eq!(is_behind, pair[1].bytes == 4096, "{pair:?}");
        }
    }
    same_shares(line, [&theirs, &ours], |ios, index| ios[index].bytes);
}
