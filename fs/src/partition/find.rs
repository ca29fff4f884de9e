//! Search for a partition by its name.

use core::fmt;

use super::name::PartitionName;
use super::table::{PARTITIONS_MAX, Partition, Tables};

/// Name that leads to no partition, or to several; tells what there is.
#[derive(Clone, Copy, Debug)]
pub struct NoSuchPartition<'t> {
    name: PartitionName,
    partitions: &'t [Partition],
}

impl fmt::Display for NoSuchPartition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        let several = self.partitions.iter().any(|one| one.name.has_letter_of(name));
        let mut names: heapless::Vec<PartitionName, PARTITIONS_MAX> = self
            .partitions
            .iter()
            .map(|partition| partition.name)
            .filter(|other| !several || other.has_letter_of(name))
            .take(PARTITIONS_MAX)
            .collect();
        names.sort_unstable();
        match (several, names.is_empty()) {
            (true, _) => write!(f, "more than one partition {name}: ")?,
            (_, true) => return write!(f, "no partition {name}: the disk has none"),
            _ => write!(f, "no partition {name}; there are ")?,
        }
        for (index, name) in names.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

impl Tables {
    /// Returns the partition of this name. A letter alone also finds the only partition with that
    /// letter in the labels of slices and GPT entries, if the disk has none in a label of its own.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn find(&self, name: PartitionName) -> Result<Partition, NoSuchPartition<'_>> {
        if name == PartitionName::DISK {
            return Ok(self.disk);
        }
        if let Some(exact) = self.partitions.iter().find(|partition| partition.name == name) {
            return Ok(*exact);
        }
        let mut inner = self.partitions.iter().filter(|one| one.name.has_letter_of(name));
        match (inner.next(), inner.next()) {
            (Some(only), None) => Ok(*only),
            _ => Err(NoSuchPartition { name, partitions: &self.partitions }),
        }
    }
}
