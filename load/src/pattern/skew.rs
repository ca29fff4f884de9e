//! Blocks with unequal probabilities: fio's `random_distribution=`.
//!
//! zipf, pareto and normal draw a rank, and a permutation chooses the block of that rank, so that
//! the popular blocks lie anywhere; fio hashes the rank instead, so that several ranks share a
//! block. Blocks are drawn independently, as with `norandommap`. This takes floating point and
//! several hundred instructions for each I/O.

use super::permutation::Permutation;
use super::rng::{Below, Xoshiro};
use alloc::vec::Vec;
use fio_job::{Distribution, Zone};

/// Number of zeta terms that are added up; an integral stands for the rest.
const TERMS: u64 = 10_000;

/// Draw of blocks below a count.
#[derive(Clone, Debug)]
pub(super) enum Skew {
    /// Blocks drawn by rank.
    Ranked { count: u64, law: Law, places: Permutation },
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
    /// Returns the draw over `count` blocks, which is not 0; `None` if all are equally likely.
    pub(super) fn new(distribution: &Distribution, count: u64, rng: &mut Xoshiro) -> Option<Self> {
        let law = match distribution {
            Distribution::Random => return None,
            Distribution::Zoned(zones) => return Some(Self::Zoned(zone_blocks(zones, count))),
            Distribution::Zipf(theta) => zipf(theta.to_f64(), count),
            Distribution::Pareto(share) => {
                let share = share.to_f64();
                Law::Pareto { power: libm::log(share) / libm::log(1.0 - share) }
            }
            Distribution::Normal(percent) => {
                let blocks = count as f64 * percent.to_f64() / 100.0;
                Law::Normal { deviation: libm::ceil(blocks).min(count as f64 / 2.0) }
            }
        };
        Some(Self::Ranked { count, law, places: Permutation::new(count, rng) })
    }

    /// Returns the next block.
    pub(super) fn draw(&self, rng: &mut Xoshiro) -> u64 {
        match self {
            Self::Ranked { count, law, places } => {
                // A float beyond the last rank becomes the last.
                let rank = law.draw(*count, rng) as u64;
                places.place(rank.min(count - 1))
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

/// Returns zones in blocks; a zone without a block is never drawn, and the last zone takes the
/// rest.
fn zone_blocks(zones: &[Zone], count: u64) -> Vec<ZoneBlocks> {
    let (mut percent, mut size_percent, mut first) = (0, 0, 0);
    let mut found: Vec<ZoneBlocks> = Vec::new();
    for zone in zones {
        size_percent += zone.size_percent;
        let end = fio_job::number::percent_of(count, size_percent);
        if end > first {
            percent += u64::from(zone.access_percent);
            let blocks = Below::new(end - first);
            found.push(ZoneBlocks { percent_below: percent, first, blocks });
            first = end;
        }
    }
    if let Some(last) = found.last_mut() {
        last.percent_below = 100;
    }
    found
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
        let skew = Skew::new(distribution, BLOCKS, &mut rng).expect("skewed");
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
            let shares = falling(shares(&Distribution::Zipf(decimal(theta))));
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
        let shares = falling(shares(&Distribution::Pareto(decimal("0.2"))));
        let top: f64 = shares[..200].iter().sum();
        assert!((top - 0.8).abs() < 0.01, "{top}");
    }

    #[test]
    fn normal_has_the_width_of_a_sum_of_twelve() {
        let shares = falling(shares(&Distribution::Normal(decimal("10"))));
        // 1000 / 12 blocks, and a tenth of 1000 spread evenly on top: 88 in all.
        let middle: f64 = shares[..176].iter().sum();
        assert!((middle - 0.683).abs() < 0.02, "{middle}");
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
    fn one_block_and_a_few_can_be_drawn() {
        for text in ["0.000001", "0.5", "99"] {
            for count in 1..20 {
                let zone = |access_percent, size_percent| Zone { access_percent, size_percent };
                for distribution in [
                    Distribution::Zipf(decimal(text)),
                    Distribution::Pareto(decimal("0.999999")),
                    Distribution::Pareto(decimal("0.000001")),
                    Distribution::Normal(decimal(text)),
                    Distribution::Zoned(vec![zone(1, 1), zone(99, 98), zone(0, 1)]),
                ] {
                    let mut rng = Xoshiro::new(count);
                    let skew = Skew::new(&distribution, count, &mut rng).expect("skewed");
                    assert!((0..100).all(|_| skew.draw(&mut rng) < count), "{distribution:?}");
                }
            }
        }
    }
}
