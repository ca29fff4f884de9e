//! Distribution of a random job's blocks (`random_distribution=`).

use crate::error::JobError;
use crate::number::{Bytes, Decimal, parse_bytes};
use crate::value::Value;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

/// Most zones of a `zoned:`.
const ZONES_MAX: usize = 64;

/// Distribution of blocks, as in fio's `random_distribution=`.
///
/// The ranks of the first three are scattered over the region. The centre, 0 to 1, is where in the
/// region the block of the first rank is; without one it is anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// Uniform: `random`.
    #[default]
    Random,
    /// Zipf, `zipf:theta` or `zipf:theta:centre`: the block of rank n is n^theta times less likely
    /// than the block of rank 1. More than 0, up to 100, and not 1.
    Zipf(Decimal, Option<Decimal>),
    /// Pareto, `pareto:h` or `pareto:h:centre`: the share h of the blocks has 1 - h of the I/Os.
    /// Between 0 and 1.
    Pareto(Decimal, Option<Decimal>),
    /// Normal, `normal:deviation` or `normal:deviation:centre`: ranks in the middle are the most
    /// likely, and lie anywhere. In per cent, 0 to 100.
    Normal(Decimal, Option<Decimal>),
    /// Zones, `zoned:access/size:...`: shares of the I/Os, which add up to 100 %, and of the
    /// region, from its start on; what is left over of it has none.
    Zoned(Vec<Zone>),
    /// Zones, `zoned_abs:access/size:...`: as before, with sizes in bytes.
    ZonedAbs(Vec<ZoneAbs>),
}

/// Part of the region, in per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Share of the I/Os, in per cent.
    pub access_percent: u8,
    /// Share of the region, in per cent.
    pub size_percent: u8,
}

/// Part of the region, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneAbs {
    /// Share of the I/Os, in per cent.
    pub access_percent: u8,
    /// Length, in bytes.
    pub size_bytes: u64,
}

impl Distribution {
    pub(crate) fn read(value: Value<'_>) -> Result<Self, JobError> {
        let text = value.text()?;
        let (law, parameter) = text.split_once(':').unwrap_or((text, ""));
        match law {
            // fio's own of a law are without a colon.
            "zipf" | "pareto" | "normal" if parameter.is_empty() && law != text => {
                Err(value.wrong("a number is missing behind the colon"))
            }
            "random" if parameter.is_empty() => Ok(Self::Random),
            "zipf" => law_of(parameter, ZIPF, 1..=100 * Decimal::ONE)
                .filter(|(theta, _)| theta.millionths != Decimal::ONE)
                .map(|(theta, centre)| Self::Zipf(theta, centre))
                .ok_or_else(|| {
                    value.wrong("use, for example, zipf:1.2; more than 0, up to 100, and not 1")
                }),
            "pareto" => law_of(parameter, PARETO, 1..=Decimal::ONE - 1)
                .map(|(share, centre)| Self::Pareto(share, centre))
                .ok_or_else(|| value.wrong("use, for example, pareto:0.2; between 0 and 1")),
            "normal" => law_of(parameter, 0, 0..=100 * Decimal::ONE)
                .map(|(percent, centre)| Self::Normal(percent, centre))
                .ok_or_else(|| value.wrong("use, for example, normal:10; 0 to 100")),
            "zoned" | "zoned_abs" if parameter.contains(',') => Err(value.wrong(
                "fio 3.33 takes no lists for reads and writes; give one for all, or two jobs",
            )),
            "zoned" => zones(parameter).map(Self::Zoned).ok_or_else(|| {
                value.wrong(
                    "use, for example, zoned:60/10:40/90; the I/Os must add up to 100, the sizes \
                     to 100 at most",
                )
            }),
            "zoned_abs" => zones_abs(parameter).map(Self::ZonedAbs).ok_or_else(|| {
                value.wrong(
                    "use, for example, zoned_abs:60/20g:40/100g; the I/Os must add up to 100",
                )
            }),
            _ => Err(value.wrong("use random, zipf, pareto, normal, zoned or zoned_abs")),
        }
    }

    /// Returns the bytes that its zones take of a region.
    pub(crate) fn zone_bytes(&self) -> u64 {
        let Self::ZonedAbs(zones) = self else { return 0 };
        zones.iter().fold(0, |sum, zone| sum.saturating_add(zone.size_bytes))
    }
}

/// fio's theta where none is given, in millionths.
const ZIPF: u64 = 1_100_000;
/// fio's share where none is given, in millionths.
const PARETO: u64 = 200_000;

/// Reads the parameter of a law and perhaps its centre.
fn law_of(
    text: &str,
    default: u64,
    range: RangeInclusive<u64>,
) -> Option<(Decimal, Option<Decimal>)> {
    let (parameter, centre) = match text.split_once(':') {
        Some((parameter, centre)) => (parameter, Some(Decimal::parse(centre).ok()?)),
        None => (text, None),
    };
    let parameter = match parameter {
        "" if centre.is_none() => Decimal { millionths: default },
        parameter => Decimal::parse(parameter).ok()?,
    };
    let is_right = centre.is_none_or(|centre| centre.millionths <= Decimal::ONE);
    (is_right && range.contains(&parameter.millionths)).then_some((parameter, centre))
}

/// Returns the entries of a list of zones, which an empty one ends, as in fio.
fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let entries = text.split(':').take_while(|entry| !entry.is_empty());
    entries.map(|entry| entry.split_once('/').unwrap_or((entry, ""))).take(ZONES_MAX + 1)
}

fn zones(text: &str) -> Option<Vec<Zone>> {
    // A size that is left out or 0 is an equal part of the rest.
    let zone = |(access, size): (&str, &str)| {
        let size_percent = if size.is_empty() { 0 } else { size.parse().ok()? };
        Some(Zone { access_percent: access.parse().ok()?, size_percent })
    };
    let mut zones = entries(text).map(zone).collect::<Option<Vec<Zone>>>()?;
    let sum = |share: fn(&Zone) -> u8| zones.iter().map(|zone| u32::from(share(zone))).sum::<u32>();
    let access = sum(|zone| zone.access_percent);
    let rest = 100_u32.checked_sub(sum(|zone| zone.size_percent))?;
    let missing = zones.iter().filter(|zone| zone.size_percent == 0).count() as u32;
    let part = rest.checked_div(missing).unwrap_or(0) as u8;
    let open = zones.iter_mut().filter(|zone| zone.size_percent == 0);
    open.for_each(|zone| zone.size_percent = part);
    // fio gives a single zone without a size none of the region.
    let is_right = access == 100 && zones.len() <= ZONES_MAX && (part > 0 || missing == 0);
    (is_right && !(zones.len() == 1 && missing == 1)).then_some(zones)
}

fn zones_abs(text: &str) -> Option<Vec<ZoneAbs>> {
    let zone = |(access, size): (&str, &str)| {
        let size_bytes = parse_bytes(size).ok()?;
        Some(ZoneAbs { access_percent: access.parse().ok()?, size_bytes })
    };
    let zones = entries(text).map(zone).collect::<Option<Vec<ZoneAbs>>>()?;
    let access: u32 = zones.iter().map(|zone| u32::from(zone.access_percent)).sum();
    (access == 100 && zones.len() <= ZONES_MAX).then_some(zones)
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut law = |name, parameter: &Decimal, centre: &Option<Decimal>| {
            write!(f, "{name}:{parameter}")?;
            centre.iter().try_for_each(|centre| write!(f, ":{centre}"))
        };
        match self {
            Self::Random => f.write_str("random"),
            Self::Zipf(theta, centre) => law("zipf", theta, centre),
            Self::Pareto(share, centre) => law("pareto", share, centre),
            Self::Normal(percent, centre) => law("normal", percent, centre),
            Self::Zoned(zones) => {
                f.write_str("zoned")?;
                let mut each = zones.iter();
                each.try_for_each(|zone| {
                    write!(f, ":{}/{}", zone.access_percent, zone.size_percent)
                })
            }
            Self::ZonedAbs(zones) => {
                f.write_str("zoned_abs")?;
                let mut each = zones.iter();
                each.try_for_each(|zone| {
                    write!(f, ":{}/{}", zone.access_percent, Bytes(zone.size_bytes))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_is_left_out_is_as_in_fio() {
        for (text, expected) in [
            ("zipf", "zipf:1.1"),
            ("pareto", "pareto:0.2"),
            ("normal", "normal:0"),
            ("zipf:1.2:0.5", "zipf:1.2:0.5"),
            ("normal:10:1", "normal:10:1"),
            ("zoned:50/5:30/15:20/", "zoned:50/5:30/15:20/80"),
            ("zoned:50/5:30:20", "zoned:50/5:30/47:20/47"),
            ("zoned:50/10:50/10", "zoned:50/10:50/10"),
            ("zoned:50/10:50/10:", "zoned:50/10:50/10"),
            ("zoned_abs:50/1m:50/3072k", "zoned_abs:50/1m:50/3m"),
        ] {
            let read = Distribution::read(Value::new("random_distribution", Some(text)));
            assert_eq!(read.expect(text).to_string(), expected, "{text}");
        }
    }
}
