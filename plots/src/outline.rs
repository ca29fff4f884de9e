//! Lines of many points, drawn with few.

/// Returns a line that looks like the one through these points, with no more than four in a unit of
/// width: the first, the lowest, the highest and the last.
pub fn outline(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let columns = points.chunk_by(|[a, _], [b, _]| a.floor() == b.floor());
    let ends = |column: &[[f64; 2]]| {
        let by_height = |one: &&[f64; 2], other: &&[f64; 2]| one[1].total_cmp(&other[1]);
        let [low, high] = [column.iter().max_by(by_height), column.iter().min_by(by_height)];
        let mut ends = [column.first(), low, high, column.last()].map(Option::<&_>::copied);
        ends.sort_by(|one, other| {
            let x = |point: &Option<[f64; 2]>| point.map_or(0.0, |[x, _]| x);
            x(one).total_cmp(&x(other))
        });
        ends
    };
    let mut outline: Vec<[f64; 2]> = columns.flat_map(ends).flatten().collect();
    outline.dedup();
    outline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_has_few_points_and_its_peaks() {
        let height = |n: u32| if n == 77_777 { 3.0 } else { f64::from(n % 2) * 50.0 + 100.0 };
        let points: Vec<[f64; 2]> =
            (0..100_000).map(|n| [f64::from(n) / 1000.0, height(n)]).collect();
        let found = outline(&points);
        assert!(found.len() <= 400, "{}", found.len());
        assert!(found.iter().any(|[_, y]| *y == 3.0));
        assert!(found.is_sorted_by(|[a, _], [b, _]| a <= b));
        assert_eq!((found.first(), found.last()), (points.first(), points.last()));
        let few = [[0.0, 1.0], [10.0, 2.0], [10.2, 1.0]];
        assert_eq!(outline(&few), few);
    }
}
