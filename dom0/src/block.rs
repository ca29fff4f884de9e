//! Facts about a block device of this domain, from `/sys`: nothing is asked of the device.

use std::collections::BTreeSet;

use results::OriginDisk;

use crate::display::fact;
use crate::root::Root;

/// Unit of sizes in `/sys`, whatever the device's sectors are.
const SYS_SECTOR_BYTES: u64 = 512;
/// Most devices that one stands on.
const LOWEST_MAX: usize = 64;
/// Beginnings of names, and the drivers whose they are; the first that fits.
const DRIVERS: [(&str, &str); 13] = [
    ("loop", "loop"),
    ("nullb", "null_blk"),
    ("ram", "brd"),
    ("zram", "zram"),
    ("dm-", "dm"),
    ("md", "md"),
    ("nvme", "nvme"),
    ("vd", "virtio_blk"),
    ("xvd", "xen-blkfront"),
    ("sd", "sd"),
    ("nbd", "nbd"),
    ("rbd", "rbd"),
    ("drbd", "drbd"),
];

/// A block device.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    root: &'a Root,
    /// Number of its driver.
    pub major: u32,
    /// Its number among those of the driver.
    pub minor: u32,
}

impl<'a> Block<'a> {
    /// Names a device by its numbers.
    pub fn new(root: &'a Root, major: u32, minor: u32) -> Self {
        Self { root, major, minor }
    }

    /// Returns its numbers, `MAJOR:MINOR` in decimal.
    pub fn numbers(self) -> String {
        format!("{}:{}", self.major, self.minor)
    }

    /// Returns its name, such as `nvme0n1`; `None` if there is no such device.
    pub fn name(self) -> Option<String> {
        fact(&self.root.link(&self.place())?)
    }

    /// Returns the path of a file about it.
    fn file(self, name: &str) -> String {
        format!("{}/{name}", self.place())
    }

    fn place(self) -> String {
        format!("/sys/dev/block/{}", self.numbers())
    }

    /// Returns whether it refuses writes.
    pub fn is_read_only(self) -> Option<bool> {
        self.root.flag(&self.file("ro"))
    }

    /// Returns the file behind a loop device.
    pub fn backing_file(self) -> Option<String> {
        self.root.fact(&self.file("loop/backing_file"))
    }

    /// Returns the devices that stand on it or on its partitions, such as `dm-3`.
    pub fn holders(self) -> Vec<String> {
        let parts = self.parts();
        let of_parts = parts.iter().map(|part| self.file(&format!("{part}/holders")));
        let places = of_parts.chain([self.file("holders")]);
        places.flat_map(|place| self.root.names(&place)).filter_map(|name| fact(&name)).collect()
    }

    /// Returns the numbers of it and of its partitions.
    pub fn all_numbers(self) -> BTreeSet<String> {
        let parts = self.parts();
        let of_parts =
            parts.iter().filter_map(|part| self.root.fact(&self.file(&format!("{part}/dev"))));
        of_parts.chain([self.numbers()]).collect()
    }

    /// Returns the names of it and of its partitions.
    pub fn all_names(self) -> Vec<String> {
        self.name().into_iter().chain(self.parts()).collect()
    }

    /// Returns the names of its partitions.
    fn parts(self) -> Vec<String> {
        let is_part = |name: &String| self.root.has(&self.file(&format!("{name}/partition")));
        self.root.names(&self.place()).into_iter().filter(is_part).collect()
    }

    /// Returns what its result is to tell of it.
    pub fn facts(self) -> OriginDisk {
        let Some(name) = self.name() else { return OriginDisk::default() };
        // A partition has the queue of its disk.
        let queues = [self.file("queue"), self.file("../queue")];
        let queue = queues.into_iter().find(|path| self.root.has(path)).unwrap_or_default();
        let sectors: Option<u64> = self.root.number(&self.file("size"));
        OriginDisk {
            size_bytes: sectors.and_then(|count| count.checked_mul(SYS_SECTOR_BYTES)),
            sector_bytes: self.root.number(&format!("{queue}/logical_block_size")),
            scheduler: self.scheduler(&queue),
            rotational: self.root.flag(&format!("{queue}/rotational")),
            write_cache: self.root.fact(&format!("{queue}/write_cache")),
            direct_io: self.root.flag(&self.file("loop/dio")),
            device: Some(driver(&name)),
            ..OriginDisk::default()
        }
    }

    /// Returns the scheduler of its queue or, if it stands on others, those of the lowest.
    fn scheduler(self, queue: &str) -> Option<String> {
        let chosen = |queue: &str| {
            let text = self.root.fact(&format!("{queue}/scheduler"))?;
            // All are listed, the one that is used in brackets.
            let (_, rest) = text.split_once('[')?;
            fact(rest.split_once(']')?.0)
        };
        let lowest = self.lowest();
        if lowest.is_empty() {
            return chosen(queue);
        }
        let places = lowest.iter().map(|name| format!("/sys/class/block/{name}"));
        let queues =
            places.flat_map(|place| [format!("{place}/queue"), format!("{place}/../queue")]);
        let all: BTreeSet<String> = queues.filter_map(|queue| chosen(&queue)).collect();
        fact(&all.into_iter().collect::<Vec<_>>().join(" "))
    }

    /// Returns the names of the devices that it stands on and that stand on no other; none if it is
    /// one itself.
    pub fn lowest(self) -> Vec<String> {
        let mut known = BTreeSet::new();
        let mut left = self.root.names(&self.file("slaves"));
        let mut lowest = Vec::new();
        while let Some(name) = left.pop() {
            if known.len() == LOWEST_MAX || !known.insert(name.clone()) {
                continue;
            }
            let below = self.root.names(&format!("/sys/class/block/{name}/slaves"));
            match below.is_empty() {
                true => lowest.push(name),
                false => left.extend(below),
            }
        }
        lowest.sort_unstable();
        lowest
    }
}

/// Returns the driver that names devices so.
fn driver(name: &str) -> String {
    let known = DRIVERS.iter().find(|(begin, _)| name.starts_with(begin));
    let end = name.find(|letter: char| letter.is_ascii_digit()).unwrap_or(name.len());
    known.map_or(name.get(..end).unwrap_or(name), |(_, driver)| driver).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_known_by_their_names() {
        for (name, expected) in [
            ("loop7", "loop"),
            ("ram0", "brd"),
            ("nullb0", "null_blk"),
            ("dm-3", "dm"),
            ("nvme0n1p2", "nvme"),
            ("xvdb", "xen-blkfront"),
            ("bcache0", "bcache"),
            ("7", ""),
        ] {
            assert_eq!(driver(name), expected);
        }
    }

    #[test]
    fn devices_that_are_not_there_have_no_facts() {
        let root = Root::default();
        let block = Block::new(&root, u32::MAX, u32::MAX);
        assert_eq!((block.facts(), block.name()), (OriginDisk::default(), None));
        assert!(block.holders().is_empty() && block.lowest().is_empty());
        assert_eq!(block.all_numbers(), [block.numbers()].into());
    }

    #[test]
    fn devices_of_this_host_have_a_size() {
        let root = Root::default();
        for name in root.names("/sys/dev/block").into_iter().take(9) {
            let (major, minor) = name.split_once(':').unwrap();
            let block = Block::new(&root, major.parse().unwrap(), minor.parse().unwrap());
            let facts = block.facts();
            assert!(
                facts.size_bytes.is_some() && facts.sector_bytes.is_some(),
                "{name}: {facts:?}"
            );
        }
    }
}
