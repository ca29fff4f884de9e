//! fio's IOPS logs: lines of `MSEC, VALUE, DIRECTION, ..`, where the value is a number of I/Os a
//! second (`write_iops_log` with `log_avg_msec`).

use std::ops::RangeInclusive;

use anyhow::{Result, bail};

/// Seconds and I/Os a second, in the order of time.
pub type Points = Vec<(f64, f64)>;

/// Milliseconds that a log may have: 30 years.
const MSEC: RangeInclusive<f64> = 0.0..=1e12;
/// I/Os a second that a log may have; no disk does a thousandth of the greatest.
const IOPS: RangeInclusive<f64> = 0.0..=1e12;
/// Characters of a line that an error repeats.
const LINE_CHARS_MAX: usize = 80;

/// Reads a log. Each direction that it has is a log of its own.
///
/// # Errors
/// The first line that is none of a log, has a value that cannot be, or goes back in time.
pub fn read(text: &str) -> Result<Vec<(&'static str, Points)>> {
    let mut logs: [Points; 3] = Default::default();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if let Err(reason) = read_line(line, &mut logs) {
            let cut: String = line.chars().take(LINE_CHARS_MAX).collect();
            let end = if cut.len() < line.len() { ".." } else { "" };
            bail!("line {} {reason}: {cut:?}{end}", number + 1);
        }
    }
    let logs: Vec<_> = ["read", "write", "trim"].into_iter().zip(logs).collect();
    if logs.iter().all(|(_, points)| points.is_empty()) {
        bail!("the file is empty");
    }
    Ok(logs.into_iter().filter(|(_, points)| !points.is_empty()).collect())
}

/// Adds a line to the log of its direction, or tells what is wrong with it.
fn read_line(line: &str, logs: &mut [Points; 3]) -> Result<(), &'static str> {
    const NO_LOG: &str = "is neither JSON nor fio's log";
    let mut fields = line.split(',').map(str::trim);
    let mut field = || fields.next().ok_or(NO_LOG);
    let (msec, iops, direction) = (field()?, field()?, field()?);
    let (Ok(msec), Ok(iops), Ok(direction)) =
        (msec.parse::<f64>(), iops.parse::<f64>(), direction.parse::<usize>())
    else {
        return Err(NO_LOG);
    };
    let log = logs.get_mut(direction).ok_or("has a direction that is not 0, 1 or 2")?;
    if !MSEC.contains(&msec) {
        return Err("has a time that cannot be");
    }
    if !IOPS.contains(&iops) {
        return Err("has a rate that cannot be");
    }
    let seconds = msec / 1e3;
    if log.last().is_some_and(|&(before, _)| seconds < before) {
        return Err("goes back in time; keep the log of each job apart");
    }
    log.push((seconds, iops));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_read_by_direction() {
        let text = "500, 10, 0, 0, 0\r\n500, 7, 1, 0\n\n1000, 12, 0, 0, 0\n1000,13,0";
        let logs = read(text).unwrap();
        let [("read", reads), ("write", writes)] = &logs[..] else { panic!("{logs:?}") };
        assert_eq!(reads[..], [(0.5, 10.0), (1.0, 12.0), (1.0, 13.0)]);
        assert_eq!(writes[..], [(0.5, 7.0)]);
    }

    #[test]
    fn what_no_log_has_is_refused_with_its_line() {
        for (line, reason) in [
            ("a, b, 0", "is neither"),
            ("1, 2", "is neither"),
            ("words", "is neither"),
            ("1, 2, 9", "has a direction"),
            ("1, 2, 0.7", "is neither"),
            ("1, 2, -1", "is neither"),
            ("inf, 2, 0", "has a time"),
            ("nan, 2, 0", "has a time"),
            ("-1, 2, 0", "has a time"),
            ("1e308, 2, 0", "has a time"),
            ("1, inf, 0", "has a rate"),
            ("1, -nan, 0", "has a rate"),
            ("1, -5, 0", "has a rate"),
            ("1, 1e308, 0", "has a rate"),
            ("1, 2, 0", "goes back"),
        ] {
            let error = read(&format!("7, 1, 0\n\n{line}\n")).unwrap_err().to_string();
            let begin = format!("line 3 {reason}");
            assert!(error.starts_with(&begin), "{error}");
            assert!(error.ends_with(&format!(": {line:?}")), "{error}");
        }
        assert_eq!(read(" \n").unwrap_err().to_string(), "the file is empty");
    }

    #[test]
    fn an_error_repeats_little_of_a_line() {
        let error = read(&"\u{1b}\u{202e}x".repeat(1 << 20)).unwrap_err().to_string();
        assert!(error.len() < 600 && error.ends_with("\".."), "{error}");
        assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error}");
    }
}
