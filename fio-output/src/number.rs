//! Numbers for people, as fio writes them (lib/num2str.c).

/// Letters of the powers of 1000; with an `i`, of 1024.
const POWERS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
const BINARY_POWERS: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Prints `1234567` as `1.2M`, with at most `width` digits and point: `thousand` is 1000, or 1024.
pub fn short(number: u64, width: usize, thousand: u64, unit: &str) -> String {
    let powers = if thousand == 1024 { BINARY_POWERS } else { POWERS };
    let mut powers = powers.into_iter();
    let (mut whole, mut rest) = (number, None);
    let mut power = powers.next().unwrap_or_default();
    while whole.to_string().len() > width {
        let Some(next) = powers.next() else { break };
        (whole, rest) = (whole / thousand, Some(whole % thousand));
        power = next;
    }
    let Some(rest) = rest else { return format!("{whole}{power}{unit}") };
    let decimals = width.saturating_sub(whole.to_string().len() + 1);
    if decimals == 0 {
        // No room for decimals: rounded to the nearest.
        let whole = whole + u64::from(rest >= thousand / 2);
        return format!("{whole}{power}{unit}");
    }
    let fraction = format!("{:.decimals$}", rest as f64 / thousand as f64);
    let whole = whole + u64::from(fraction.starts_with('1'));
    format!("{whole}.{}{power}{unit}", &fraction[2..])
}

/// Prints a bandwidth with fio's default of four digits, in powers of 1024 and of 1000: `8000MiB/s
/// (8389MB/s)`.
pub fn both(number: u64, unit: &str) -> String {
    format!("{} ({})", short(number, 4, 1024, unit), short(number, 4, 1000, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_fios() {
        // From fio's own output.
        for (number, expected) in [
            (8_388_608_000, "8000MiB/s (8389MB/s)"),
            (4_071_424_000, "3883MiB/s (4071MB/s)"),
            (0, "0B/s (0B/s)"),
            (9_999, "9999B/s (9999B/s)"),
            (10_000, "9.77KiB/s (10.0kB/s)"),
            (1_048_575, "1024KiB/s (1049kB/s)"),
        ] {
            assert_eq!(both(number, "B/s"), expected);
        }
        assert_eq!(short(2_048_000, 4, 1000, ""), "2048k");
        assert_eq!(short(u64::MAX, 4, 1024, "B"), "16.0EiB");
        assert_eq!(short(999_999, 6, 1000, ""), "999999");
        assert_eq!(short(1_234_567, 6, 1000, ""), "1234.6k");
        assert_eq!(short(1_999_999, 6, 1000, ""), "2000.0k");
    }
}
