//! Dates as ctime(3) writes them, which fio puts into its results; UTC.

use std::time::SystemTime;

use jiff::Timestamp;

/// Returns the time, or 1970 if the clock is set to a year that has no date.
pub fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or_default()
}

/// Returns a date such as `Sun Nov 22 03:20:00 2026`.
pub fn ctime(time: Timestamp) -> String {
    time.strftime("%a %b %e %H:%M:%S %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_ctime() {
        for (seconds, expected) in [
            (0, "Thu Jan  1 00:00:00 1970"),
            (951_782_400, "Tue Feb 29 00:00:00 2000"),
            (951_868_799, "Tue Feb 29 23:59:59 2000"),
            (1_709_164_800, "Thu Feb 29 00:00:00 2024"),
            (1_798_675_199, "Wed Dec 30 23:59:59 2026"),
            (4_107_542_400, "Mon Mar  1 00:00:00 2100"),
        ] {
            assert_eq!(ctime(Timestamp::from_second(seconds).unwrap()), expected);
        }
    }
}
