//! List of a disk's partitions, with what is in them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{Debug, Display};

use fs::{Info, Partition, Volume};

use crate::mount::{AnyDisk, warn};
use crate::report::{Report, Result};

/// Heads of the columns.
const HEADS: [&str; 8] =
    ["name", "type", "start", "bytes", "label", "version", "volume", "mounted on"];

/// Outputs a line for the disk and one for each partition, by name: a `*` if its volume is the one
/// that is mounted without a name; type, start and size in bytes, name in a GPT, and the volume's
/// version, name, and place where it was mounted last. What is empty is `-`. `scratch` is at least
/// [`SCRATCH_BYTES`](fs::SCRATCH_BYTES).
///
/// # Errors
/// Errors of the disk; a failure of the output.
#[inline(never)]
pub fn partitions<'d, E: Display + Debug>(
    disk: &mut AnyDisk<'d, E>,
    scratch: &mut [u8],
    report: &mut dyn Report,
) -> Result<()> {
    let tables = fs::partitions(&mut *disk, &mut *scratch).map_err(|error| error.to_string())?;
    warn(&tables.doubts, report);
    if let Some(skipped) = tables.skipped {
        report.warn(&format!("skipped: {skipped}"));
    }
    let mounted = Volume::mount(&mut *disk, &mut *scratch).ok();
    let mounted = mounted.map(|volume| volume.info().partition);

    let mut all: Vec<&Partition> = tables.partitions.iter().chain([&tables.disk]).collect();
    all.sort_unstable_by_key(|partition| partition.name);
    report.output(line(' ', &HEADS.map(String::from)).as_bytes())?;
    for partition in all {
        let label = partition.gpt_label(&mut *disk, &mut *scratch);
        let label = label.map_err(|error| error.to_string())?;
        let label = label.map(|label| label.to_string()).unwrap_or_default();
        let [version, name, mounted_on] = volume(disk, scratch, partition);
        let mark = if mounted == Some(partition.name) { '*' } else { ' ' };
        let columns = [
            partition.name.to_string(),
            partition.kind.to_string(),
            partition.start_bytes.to_string(),
            partition.size_bytes.to_string(),
            escaped(label.as_bytes()),
            version,
            name,
            mounted_on,
        ];
        report.output(line(mark, &columns).as_bytes())?;
    }
    Ok(())
}

/// Returns version, name and last place of the volume in a partition, if there is one.
#[inline(never)]
fn volume<'d, E: Display + Debug>(
    disk: &mut AnyDisk<'d, E>,
    scratch: &mut [u8],
    partition: &Partition,
) -> [String; 3] {
    let none = || ["-", "-", "-"].map(String::from);
    if !partition.kind.is_tried() {
        return none();
    }
    let Ok(mut volume) = Volume::probe_partition(disk, scratch, partition) else {
        return none();
    };
    let Info { version, name, .. } = volume.info();
    let (version, name) = (version.to_string(), escaped(name));
    let mounted_on = volume.mounted_on().map_or(String::from("-"), |path| escaped(&path));
    [version, name, mounted_on]
}

/// Returns text up to its first zero as one word.
fn escaped(text: &[u8]) -> String {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    match text.is_empty() {
        true => String::from("-"),
        false => text.escape_ascii().to_string().replace(' ', "\\x20"),
    }
}

fn line(mark: char, columns: &[String; 8]) -> String {
    let [name, kind, start, bytes, label, version, volume, mounted_on] = columns;
    let left = format!("{mark} {name:<5} {kind:<14} {start:>15} {bytes:>15}");
    format!("{left} {label:<12} {version:<7} {volume:<12} {mounted_on}\n")
}
