//! From bytes to values that are worth trying.
//!
//! Everything ends with the bytes: once they are used up, the first choice is taken.

use arbitrary::{Result, Unstructured};

/// Numbers at the edges of what the code looks at.
const EDGES: [u64; 16] = [
    0,
    1,
    511,
    512,
    4095,
    4096,
    1 << 20,
    1 << 21,
    0xfc00_0000,
    (1 << 32) - 1,
    1 << 32,
    1 << 55,
    (1 << 55) - 1,
    1 << 63,
    u64::MAX - 4095,
    u64::MAX,
];

/// A number: an edge, small, a page's address, or any.
pub fn number(u: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match u.int_in_range(0..=4)? {
        0 => *u.choose(&EDGES)?,
        1 => u.int_in_range(0..=255)?,
        2 => u64::from(u.arbitrary::<u32>()? >> 8) << 12,
        3 => u.choose(&EDGES)?.wrapping_add_signed(u.int_in_range(-4..=4)?),
        _ => u.arbitrary()?,
    })
}

/// Up to `max` of something.
pub fn several<'a, T>(
    u: &mut Unstructured<'a>,
    max: usize,
    one: impl Fn(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = u.int_in_range(0..=max)?;
    let mut all = Vec::new();
    while all.len() < count && !u.is_empty() {
        all.push(one(u)?);
    }
    Ok(all)
}

/// Up to `max` bytes.
pub fn bytes(u: &mut Unstructured<'_>, max: usize) -> Result<Vec<u8>> {
    let len = u.int_in_range(0..=max)?.min(u.len());
    u.bytes(len).map(<[u8]>::to_vec)
}

/// True once in `n` times.
pub fn seldom(u: &mut Unstructured<'_>, n: u32) -> Result<bool> {
    u.ratio(n - 1, n).map(|usual| !usual)
}
