//! Blocks with unequal probabilities: fio's `random_distribution=`.
//!
//! zipf, pareto and normal draw a rank, and a permutation chooses the block of that rank, so that
//! the popular blocks lie anywhere, and the places of all I/Os together are spread as if uniform;
//! fio hashes the rank instead, so that several ranks share a block.
//!
//! Blocks are drawn independently, as with `norandommap`. This takes floating point and several
//! hundred instructions for each I/O.

use super::permutation::Permutation;
use super::rng::{Below, Xoshiro};
use alloc::vec::Vec;
use fio_job::number::percent_of;
use fio_job::{Distribution, Zone, ZoneAbs};

/// Number of zeta terms that are added up; an integral stands for the rest.
const TERMS: u64 = 10_000;

/// Draw of blocks below a count.
#[derive(Clone, Debug)]
pub(super) enum Skew {
    /// Blocks drawn by rank, and how far all are moved to have the first rank in the centre.
    Ranked { count: u64, law: Law, places: Permutation, shift: u64 },
    /// Zones, one after the other.
    Zoned(Vec<ZoneBlocks>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Law {
    Zipf {
        theta: f64,
        zeta: f64,
        alpha: f64,
        eta: f64,
    },
    /// Self-similar: the share `h` of the ranks has `1 - h` of the draws.
    Pareto {
        power: f64,
    },
    Normal {
        deviation: f64,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ZoneBlocks {
    /// Exclusive upper bound of the numbers below 100 that draw this zone, unless an earlier zone
    /// has them.
    percent_below: u64,
    first: u64,
    blocks: Below,
}

impl Skew {
    /// Returns the draw over `count` blocks, which is not 0, at multiples of `align` bytes; `None`
    /// if all are equally likely.
    pub(super) fn new(
        distribution: &Distribution,
        count: u64,
        align: u64,
        rng: &mut Xoshiro,
    ) -> Option<Self> {
        let percent = |zone: &Zone| (zone.access_percent, u64::from(zone.size_percent));
        let bytes = |zone: &ZoneAbs| (zone.access_percent, zone.size_bytes);
        let of_whole = |percent: u64| percent_of(count, percent.min(100) as u8);
        let (law, first, centre) = match distribution {
            Distribution::Random => return None,
            Distribution::Zoned(zones) => return Some(zoned(zones.iter().map(percent), of_whole)),
            Distribution::ZonedAbs(zones) => {
                let blocks = |bytes: u64| (bytes / align).min(count);
                return Some(zoned(zones.iter().map(bytes), blocks));
            }
            Distribution::Zipf(theta, centre) => (zipf(theta.to_f64(), count), 0, centre),
            Distribution::Pareto(share, centre) => {
                let share = share.to_f64();
                let power = libm::log(share) / libm::log(1.0 - share);
                (Law::Pareto { power }, 0, centre)
            }
            Distribution::Normal(percent, centre) => {
                let blocks = count as f64 * percent.to_f64() / 100.0;
                let deviation = libm::ceil(blocks).min(count as f64 / 2.0);
                (Law::Normal { deviation }, count / 2, centre)
            }
        };
        let places = Permutation::new(count, rng);
        let shift = centre.map_or(0, |centre| {
            let centre = (count as f64 * centre.to_f64()) as u64 % count;
            (centre + (count - places.place(first))) % count
        });
        Some(Self::Ranked { count, law, places, shift })
    }

    /// Returns the next block.
    pub(super) fn draw(&self, rng: &mut Xoshiro) -> u64 {
        match self {
            Self::Ranked { count, law, places, shift } => {
                // A float beyond the last rank becomes the last.
                let rank = law.draw(*count, rng) as u64;
                (places.place(rank.min(count - 1)) + shift) % count
            }
            Self::Zoned(zones) => {
                let percent = Below::new(100).draw(rng);
                let zone = zones.iter().find(|zone| percent < zone.percent_below);
                zone.map_or(0, |zone| zone.first + zone.blocks.draw(rng))
            }
        }
    }
}

impl Law {
    /// Returns a rank, counted from 0.
    fn draw(self, count: u64, rng: &mut Xoshiro) -> f64 {
        let count = count as f64;
        match self {
            // Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD 1994),
            // as in fio.
            Self::Zipf { theta, zeta, alpha, eta } => {
                let unit = rng.next_unit();
                match unit * zeta {
                    below if below < 1.0 => 0.0,
                    below if below < 1.0 + libm::pow(0.5, theta) => 1.0,
                    _ => count * libm::pow(eta * unit - eta + 1.0, alpha),
                }
            }
            Self::Pareto { power } => count * libm::pow(rng.next_unit(), power),
            // fio's way: the mean of twelve draws, and as much as the deviation on top.
            Self::Normal { deviation } => {
                let sum: f64 = (0..12).map(|_| rng.next_unit()).sum();
                (sum / 12.0 * count + (rng.next_unit() - 0.5) * deviation).max(0.0)
            }
        }
    }
}

fn zipf(theta: f64, count: u64) -> Law {
    let zeta = zeta(theta, count);
    let rest = 1.0 - libm::pow(2.0 / count as f64, 1.0 - theta);
    let eta = rest / (1.0 - zeta_sum(theta, count.min(2)) / zeta);
    Law::Zipf { theta, zeta, alpha: 1.0 / (1.0 - theta), eta }
}

fn zeta_sum(theta: f64, count: u64) -> f64 {
    (1..=count).map(|rank| libm::pow(rank as f64, -theta)).sum()
}

/// Returns the sum of rank^-theta over all ranks from 1 on (Euler and Maclaurin behind [`TERMS`]).
fn zeta(theta: f64, count: u64) -> f64 {
    let sum = zeta_sum(theta, count.min(TERMS));
    if count <= TERMS {
        return sum;
    }
    let (first, last) = (TERMS as f64, count as f64);
    let integral = (libm::pow(last, 1.0 - theta) - libm::pow(first, 1.0 - theta)) / (1.0 - theta);
    sum + integral + (libm::pow(last, -theta) - libm::pow(first, -theta)) / 2.0
}

/// Returns the draw of zones, each with its share of the I/Os and its size, of which `blocks` says
/// how many blocks it is. A zone without a block is never drawn, and the last zone takes its I/Os.
fn zoned(zones: impl Iterator<Item = (u8, u64)>, blocks: impl Fn(u64) -> u64) -> Skew {
    let (mut percent, mut size, mut first) = (0, 0_u64, 0);
    let mut found: Vec<ZoneBlocks> = Vec::new();
    for (access_percent, zone_size) in zones {
        size = size.saturating_add(zone_size);
        let end = blocks(size);
        if end > first {
            percent += u64::from(access_percent);
            let blocks = Below::new(end - first);
            found.push(ZoneBlocks { percent_below: percent, first, blocks });
            first = end;
        }
    }
    if let Some(last) = found.last_mut() {
        last.percent_below = 100;
    }
    Skew::Zoned(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use fio_job::number::Decimal;

    const BLOCKS: u64 = 1000;
    const DRAWS: u64 = 100_000;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    /// Returns how often each block comes, as a share of all draws.
    fn shares(distribution: &Distribution) -> Vec<f64> {
        let mut rng = Xoshiro::new(7);
        let skew = Skew::new(distribution, BLOCKS, 4096, &mut rng).expect("skewed");
        let mut counts = vec![0_u64; BLOCKS as usize];
        (0..DRAWS).for_each(|_| counts[skew.draw(&mut rng) as usize] += 1);
        counts.into_iter().map(|count| count as f64 / DRAWS as f64).collect()
    }

    fn falling(mut shares: Vec<f64>) -> Vec<f64> {
        shares.sort_by(|a, b| b.total_cmp(a));
        shares
    }

    #[test]
    fn zipf_ranks_have_their_shares() {
        for theta in ["0.8", "1.2"] {
            let shares = falling(shares(&Distribution::Zipf(decimal(theta), None)));
            let theta = decimal(theta).to_f64();
            let zeta = zeta_sum(theta, BLOCKS);
            for rank in [1_u32, 2] {
                let expected = libm::pow(f64::from(rank), -theta) / zeta;
                let share = shares[rank as usize - 1];
                assert!((share / expected - 1.0).abs() < 0.1, "{theta} {rank}: {share} {expected}");
            }
            let expected = zeta_sum(theta, 100) / zeta;
            let top: f64 = shares[..100].iter().sum();
            assert!((top / expected - 1.0).abs() < 0.1, "{theta}: {top} {expected}");
        }
    }

    #[test]
    fn zeta_is_close_without_adding_all_terms() {
        for theta in [0.5, 0.99, 1.2, 3.0] {
            let (quick, slow) = (zeta(theta, 1_000_000), zeta_sum(theta, 1_000_000));
            assert!((quick / slow - 1.0).abs() < 1e-6, "{theta}: {quick} {slow}");
        }
    }

    #[test]
    fn pareto_is_self_similar() {
        let shares = falling(shares(&Distribution::Pareto(decimal("0.2"), None)));
        let top: f64 = shares[..200].iter().sum();
        assert!((top - 0.8).abs() < 0.01, "{top}");
    }

    #[test]
    fn normal_has_the_width_of_a_sum_of_twelve() {
        let shares = falling(shares(&Distribution::Normal(decimal("10"), None)));
        // 1000 / 12 blocks, and a tenth of 1000 spread evenly on top: 88 in all.
        let middle: f64 = shares[..176].iter().sum();
        assert!((middle - 0.683).abs() < 0.02, "{middle}");
    }

    // fio's places have a standard deviation of 28.75 % of the region, uniform ones of 28.87 %.
    #[test]
    fn normal_is_scattered_over_the_region() {
        for percent in ["0", "1", "10", "50"] {
            let shares = shares(&Distribution::Normal(decimal(percent), None));
            let place = |block: usize| (block as f64 + 0.5) / BLOCKS as f64;
            let moment = |power: i32| {
                let parts = shares.iter().enumerate();
                parts.map(|(block, share)| share * place(block).powi(power)).sum::<f64>()
            };
            let (mean, deviation) = (moment(1), (moment(2) - moment(1).powi(2)).sqrt());
            assert!(
                (mean - 0.5).abs() < 0.05 && (deviation - 0.2875).abs() < 0.02,
                "{mean} {deviation}"
            );
        }
    }

    #[test]
    fn the_first_rank_is_in_the_centre() {
        for (centre, block) in [("0", 0), ("0.25", 250), ("0.999", 999), ("1", 0)] {
            let centre = Some(decimal(centre));
            for law in [
                Distribution::Zipf(decimal("1.2"), centre),
                Distribution::Pareto(decimal("0.1"), centre),
            ] {
                let shares = shares(&law);
                let most = (0..shares.len()).max_by(|a, b| shares[*a].total_cmp(&shares[*b]));
                assert_eq!(most, Some(block), "{law}");
            }
        }
    }

    #[test]
    fn zones_have_their_shares_and_their_places() {
        let zone = |(access_percent, size_percent)| Zone { access_percent, size_percent };
        let zones = [(60, 10), (30, 20), (8, 30), (2, 40)].map(zone);
        let shares = shares(&Distribution::Zoned(zones.to_vec()));
        let mut start = 0;
        for zone in zones {
            let end = start + usize::from(zone.size_percent) * 10;
            let share: f64 = shares[start..end].iter().sum();
            assert!((share - f64::from(zone.access_percent) / 100.0).abs() < 0.01, "{share}");
            start = end;
        }
    }

    #[test]
    fn zones_of_bytes_are_of_whole_blocks_and_leave_the_rest_alone() {
        let zone = |(access_percent, size_bytes)| ZoneAbs { access_percent, size_bytes };
        let zones = [(30, 100 << 12), (0, 50 << 12), (70, (50 << 12) + 4095)].map(zone);
        let shares = shares(&Distribution::ZonedAbs(zones.to_vec()));
        for (blocks, expected) in
            [(0..100, 0.3), (100..150, 0.0), (150..200, 0.7), (200..1000, 0.0)]
        {
            let share: f64 = shares[blocks.clone()].iter().sum();
            assert!((share - expected).abs() < 0.01, "{blocks:?}: {share}");
        }
    }

    #[test]
    fn one_block_and_a_few_can_be_drawn() {
        for text in ["0.000001", "0.5", "99"] {
            for count in 1..20 {
                let zone = |access_percent, size_percent| Zone { access_percent, size_percent };
                for distribution in [
                    Distribution::Zipf(decimal(text), None),
                    Distribution::Pareto(decimal("0.999999"), None),
                    Distribution::Pareto(decimal("0.000001"), None),
                    Distribution::Normal(decimal(text), None),
                    Distribution::Zoned(vec![zone(1, 1), zone(99, 98), zone(0, 1)]),
                ] {
                    let mut rng = Xoshiro::new(count);
                    let skew = Skew::new(&distribution, count, 4096, &mut rng).expect("skewed");
                    assert!((0..100).all(|_| skew.draw(&mut rng) < count), "{distribution:?}");
                }
            }
        }
    }
}
