//! Comparison of texts whose figures were rounded in different ways.

/// Panics at the first line that differs by more than one in the last digit of a figure; a figure
/// of two decimals may be a sum of a few.
pub(crate) fn assert_alike(ours: &str, theirs: &str) {
    let mut lines = (ours.lines(), theirs.lines());
    loop {
        match (lines.0.next(), lines.1.next()) {
            (None, None) => return,
            (ours, theirs) => {
                let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
                assert!(are_alike(ours, theirs), "ours:   {ours}\ntheirs: {theirs}");
            }
        }
    }
}

fn are_alike(ours: &str, theirs: &str) -> bool {
    let (ours, theirs) = (words(ours), words(theirs));
    ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| is_near(a, b))
}

/// Splits a text into figures and the text between them.
fn words(line: &str) -> Vec<&str> {
    let is_figure = |letter: char| letter.is_ascii_digit() || letter == '.';
    let letters: Vec<(usize, char)> = line.char_indices().collect();
    let runs = letters.chunk_by(|a, b| is_figure(a.1) == is_figure(b.1));
    runs.map(|run| &line[run[0].0..run[run.len() - 1].0 + 1]).collect()
}

fn is_near(ours: &str, theirs: &str) -> bool {
    if ours == theirs {
        return true;
    }
    let decimals = |text: &str| text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let (Ok(a), Ok(b)) = (ours.parse::<f64>(), theirs.parse::<f64>()) else { return false };
    let steps = match decimals(theirs) {
        0 => return false,
        2 => 3.5,
        _ => 1.5,
    };
    decimals(ours) == decimals(theirs)
        && (a - b).abs() < steps * 0.1_f64.powi(decimals(ours) as i32)
}

#[test]
fn only_the_last_digit_may_differ() {
    assert!(are_alike("a=1.000001;x", "a=1.000002;x"));
    for (ours, theirs) in
        [("a=1", "a=2"), ("a=1.000001", "a=1.000003"), ("a=1;", "a=1"), ("1", "1.0")]
    {
        assert!(!are_alike(ours, theirs), "{ours} {theirs}");
    }
}
