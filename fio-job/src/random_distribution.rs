//! Distribution of a random job's blocks (`random_distribution=`).

use crate::error::JobError;
use crate::number::Decimal;
use crate::value::Value;
use alloc::vec::Vec;
use core::fmt;

/// Most zones of a `zoned:`.
const ZONES_MAX: usize = 64;

/// Distribution of blocks, as in fio's `random_distribution=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// Uniform: `random`.
    #[default]
    Random,
    /// Zipf, `zipf:theta`: the block of rank n is n^theta times less likely than the block of rank
    /// 1. More than 0, up to 100, and not 1.
    Zipf(Decimal),
    /// Pareto, `pareto:h`: the share h of the blocks has 1 - h of the I/Os. Between 0 and 1.
    Pareto(Decimal),
    /// Normal, `normal:deviation`: most likely in the middle; in per cent, 0 to 100.
    Normal(Decimal),
    /// Zones, `zoned:access/size:...`: both kinds of share add up to 100 %.
    Zoned(Vec<Zone>),
}

/// Part of the region, in per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Share of the I/Os, in per cent.
    pub access_percent: u8,
    /// Share of the region, in per cent.
    pub size_percent: u8,
}

impl Distribution {
    pub(crate) fn read(value: Value<'_>) -> Result<Self, JobError> {
        let text = value.text()?;
        let (law, parameter) = text.split_once(':').unwrap_or((text, ""));
        let decimal = || Decimal::parse(parameter).ok();
        match law {
            "random" if parameter.is_empty() => Ok(Self::Random),
            "zipf" => decimal()
                .filter(|theta| (1..=100 * Decimal::ONE).contains(&theta.millionths))
                .filter(|theta| theta.millionths != Decimal::ONE)
                .map(Self::Zipf)
                .ok_or_else(|| {
                    value.wrong("use, for example, zipf:1.2; more than 0, up to 100, and not 1")
                }),
            "pareto" => decimal()
                .filter(|share| (1..Decimal::ONE).contains(&share.millionths))
                .map(Self::Pareto)
                .ok_or_else(|| value.wrong("use, for example, pareto:0.2; between 0 and 1")),
            "normal" => decimal()
                .filter(|percent| percent.millionths <= 100 * Decimal::ONE)
                .map(Self::Normal)
                .ok_or_else(|| value.wrong("use, for example, normal:10; 0 to 100")),
            "zoned" => zones(parameter).map(Self::Zoned).ok_or_else(|| {
                value.wrong(
                    "use, for example, zoned:60/10:40/90; each kind of share must add up to 100",
                )
            }),
            _ => Err(value.wrong("use random, zipf, pareto, normal or zoned")),
        }
    }
}

fn zones(text: &str) -> Option<Vec<Zone>> {
    let zones = text.split(':').map(|zone| {
        let (access, size) = zone.split_once('/')?;
        let zone = Zone { access_percent: access.parse().ok()?, size_percent: size.parse().ok()? };
        Some(zone)
    });
    let zones = zones.take(ZONES_MAX + 1).collect::<Option<Vec<Zone>>>()?;
    let sum = |share: fn(&Zone) -> u8| zones.iter().map(|zone| u32::from(share(zone))).sum::<u32>();
    let whole = sum(|zone| zone.access_percent) == 100 && sum(|zone| zone.size_percent) == 100;
    (whole && zones.len() <= ZONES_MAX).then_some(zones)
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::Zipf(theta) => write!(f, "zipf:{theta}"),
            Self::Pareto(share) => write!(f, "pareto:{share}"),
            Self::Normal(percent) => write!(f, "normal:{percent}"),
            Self::Zoned(zones) => {
                f.write_str("zoned")?;
                let mut each = zones.iter();
                each.try_for_each(|zone| {
                    write!(f, ":{}/{}", zone.access_percent, zone.size_percent)
                })
            }
        }
    }
}
