//! Data as the guest wrote it, seen by dom0, and the other way round.
//!
//! dom0 reads and writes the ramdisk past its page cache, which the guest's requests do not go
//! through.

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::check::{Check, RAMDISKS, good_result, guest, number, powered_off, value};
use super::requests::XVDA;
use crate::guest::Guest;
use crate::pattern;
use crate::result::GuestResult;
use crate::steps::Outcome;

/// Path of [`pattern()`] in dom0.
pub(super) const PATTERN_FILE: &str = "/rig/pattern";
const PATTERN_MIB: u32 = 16;
/// Blocks of the pattern.
const BLOCKS: u64 = (PATTERN_MIB as u64) << 20 >> 12;
/// A byte of the pattern that is 0: the upper bytes of an offset below 16 MiB are.
const FLIPPED_BYTE: usize = 5_000_003;
/// The guest's options for it; fio's `%o` is the block's offset.
const JOB: &str =
    "--bs=4k --iodepth=32 --size=16m --filename=/dev/xvda --verify=pattern --verify_pattern=%o";

/// The pattern: every block is filled with its offset.
pub(super) fn pattern() -> Vec<u8> {
    pattern::offsets((PATTERN_MIB as usize) << 20)
}

/// A shell command that prints `KEY=` and the SHA-256 of a ramdisk's first MiBs.
pub(super) fn sha256_command(key: &str, ramdisk: u32, mib: u32) -> String {
    format!(
        "echo {key}=$(dd if=/dev/ram{ramdisk} bs=1M count={mib} iflag=direct 2>/dev/null | sha256sum)"
    )
}

/// A shell command that fills a ramdisk's first MiBs with the pattern and the rest with zeros.
pub(super) fn fill_command(ramdisk: u32) -> String {
    let rest = RAMDISKS.mib - PATTERN_MIB;
    format!(
        "dd if={PATTERN_FILE} of=/dev/ram{ramdisk} bs=1M oflag=direct 2>/dev/null || echo cannot fill\n\
         dd if=/dev/zero of=/dev/ram{ramdisk} bs=1M seek={PATTERN_MIB} count={rest} 2>/dev/null || echo cannot fill"
    )
}

pub(super) fn checks() -> Vec<Check> {
    vec![guest_writes(), guest_reads(), one_byte_flipped(), checksums_and_flushes()]
}

fn guest_writes() -> Check {
    let command = format!(
        "dd if=/dev/zero of=/dev/ram0 bs=1M count={PATTERN_MIB} 2>/dev/null\nguest data-write 90\n{}",
        sha256_command("sha256", 0, PATTERN_MIB)
    );
    let extra = format!("--name=fill --rw=write --do_verify=0 {JOB}");
    Check::new("the guest writes a pattern", 150, command)
        .with(guest("data-write", &[0], 'w', &extra))
        .judged("(c) dom0 reads what the guest wrote", |outcome| {
            good_result(outcome, "data-write")?;
            let expected = sha256(&pattern());
            let found = first_word(value(outcome, "sha256")?);
            ensure!(found == expected, "sha256 of the ramdisk {found}, of the pattern {expected}");
            Ok(format!("{PATTERN_MIB} MiB, sha256 {found}"))
        })
}

fn guest_reads() -> Check {
    let extra = format!("--name=check --rw=read {JOB}");
    Check::new(
        "the guest checks a pattern",
        150,
        format!("{}\nguest data-read 90", fill_command(0)),
    )
    .with(guest("data-read", &[0], 'w', &extra))
    .judged("(c) the guest reads what dom0 wrote", |outcome| {
        good_result(outcome, "data-read")?;
        checked(outcome, "data-read", 0)
    })
}

fn one_byte_flipped() -> Check {
    let command = format!(
        "printf '\\377' | dd of=/dev/ram0 bs=1 seek={FLIPPED_BYTE} conv=notrunc,fsync 2>/dev/null\n\
         guest data-flipped 90"
    );
    let extra = format!("--name=check --rw=read {JOB}");
    Check::new("the guest checks a pattern with a flipped byte", 150, command)
        .with(guest("data-flipped", &[0], 'w', &extra))
        .judged("(c) one flipped byte is one error", |outcome| {
            let result = GuestResult::ours(outcome, "data-flipped")?;
            ensure!(result.verdict().is_err(), "the guest reports success");
            powered_off(outcome, "data-flipped")?;
            checked(outcome, "data-flipped", 1)
        })
}

/// Blocks of the disk with checksums, and those that dom0 looks at.
const SUMMED_BLOCKS: u64 = 256;
const SUMMED: [u64; 3] = [0, 100, SUMMED_BLOCKS - 1];

/// Has a guest write MD5 headers, each write flushed, to a loop device, whose cache blkback offers
/// to flush, which it does not of a ramdisk.
fn checksums_and_flushes() -> Check {
    let name = "data-summed";
    let extra = format!(
        "hold --name=fill --rw=randwrite --bs=4k --iodepth=8 --size={}k --verify=md5 --sync=1 \
         --end_fsync=1 --filename=/dev/xvda",
        SUMMED_BLOCKS * 4
    );
    let blocks = SUMMED.map(|block| format!("{block} ")).concat();
    // A header of fio's takes 40 bytes, and the MD5 of what is behind it 16.
    let command = format!(
        r#"dd if=/dev/zero of=/tmp/summed bs=4k count={SUMMED_BLOCKS} 2>/dev/null
losetup /dev/loop5 /tmp/summed || echo cannot attach
guest_create {name}
guest_until 'ringmark-result-end*' 60
for key in wr_req f_req; do echo $key=$(cat ${{vbds}}{XVDA}/statistics/$key); done
xl shutdown {name}
guest_end 30
for block in {blocks}; do
dd if=/tmp/summed of=/tmp/block bs=4k skip=$block count=1 2>/dev/null
echo expected$block=$(dd if=/tmp/block bs=8 skip=7 2>/dev/null | md5sum)
echo found$block=$(dd if=/tmp/block bs=8 skip=5 count=2 2>/dev/null | hexdump -ve '1/1 "%02x"')
done
losetup -d /dev/loop5
rm /tmp/summed /tmp/block"#
    );
    let disks = vec!["phy:/dev/loop5,xvda,w".to_owned()];
    Check::new("data: checksums and flushes", 150, command)
        .with(Guest { disks, ..guest(name, &[], 'w', &extra) })
        .judged("(c) dom0 finds the guest's MD5 right", move |outcome| {
            good_result(outcome, name)?;
            for block in SUMMED {
                let expected = first_word(value(outcome, &format!("expected{block}"))?);
                let found = value(outcome, &format!("found{block}"))?;
                ensure!(found == expected, "block {block}: {found}, MD5 of its data {expected}");
            }
            Ok(format!("blocks {blocks}"))
        })
        .judged("(a) blkback flushes once for each write with sync=1, and at the end", |outcome| {
            let (writes, flushes) = (number(outcome, "wr_req")?, number(outcome, "f_req")?);
            let evidence = format!("{writes} writes, {flushes} flushes");
            ensure!((writes, flushes) == (SUMMED_BLOCKS, SUMMED_BLOCKS + 1), "{evidence}");
            Ok(evidence)
        })
}

/// Checks that the job read all blocks and found this number of wrong ones.
fn checked(outcome: &Outcome, name: &str, wrong: u64) -> Result<String> {
    let result = GuestResult::ours(outcome, name)?;
    let job = result.job("check")?;
    let ios = job["read"]["total_ios"].as_u64().context("the job has no read.total_ios")?;
    let errors = job["ringmark"]["errors"].as_u64().context("the job has no ringmark.errors")?;
    let evidence = format!("{ios} reads, {errors} errors");
    // An I/O that fails is no I/O to some, and one to others.
    ensure!(errors == wrong && (ios == BLOCKS || ios + errors == BLOCKS), "{evidence}");
    Ok(evidence)
}

/// The digest of `sha256sum`'s line, which names the file after it.
pub(super) fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

fn sha256(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_to_flip_is_zero() {
        assert_eq!(pattern()[FLIPPED_BYTE], 0);
    }

    #[test]
    fn digests_are_those_of_sha256sum() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
        assert_eq!(first_word(&format!("{empty}  -")), empty);
    }
}
