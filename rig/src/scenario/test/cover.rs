//! Choice of cells of a matrix: few, in which every two values of different dimensions meet.

/// Returns cells of a matrix with so many values in each dimension, as the values' numbers: as long
/// as two values have not met that meet in a cell that `can_be`, the first in which most such pairs
/// do.
pub(super) fn pairwise<const N: usize>(
    sizes: [usize; N],
    can_be: impl Fn(&[usize; N]) -> bool,
) -> Vec<[usize; N]> {
    let mut all = cells(sizes);
    all.retain(can_be);
    let mut missing: Vec<Pair> = all.iter().flat_map(pairs).collect();
    missing.sort_unstable();
    missing.dedup();
    let mut chosen = Vec::new();
    while !missing.is_empty() {
        let news = |cell: &&[usize; N]| {
            pairs(cell).filter(|pair| missing.binary_search(pair).is_ok()).count()
        };
        // Of several, `max_by_key` takes the last.
        let Some(&best) = all.iter().rev().max_by_key(news) else { break };
        missing.retain(|pair| !pairs(&best).any(|met| met == *pair));
        chosen.push(best);
    }
    chosen
}

/// Two dimensions, and the value in each.
type Pair = (usize, usize, usize, usize);

/// Returns the pairs that meet in a cell.
fn pairs<const N: usize>(cell: &[usize; N]) -> impl Iterator<Item = Pair> {
    let cell = *cell;
    (0..N).flat_map(move |one| (one + 1..N).map(move |other| (one, other, cell[one], cell[other])))
}

/// Returns all cells.
fn cells<const N: usize>(sizes: [usize; N]) -> Vec<[usize; N]> {
    let cell = |number: usize| {
        let mut rest = number;
        sizes.map(|size| {
            let value = rest % size;
            rest /= size;
            value
        })
    };
    (0..sizes.iter().product()).map(cell).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Checks that every two values meet.
    pub(in super::super) fn every_two_meet<const N: usize>(
        sizes: [usize; N],
        chosen: &[[usize; N]],
    ) {
        for one in 0..N {
            for other in one + 1..N {
                for first in 0..sizes[one] {
                    for second in 0..sizes[other] {
                        let met = |cell: &[usize; N]| cell[one] == first && cell[other] == second;
                        assert!(chosen.iter().any(met), "{one}={first} and {other}={second}");
                    }
                }
            }
        }
    }

    /// Every two values meet, with no more cells than `most`.
    fn covers<const N: usize>(sizes: [usize; N], most: usize) {
        let chosen = pairwise(sizes, |_| true);
        assert!(chosen.len() <= most, "{} cells", chosen.len());
        every_two_meet(sizes, &chosen);
        assert_eq!(chosen, pairwise(sizes, |_| true));
    }

    #[test]
    fn every_two_values_meet() {
        covers([3, 3, 3, 3, 6], 30);
        covers([2, 2], 4);
        covers([1, 4, 1], 4);
        assert!(pairwise([3, 0], |_| true).is_empty());
    }

    #[test]
    fn cells_that_cannot_be_are_left_out() {
        let can_be = |cell: &[usize; 3]| cell[0] + cell[1] + cell[2] < 5;
        let chosen = pairwise([3, 3, 2], can_be);
        assert!(chosen.iter().all(can_be));
        every_two_meet([3, 3, 2], &chosen);
    }
}
