//! The date as ctime(3) writes it, which fio puts into its results; UTC.

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [(&str, u64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

/// The date of so many seconds since 1970: `Sun Nov 22 03:20:00 2026`.
pub fn ctime(seconds: u64) -> String {
    let days = seconds / 86_400;
    let weekday = WEEKDAYS[(days % 7) as usize];
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // 400 years have 146,097 days, always.
    let (mut year, mut day) = (1970 + days / 146_097 * 400, days % 146_097);
    while day >= 365 + leap_days(year) {
        day -= 365 + leap_days(year);
        year += 1;
    }
    let mut name = "";
    for (month, days) in MONTHS {
        name = month;
        let days = if month == "Feb" { days + leap_days(year) } else { days };
        if day < days {
            break;
        }
        day -= days;
    }
    format!("{weekday} {name} {:>2} {hour:02}:{minute:02}:{second:02} {year}", day + 1)
}

fn leap_days(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    u64::from(leap)
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
            assert_eq!(ctime(seconds), expected);
        }
    }
}
