//! Per cent, as the command line has them and as tables show them.

/// Greatest share that the command line may name, in per cent.
const MOST: f64 = 1e6;
/// Most decimals.
const DECIMALS_MAX: usize = 4;

/// Reads per cent: `5`, `2.5`, `7%`.
///
/// # Errors
/// What is no number from 0.
pub fn parse(text: &str) -> Result<f64, &'static str> {
    let percent = text.strip_suffix('%').unwrap_or(text).parse().ok();
    percent.filter(|percent| (0.0..=MOST).contains(percent)).ok_or("write per cent, such as 5")
}

/// Returns by how many per cent a ratio is above 1; below 0 if it is less.
pub fn above(ratio: f64) -> f64 {
    (ratio - 1.0) * 100.0
}

/// Returns figures in per cent as text, with as many decimals as tell the least of them from 0.
pub fn shown<const N: usize>(all: [f64; N]) -> [String; N] {
    let least = all.iter().map(|of| of.abs()).filter(|of| *of > 0.0).fold(f64::INFINITY, f64::min);
    let decimals = match least {
        1.0.. => 1,
        0.1.. => 2,
        0.01.. => 3,
        _ => DECIMALS_MAX,
    };
    // Without any above 0 there is nothing to tell apart.
    let decimals = if least.is_finite() { decimals } else { 1 };
    all.map(|of| {
        let text = format!("{of:.decimals$}");
        // What rounds to 0 has no sign.
        let is_zero = text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
        if is_zero { text.trim_start_matches('-').to_owned() } else { text }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read() {
        for (text, percent) in [("5", 5.0), ("0", 0.0), ("2.5", 2.5), ("7%", 7.0)] {
            assert_eq!(parse(text), Ok(percent));
        }
        for text in ["", "-1", "x", "nan", "inf", "5 %%", "%"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn decimals_tell_from_nothing() {
        assert_eq!(shown([3.13, 5.26]), ["3.1", "5.3"]);
        assert_eq!(shown([-0.25, 12.0]), ["-0.25", "12.00"]);
        assert_eq!(shown([0.0123, 1.0]), ["0.012", "1.000"]);
        assert_eq!(shown([-1e-9, 0.0]), ["0.0000", "0.0000"]);
        assert_eq!(shown([0.0, -0.0]), ["0.0", "0.0"]);
        assert_eq!(above(0.95).round(), -5.0);
    }
}
