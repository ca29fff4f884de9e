//! Arithmetic in a value with one of fio's keywords, as in `size=$mb_memory*2`: what bc(1) makes
//! of it, to which fio passes it on, for whole numbers.

/// Deepest parentheses.
const DEPTH_MAX: u32 = 32;

/// Returns whether fio calculates a value: it has a sign of arithmetic, and no `'`.
pub fn is_arithmetic(value: &str) -> bool {
    value.contains(['+', '-', '*', '/']) && !value.contains('\'')
}

/// Returns the value of whole numbers with `+`, `-`, `*`, `/` (rounded towards 0), `%` and
/// parentheses; `None` if it is something else, or has no value that 128 bits hold.
pub fn calculated(text: &str) -> Option<i128> {
    let mut reader = Reader { rest: text.trim() };
    let value = reader.sum(0)?;
    reader.rest.is_empty().then_some(value)
}

/// Rest of an expression; no blank is its first character.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// Takes a character and the blanks behind it, if it is the next one.
    fn takes(&mut self, sign: char) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.map_or(self.rest, str::trim_start);
        rest.is_some()
    }

    fn sum(&mut self, depth: u32) -> Option<i128> {
        let mut sum = self.product(depth)?;
        loop {
            sum = match () {
                () if self.takes('+') => sum.checked_add(self.product(depth)?)?,
                () if self.takes('-') => sum.checked_sub(self.product(depth)?)?,
                () => return Some(sum),
            };
        }
    }

    fn product(&mut self, depth: u32) -> Option<i128> {
        let mut product = self.factor(depth)?;
        loop {
            product = match () {
                () if self.takes('*') => product.checked_mul(self.factor(depth)?)?,
                () if self.takes('/') => product.checked_div(self.factor(depth)?)?,
                () if self.takes('%') => product.checked_rem(self.factor(depth)?)?,
                () => return Some(product),
            };
        }
    }

    fn factor(&mut self, depth: u32) -> Option<i128> {
        if depth > DEPTH_MAX {
            return None;
        }
        if self.takes('-') {
            return self.factor(depth + 1)?.checked_neg();
        }
        if self.takes('(') {
            let value = self.sum(depth + 1)?;
            return self.takes(')').then_some(value);
        }
        let digits = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let (number, rest) = self.rest.split_at(self.rest.len() - digits.len());
        self.rest = rest.trim_start();
        number.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_calculated() {
        for (text, expected) in [
            ("2*3", 6),
            (" 64 * 2 + 1 ", 129),
            ("64/3", 21),
            ("-7/2", -3),
            ("7%4*2", 6),
            ("1+2*3-4/2", 5),
            ("10-3-2", 5),
            ("(1+2)*(3-1)", 6),
            ("-(2)-3", -5),
            ("--4", 4),
            ("100000000000000000000*3/100000000000000000000", 3),
        ] {
            assert_eq!(calculated(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_arithmetic_has_no_value() {
        let deep = "(".repeat(100_000) + "1";
        let signs = "-".repeat(100_000) + "1";
        for text in [
            "", "2*", "*2", "2m", "2*3m", "1.5*2", "(1+2", "1+2)", "1 2", "a/2", "1/0", "1%0",
            "1,2*3", "2^3", "0x10*2", &deep, &signs,
        ] {
            assert_eq!(calculated(text), None, "{}", &text[..text.len().min(20)]);
        }
        assert_eq!(calculated(&format!("{}*2", i128::MAX)), None);
        assert_eq!(calculated(&format!("{}0", i128::MAX)), None);
    }

    #[test]
    fn a_sign_makes_arithmetic() {
        for text in ["1+1", "-1", "2*2", "a/b"] {
            assert!(is_arithmetic(text), "{text}");
        }
        for text in ["1", "4,8", "7%2", "'1+1'"] {
            assert!(!is_arithmetic(text), "{text}");
        }
    }
}
