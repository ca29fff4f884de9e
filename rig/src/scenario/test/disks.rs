//! Many disks and read-only disks.

use anyhow::{Context, Result, ensure};

use super::check::{Check, good_result, guest, powered_off, value};
use super::data::{first_word, sha256_command};
use crate::result::{GuestResult, OURS};
use crate::steps::Outcome;

/// The eight disks of check (d): xvda to xvdh.
const EIGHT: [u32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
const IOS_A_DISK: u64 = 256;

pub(super) fn checks() -> Vec<Check> {
    vec![eight_at_once(), read_only_refuses(), read_only_reads()]
}

fn eight_at_once() -> Check {
    let mut extra = "hold --rw=randread --bs=4k --iodepth=4 --size=1m".to_owned();
    for disk in disk_names() {
        extra.push_str(&format!(" --name={disk} --filename=/dev/{disk}"));
    }
    let command = "guest_create disks-eight\nguest_until 'ringmark-result-end*' 60\n\
                   echo rd_req=$(cat $vbds*/statistics/rd_req)\nxl shutdown disks-eight\nguest_end 60";
    Check::new("eight disks at once", 180, command)
        .with(guest("disks-eight", &EIGHT, 'w', &extra))
        .judged("(d) eight disks at once", |outcome| {
            let result = good_result(outcome, "disks-eight")?;
            for disk in disk_names() {
                let ios = result.job(&disk)?["read"]["total_ios"].as_u64();
                ensure!(ios == Some(IOS_A_DISK), "{disk}: {ios:?} reads, not {IOS_A_DISK}");
            }
            let counted = value(outcome, "rd_req")?;
            let expected = [IOS_A_DISK; 8].map(|ios| ios.to_string()).join(" ");
            ensure!(counted == expected, "blkback counts {counted} reads, not {expected}");
            Ok(format!("{IOS_A_DISK} reads on each of xvda to xvdh; blkback counts {counted}"))
        })
}

fn disk_names() -> impl Iterator<Item = String> {
    ('a'..='h').map(|letter| format!("xvd{letter}"))
}

fn read_only_refuses() -> Check {
    let extra = "--name=job --rw=write --bs=4k --iodepth=4 --size=1m --filename=/dev/xvda";
    let command = format!(
        "{}\nguest read-only-write 60\n{}",
        sha256_command("before", 0, 16),
        sha256_command("after", 0, 16)
    );
    Check::new("a write job on a read-only disk", 120, command)
        .with(guest("read-only-write", &[0], 'r', extra))
        .judged("(e) a read-only disk refuses a write job", |outcome| {
            let error = refused(outcome, "read-only-write", &["xvda", "read-only"])?;
            unchanged(outcome)?;
            Ok(format!("\"{error}\"; bytes unchanged"))
        })
}

fn read_only_reads() -> Check {
    let extra = "--name=job --rw=read --bs=4k --iodepth=4 --size=1m --filename=/dev/xvda";
    Check::new("a read job on a read-only disk", 120, "guest read-only-read 60")
        .with(guest("read-only-read", &[0], 'r', extra))
        .judged("(e) a read-only disk can be read", |outcome| reads(outcome, "read-only-read"))
}

/// Checks that the guest read the 1 MiB of its job in blocks of 4 KiB.
pub(super) fn reads(outcome: &Outcome, name: &str) -> Result<String> {
    let result = good_result(outcome, name)?;
    let ios = result.job("job")?["read"]["total_ios"].as_u64();
    ensure!(ios == Some(IOS_A_DISK), "{ios:?} reads, not {IOS_A_DISK}");
    Ok(format!("{IOS_A_DISK} reads"))
}

/// Checks that the guest refused its job: the result's error has all these words and stands on
/// the console too, in a line of its own; then it powered off. Gives the error.
pub(super) fn refused(outcome: &Outcome, name: &str, words: &[&str]) -> Result<String> {
    let result = GuestResult::ours(outcome, name)?;
    let error = result.verdict().err().context("the result says \"ok\": true")?;
    for word in words {
        ensure!(error.contains(word), "the error does not name {word}: {error}");
    }
    let lines = crate::guest::ConsoleLine::of(outcome, name);
    let told = lines.iter().any(|line| line.text.contains(&error) && !line.text.starts_with(OURS));
    ensure!(told, "no console line says: {error}");
    let panic = lines.iter().find(|line| line.text.contains("panic"));
    ensure!(panic.is_none(), "the guest panicked: {}", panic.map_or("", |line| line.text));
    powered_off(outcome, name)?;
    Ok(error)
}

/// Checks that the digests `before` and `after` are the same.
pub(super) fn unchanged(outcome: &Outcome) -> Result<()> {
    let (before, after) = (value(outcome, "before")?, value(outcome, "after")?);
    ensure!(first_word(before).len() == 64, "no digest: {before}");
    ensure!(before == after, "the disk has changed: {before} before, {after} after");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::framed;

    #[test]
    fn a_refusal_is_told_twice_and_powers_off() {
        let lines = |told, reason| {
            let json = r#"{"ringmark": {"ok": false, "error": "xvda is read-only"}}"#;
            let mut lines = framed("a", json);
            lines.extend(["[xl 1.0] create a", told, reason].map(str::to_owned));
            Outcome::printed(lines)
        };
        let (told, off) = (
            "[a 2.0] ringmark: xvda is read-only",
            "[xl 3.0] Domain 1 has shut down, reason code 0 0x0",
        );
        assert!(refused(&lines(told, off), "a", &["xvda", "read-only"]).is_ok());
        assert!(refused(&lines(told, off), "a", &["xvdb"]).is_err());
        assert!(refused(&lines("[a 2.0] silence", off), "a", &[]).is_err());
        let crash = "[xl 3.0] Domain 1 has shut down, reason code 3 0x3";
        assert!(refused(&lines(told, crash), "a", &[]).is_err());
    }

    #[test]
    fn digests_must_be_digests() {
        let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let same = Outcome::printed([format!("before={digest}  -"), format!("after={digest}  -")]);
        assert!(unchanged(&same).is_ok());
        assert!(unchanged(&Outcome::printed(["before=-", "after=-"])).is_err());
        let other = digest.replace('e', "f");
        let different = Outcome::printed([format!("before={digest}"), format!("after={other}")]);
        assert!(unchanged(&different).is_err());
    }
}
