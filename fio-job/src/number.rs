//! Numbers of fio: byte counts, times and percentages, read strictly and printed back.
//!
//! Units follow fio with its default `kb_base=1024`: `k`, `m`, `g`, `t`, `p` (and `kb` .. `pb`, and
//! `ki` .. `pi`) are powers of 1024, and `kib` .. `pib` are powers of 1000, for the sake of old job
//! files. Case does not matter, and what follows a `/` does not count, as in `10MB/s`. What fio
//! reads and drops, such as the `.5k` of `4.5k`, is refused.

use core::fmt;

/// Number of nanoseconds in a second.
pub const NS_PER_SECOND: u64 = 1_000_000_000;
/// Number of microseconds in a second.
pub const US_PER_SECOND: u64 = 1_000_000;

/// Reason why a number cannot be read. The text itself is in the error that wraps this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// The text does not begin with a digit.
    NoDigits,
    /// The number is less than 0.
    Negative,
    /// The text has more than one number, or a share.
    NotOne,
    /// The unit of a byte count is unknown.
    ByteUnit,
    /// The unit of a time is unknown.
    TimeUnit,
    /// The value, in bytes or nanoseconds, does not fit in 64 bits.
    TooBig,
    /// The percentage is more than 100.
    Percent,
    /// The text is not a number such as 99.9.
    NoDecimal,
    /// There are more than six decimal places.
    TooFine,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDigits => "not a whole number",
            Self::Negative => "less than 0; use a whole number from 0 on",
            Self::NotOne => "use one number, perhaps with a unit: no %, range, list or formula",
            Self::ByteUnit => {
                "unknown unit; use k, m, g, t or p (1024), or, as in fio, kib .. pib (1000)"
            }
            Self::TimeUnit => "unknown unit; use us, ms, s, m, h or d (no unit means seconds)",
            Self::TooBig => "too large for 64 bits",
            Self::Percent => "more than 100 %; use 0% to 100%",
            Self::NoDecimal => "not a number; use, for example, 99.9",
            Self::TooFine => "more than six decimal places; round it",
        })
    }
}

impl core::error::Error for NumberError {}

/// Offset or length on a disk: in bytes, or as a share of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Amount in bytes.
    Bytes(u64),
    /// Share of the disk in per cent, 0 to 100.
    Percent(u8),
}

impl Amount {
    /// Reads `4k`, `1g`, `50%`.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        Self::parse_in(text, 1024)
    }

    /// Reads the same where a `k` has `kilo` bytes.
    pub(crate) fn parse_in(text: &str, kilo: u64) -> Result<Self, NumberError> {
        let Some(percent) = text.strip_suffix('%') else {
            return parse_bytes_in(text, kilo).map(Self::Bytes);
        };
        match parse_plain(percent)? {
            (value @ 0..=100, "") => Ok(Self::Percent(value as u8)),
            (_, "") => Err(NumberError::Percent),
            _ => Err(NumberError::NoDigits),
        }
    }
}

impl Amount {
    /// Returns this amount plus a number of steps; `None` on overflow, above 100 per cent, or if
    /// bytes meet per cent and neither is 0.
    pub fn and_steps(self, step: Self, count: u32) -> Option<Self> {
        let by_count = |step: u64| step.checked_mul(u64::from(count));
        match (self, step) {
            (_, Self::Bytes(0) | Self::Percent(0)) => Some(self),
            (Self::Bytes(start), Self::Bytes(step)) => {
                start.checked_add(by_count(step)?).map(Self::Bytes)
            }
            (Self::Bytes(0), Self::Percent(_)) => Self::Percent(0).and_steps(step, count),
            (Self::Percent(start), Self::Percent(step)) => {
                let percent = u64::from(start).checked_add(by_count(step.into())?)?;
                u8::try_from(percent).ok().filter(|&percent| percent <= 100).map(Self::Percent)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Bytes(bytes) => Bytes(bytes).fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Number with up to six decimal places, such as `99.9` or `0.2`, kept exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal {
    /// Value in millionths.
    pub millionths: u64,
}

impl Decimal {
    /// Value of 1, in millionths.
    pub const ONE: u64 = 1_000_000;

    /// Reads `99.9`, `0.2` or `50`.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return Err(NumberError::NoDecimal);
        }
        let whole: u64 = whole.parse().map_err(|_| NumberError::TooBig)?;
        if fraction.len() > 6 {
            return Err(NumberError::TooFine);
        }
        let fraction = fraction.bytes().chain(core::iter::repeat(b'0')).take(6);
        let fraction = fraction.fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        let millionths = whole.checked_mul(Self::ONE).and_then(|whole| whole.checked_add(fraction));
        millionths.map(|millionths| Self { millionths }).ok_or(NumberError::TooBig)
    }

    /// Returns the value as a float.
    pub fn to_f64(self) -> f64 {
        self.millionths as f64 / Self::ONE as f64
    }
}

impl fmt::Display for Decimal {
    /// Prints the number without trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.millionths / Self::ONE)?;
        let (mut fraction, mut digits) = (self.millionths % Self::ONE, 6);
        if fraction == 0 {
            return Ok(());
        }
        while fraction.is_multiple_of(10) {
            (fraction, digits) = (fraction / 10, digits - 1);
        }
        write!(f, ".{fraction:0digits$}")
    }
}

/// Returns `percent` hundredths of `whole`, rounded down. Cannot overflow for `percent` up to 100.
pub fn percent_of(whole: u64, percent: u8) -> u64 {
    let share = u128::from(whole) * u128::from(percent) / 100;
    u64::try_from(share).unwrap_or(whole)
}

/// Byte count, printed exactly, with the largest unit that divides it: 4096 is `4k`.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut count = self.0;
        let mut units = ["", "k", "m", "g", "t", "p"].into_iter();
        let mut unit = units.next().unwrap_or_default();
        while count != 0 && count.is_multiple_of(1024) {
            let Some(next) = units.next() else { break };
            count /= 1024;
            unit = next;
        }
        write!(f, "{count}{unit}")
    }
}

/// Time, printed as in fio: whole seconds without a unit, otherwise in `ms` or `us`, rounded down.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Time in nanoseconds.
    pub ns: u64,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ns {
            ns if ns.is_multiple_of(NS_PER_SECOND) => write!(f, "{}", ns / NS_PER_SECOND),
            ns if ns.is_multiple_of(1_000_000) => write!(f, "{}ms", ns / 1_000_000),
            ns => write!(f, "{}us", ns / 1_000),
        }
    }
}

/// Reads a byte count: fio's integer with a suffix. `0x` begins a hexadecimal number without unit.
pub fn parse_bytes(text: &str) -> Result<u64, NumberError> {
    parse_bytes_in(text, 1024)
}

/// Reads a byte count where a `k` has `kilo` bytes, 1024 or 1000 (`kb_base=`), and a `kib` as many
/// as the other.
pub(crate) fn parse_bytes_in(text: &str, kilo: u64) -> Result<u64, NumberError> {
    let (value, unit) = parse_plain(text)?;
    let other = if kilo == 1024 { 1000 } else { 1024 };
    let unit = unit.trim_ascii_end();
    let unit = unit.split_once('/').map_or(unit, |(unit, _)| unit);
    let (base, power) = match lower(unit, &mut [0; 5]).ok_or(NumberError::ByteUnit)? {
        "" | "b" => (1, 0),
        "k" | "kb" | "ki" | "kbps" => (kilo, 1),
        "m" | "mb" | "mi" | "mbps" => (kilo, 2),
        "g" | "gb" | "gi" | "gbps" => (kilo, 3),
        "t" | "tb" | "ti" | "tbps" => (kilo, 4),
        "p" | "pb" | "pi" | "pbps" => (kilo, 5),
        "kib" => (other, 1),
        "mib" => (other, 2),
        "gib" => (other, 3),
        "tib" => (other, 4),
        "pib" => (other, 5),
        _ => return Err(NumberError::ByteUnit),
    };
    value.checked_mul(u64::pow(base, power)).ok_or(NumberError::TooBig)
}

/// Reads a time in nanoseconds: fio's time type, where a number without a unit is in seconds.
pub fn parse_time_ns(text: &str) -> Result<u64, NumberError> {
    parse_time(text, NS_PER_SECOND)
}

/// Reads a time in nanoseconds; a number without a unit is in microseconds.
pub fn parse_time_in_us(text: &str) -> Result<u64, NumberError> {
    parse_time(text, 1_000)
}

fn parse_time(text: &str, bare_ns: u64) -> Result<u64, NumberError> {
    let (value, unit) = parse_plain(text)?;
    let unit_ns = match lower(unit, &mut [0; 4]).ok_or(NumberError::TimeUnit)? {
        "us" | "usec" => 1_000,
        "ms" | "msec" => 1_000_000,
        "" => bare_ns,
        "s" => NS_PER_SECOND,
        "m" => 60 * NS_PER_SECOND,
        "h" => 60 * 60 * NS_PER_SECOND,
        "d" => 24 * 60 * 60 * NS_PER_SECOND,
        _ => return Err(NumberError::TimeUnit),
    };
    value.checked_mul(unit_ns).ok_or(NumberError::TooBig)
}

/// Returns the leading digits, and the text after them.
fn parse_plain(text: &str) -> Result<(u64, &str), NumberError> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (text, radix) = hex.map_or((text, 10), |digits| (digits, 16));
    let end = text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        let is_negative = rest.starts_with('-');
        return Err(if is_negative { NumberError::Negative } else { NumberError::NoDigits });
    }
    if rest.contains(['%', '-', ',', ':', '*', '+', '_']) {
        return Err(NumberError::NotOne);
    }
    let value = u64::from_str_radix(digits, radix).map_err(|_| NumberError::TooBig)?;
    Ok((value, rest))
}

/// Returns `text` in lower case, in the caller's buffer; `None` if it is longer than any unit.
fn lower<'a>(text: &str, buffer: &'a mut [u8]) -> Option<&'a str> {
    let buffer = buffer.get_mut(..text.len())?;
    buffer.copy_from_slice(text.as_bytes());
    buffer.make_ascii_lowercase();
    core::str::from_utf8(buffer).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn bytes_as_fio_reads_them() {
        for (text, bytes) in [
            ("512", 512),
            ("4k", 4096),
            ("4K", 4096),
            ("4kb", 4096),
            ("4kB", 4096),
            ("4096b", 4096),
            ("4kib", 4000),
            ("2MiB", 2_000_000),
            ("4Ki", 4096),
            ("4mi", 4 << 20),
            ("1Pi", 1 << 50),
            ("10MB/s", 10 << 20),
            ("10KiB/s", 10_000),
            ("10mbps", 10 << 20),
            ("4k ", 4096),
            ("4 ", 4),
            ("3g", 3 << 30),
            ("1t", 1 << 40),
            ("1p", 1 << 50),
            ("0x1000", 4096),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for (text, error) in [
            ("", NumberError::NoDigits),
            ("k", NumberError::NoDigits),
            ("-1", NumberError::Negative),
            ("70%", NumberError::NotOne),
            ("1G-2G", NumberError::NotOne),
            ("1,2", NumberError::NotOne),
            ("2*2", NumberError::NotOne),
            ("1_000", NumberError::NotOne),
            ("4ki b", NumberError::ByteUnit),
            ("4.5k", NumberError::ByteUnit),
            ("4 k", NumberError::ByteUnit),
            ("4i", NumberError::ByteUnit),
            ("4\u{212a}", NumberError::ByteUnit),
            ("4kbytes", NumberError::ByteUnit),
            ("99999999999999999999", NumberError::TooBig),
            ("16384p", NumberError::TooBig),
        ] {
            assert_eq!(parse_bytes(text), Err(error), "{text}");
        }
    }

    #[test]
    fn times_as_fio_reads_them() {
        for (text, ns) in [
            ("10", 10_000_000_000),
            ("10s", 10_000_000_000),
            ("500ms", 500_000_000),
            ("500MSEC", 500_000_000),
            ("100us", 100_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1d", 86_400_000_000_000),
            ("0x10", 16_000_000_000),
        ] {
            assert_eq!(parse_time_ns(text), Ok(ns), "{text}");
        }
        for (text, ns) in [("10", 10_000), ("0x10", 16_000), ("10s", 10_000_000_000)] {
            assert_eq!(parse_time_in_us(text), Ok(ns), "{text}");
        }
        for (text, error) in [
            ("", NumberError::NoDigits),
            ("0.5", NumberError::TimeUnit),
            ("1ns", NumberError::TimeUnit),
            ("300000d", NumberError::TooBig),
        ] {
            assert_eq!(parse_time_ns(text), Err(error), "{text}");
        }
    }

    #[test]
    fn amounts() {
        assert_eq!(Amount::parse("50%"), Ok(Amount::Percent(50)));
        assert_eq!(Amount::parse("1m"), Ok(Amount::Bytes(1 << 20)));
        assert_eq!(Amount::parse("101%"), Err(NumberError::Percent));
        assert_eq!(Amount::parse("%"), Err(NumberError::NoDigits));
        assert_eq!(Amount::parse("1k%"), Err(NumberError::NoDigits));
        assert_eq!(percent_of(u64::MAX, 100), u64::MAX);
        assert_eq!(percent_of(1001, 50), 500);
    }

    #[test]
    fn decimals() {
        for (text, millionths, again) in [
            ("1", 1_000_000, "1"),
            ("1.20", 1_200_000, "1.2"),
            ("0.000001", 1, "0.000001"),
            ("99.95", 99_950_000, "99.95"),
            ("0.", 0, "0"),
        ] {
            let decimal = Decimal::parse(text).expect(text);
            assert_eq!((decimal.millionths, decimal.to_string().as_str()), (millionths, again));
        }
        for (text, error) in [
            ("", NumberError::NoDecimal),
            (".5", NumberError::NoDecimal),
            ("-1", NumberError::NoDecimal),
            ("1.2.3", NumberError::NoDecimal),
            ("0.0000001", NumberError::TooFine),
            ("18446744073709.551616", NumberError::TooBig),
            ("99999999999999999999", NumberError::TooBig),
        ] {
            assert_eq!(Decimal::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn steps() {
        let (bytes, percent) = (Amount::Bytes, Amount::Percent);
        assert_eq!(bytes(5).and_steps(bytes(10), 3), Some(bytes(35)));
        assert_eq!(bytes(0).and_steps(percent(30), 3), Some(percent(90)));
        assert_eq!(percent(20).and_steps(bytes(0), 9), Some(percent(20)));
        assert_eq!(percent(20).and_steps(percent(30), 3), None);
        assert_eq!(bytes(1).and_steps(percent(1), 1), None);
        assert_eq!(bytes(1).and_steps(bytes(u64::MAX), 1), None);
    }

    proptest! {
        #[test]
        fn bytes_print_exactly(bytes: u64) {
            prop_assert_eq!(parse_bytes(&Bytes(bytes).to_string()), Ok(bytes));
        }

        #[test]
        fn decimals_print_exactly(millionths: u64) {
            let decimal = Decimal { millionths };
            prop_assert_eq!(Decimal::parse(&decimal.to_string()), Ok(decimal));
        }

        #[test]
        fn times_print_exactly(us in 0..u64::MAX / 1_000) {
            let ns = us * 1_000;
            prop_assert_eq!(parse_time_ns(&Time { ns }.to_string()), Ok(ns));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (parse_bytes(&text), parse_time_ns(&text), Amount::parse(&text));
            let _ = Decimal::parse(&text);
        }
    }
}
