//! Axes of a grid, as the command line names them: `bs=4k,64k`, `iodepth=1..64*2`, `vcpus=1,2`.

use std::num::ParseIntError;

use anyhow::{Result, ensure};
use fio_job::number::{parse_bytes, parse_time_in_us, parse_time_ns};
use fio_job::{Numbers, OptionDoc, Unit, Values, find_option};
use xl_config::Config;

use super::file::{Axis, VALUES_MAX};
use crate::display;
use crate::exit::Exit;

/// Settings of the guest that may be axes, with their least and greatest value; everything else is
/// an option of a job.
const GUEST: [(&str, u32, u32); 2] = [("vcpus", 1, 128), ("memory", 1, 1 << 20)];
/// Numbers without a unit of their own, as those of the guest's settings.
const COUNTS: Numbers = Numbers { unit: Unit::Count, least: 0, greatest: u64::MAX, step: 1 };

/// Returns whether an axis of this name is a setting of the guest.
pub fn is_of_guest(name: &str) -> bool {
    GUEST.iter().any(|(known, ..)| *known == name)
}

/// Sets what an axis is of the guest; any other name sets nothing.
///
/// # Errors
/// No number.
pub fn set(config: &mut Config, name: &str, value: &str) -> Result<(), ParseIntError> {
    match name {
        "vcpus" => config.vcpus = value.parse()?,
        "memory" => config.memory_mib = value.parse()?,
        _ => {}
    }
    Ok(())
}

/// Reads an axis. An option that has several names gets its first.
///
/// # Errors
/// A name that no job and no guest has, a setting of the guest out of range, no or too many values,
/// or one that is there twice.
pub fn parse(text: &str) -> Result<Axis, String> {
    let (name, list) = text.split_once('=').ok_or("no =; write, for example, bs=4k,64k")?;
    let name = name.strip_prefix("--").unwrap_or(name).trim();
    let guest = GUEST.iter().find(|(known, ..)| *known == name);
    let doc = match guest {
        Some(_) => None,
        None => find_option(name).map_err(|error| display::text(&error.to_string()))?,
    };
    let mut values: Vec<String> = Vec::new();
    for item in list.split(',').map(str::trim) {
        let range = range(item, numbers(doc))?;
        let advice = match &range {
            None => "",
            Some(_) if item.contains(['+', '*']) => "; give the range a greater step",
            Some(_) => "; give the range a step, as in 4k..64k*2",
        };
        values.extend(range.unwrap_or_else(|| vec![item.to_owned()]));
        if values.len() > VALUES_MAX {
            return Err(format!("more than {VALUES_MAX} values{advice}"));
        }
    }
    if values.iter().any(String::is_empty) {
        return Err("a value is empty; write, for example, bs=4k,64k".to_owned());
    }
    let mut sorted: Vec<&String> = values.iter().collect();
    sorted.sort_unstable();
    if let Some([twice, _]) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("{} is there twice", display::text(twice)));
    }
    if let Some((_, least, most)) = guest {
        let is_good = |value: &String| value.parse().is_ok_and(|n| (*least..=*most).contains(&n));
        return match values.iter().find(|value| !is_good(value)) {
            Some(value) => Err(format!("{} is not in {least}..={most}", display::text(value))),
            None => Ok(Axis { name: name.to_owned(), values }),
        };
    }
    let first = doc.and_then(|doc| doc.names.first().copied());
    let first =
        first.ok_or_else(|| format!("{name} has no effect, so there is nothing to vary"))?;
    Ok(Axis { name: first.to_owned(), values })
}

/// Checks axes together.
///
/// # Errors
/// [`Exit::Usage`]: two of one name.
pub fn check(axes: &[Axis]) -> Result<()> {
    for (index, axis) in axes.iter().enumerate() {
        let is_first = axes.iter().take(index).all(|other| other.name != axis.name);
        let what = || Exit::Usage(format!("--vary {} is there twice; join the lists", axis.name));
        ensure!(is_first, what());
    }
    Ok(())
}

/// Returns the kind of the numbers that an option takes.
fn numbers(doc: Option<OptionDoc>) -> Numbers {
    match doc.map(|doc| doc.values) {
        Some(Values::Numbers(numbers) | Values::NumbersOr(numbers, _)) => numbers,
        _ => COUNTS,
    }
}

/// Reads `FROM..TO`, `FROM..TO+STEP` or `FROM..TO*FACTOR`; `None` if it is none. Both ends and the
/// step may have a unit of the option.
fn range(item: &str, numbers: Numbers) -> Result<Option<Vec<String>>, String> {
    let Some((from, rest)) = item.split_once("..") else { return Ok(None) };
    let (to, step) = match rest.find(['+', '*']).map(|at| rest.split_at(at)) {
        Some((to, step)) => (to, step),
        None => (rest, "+1"),
    };
    let Some((from, to)) = number(from, numbers).zip(number(to, numbers)) else {
        return Ok(None);
    };
    let (is_product, step) = match step.strip_prefix('*') {
        Some(factor) => (true, factor.trim().parse().ok()),
        None => (false, step.strip_prefix('+').and_then(|step| number(step, numbers))),
    };
    let step = step.filter(|&step| step > u64::from(is_product));
    let step = step.ok_or("a range's step is +1 or more, or *2 or more")?;
    if from > to || (is_product && from == 0) {
        return Err(format!("{} has no end; begin with the smaller number", display::text(item)));
    }
    let next = |&last: &u64| {
        let next = if is_product { last.checked_mul(step) } else { last.checked_add(step) };
        next.filter(|&next| next <= to)
    };
    let all = std::iter::successors(Some(from), next).take(VALUES_MAX + 1);
    Ok(Some(all.map(|number| numbers.value(number)).collect()))
}

/// Reads a number as the option does, in the smallest unit.
fn number(text: &str, numbers: Numbers) -> Option<u64> {
    let text = text.trim();
    match numbers.unit {
        Unit::Count | Unit::Bytes | Unit::BytesOrPercent => parse_bytes(text).ok(),
        Unit::Seconds => parse_time_ns(text).ok().map(|ns| ns / 1_000),
        Unit::Microseconds => parse_time_in_us(text).ok().map(|ns| ns / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_listed_and_counted() {
        for (text, name, values) in [
            ("bs=4k,64k", "bs", "4k 64k"),
            ("--blocksize=4k", "bs", "4k"),
            ("iodepth=1..64*2", "iodepth", "1 2 4 8 16 32 64"),
            ("iodepth=1..4,8..24+8,100", "iodepth", "1 2 3 4 8 16 24 100"),
            ("iodepth=1000..1026+24", "iodepth", "1000 1024"),
            ("iodepth=256..1k*2", "iodepth", "256 512 1024"),
            ("runtime=30..2m+30", "runtime", "30s 1m 90s 2m"),
            ("thinktime=500..2ms*2", "thinktime", "500us 1ms 2ms"),
            ("cpus_allowed=0..2", "cpus_allowed", "0 1 2"),
            ("bs=512..4k*2", "bs", "512 1k 2k 4k"),
            ("bs=1m..2m+512k", "bs", "1m 1536k 2m"),
            ("grants=persistent,per-request", "grants", "persistent per-request"),
            ("vcpus=1,2", "vcpus", "1 2"),
            ("memory=16..64*2", "memory", "16 32 64"),
        ] {
            let axis = parse(text).unwrap();
            assert_eq!((axis.name.as_str(), axis.values.join(" ").as_str()), (name, values));
        }
    }

    #[test]
    fn what_is_no_axis_is_refused() {
        for (text, why) in [
            ("bs", "no =; write"),
            ("iodpeth=4", "unknown option \"iodpeth\"; did you mean iodepth?"),
            ("bs=", "a value is empty"),
            ("bs=4k,,8k", "a value is empty"),
            ("bs=4k,8k,4k", "4k is there twice"),
            ("iodepth=4,1..8", "4 is there twice"),
            ("vcpus=0", "0 is not in 1..=128"),
            ("memory=0", "0 is not in 1"),
            ("vcpus=\u{1b}[2J", "\\u{1b}[2J is not in"),
            ("iodepth=8..1", "8..1 has no end"),
            ("iodepth=0..8*2", "0..8*2 has no end"),
            ("iodepth=1..8*1", "a range's step"),
            ("iodepth=1..8+0", "a range's step"),
            ("iodepth=1..8+x", "a range's step"),
            (
                "iodepth=1..18446744073709551615",
                "more than 1000 values; give the range a step, as in 4k..64k*2",
            ),
            ("bs=4k..64k", "more than 1000 values; give the range a step"),
            ("bs=4k..64k+1", "more than 1000 values; give the range a greater step"),
            ("thread=0,1", "thread has no effect"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }

    /// Values that are no range of numbers are left to the job's own check.
    #[test]
    fn a_value_may_have_dots() {
        for text in ["1..x", "xvda:/../x", "..", "1..", "99999999999999999999..5"] {
            assert_eq!(parse(&format!("filename={text}")).unwrap().values, [text]);
        }
    }

    #[test]
    fn no_option_of_a_job_is_hidden_by_the_guests() {
        for (name, ..) in GUEST {
            assert!(find_option(name).is_err(), "{name}");
        }
    }
}
