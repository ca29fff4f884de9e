//! Data that tells where it belongs, so that a block in the wrong place is seen.

/// Bytes of a block of the pattern.
pub(crate) const BLOCK_BYTES: usize = 4096;

/// Blocks each filled with its offset in bytes, as eight bytes, least first: fio's
/// `verify_pattern=%o` with `bs=4k`. `bytes` is rounded down to whole blocks.
pub(crate) fn offsets(bytes: usize) -> Vec<u8> {
    let words = BLOCK_BYTES / 8;
    (0..bytes / BLOCK_BYTES)
        .flat_map(|block| std::iter::repeat_n(((block * BLOCK_BYTES) as u64).to_le_bytes(), words))
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_has_its_offset() {
        let pattern = offsets(16 << 20);
        assert_eq!(pattern.len(), 16 << 20);
        assert_eq!(pattern[4096 * 3 + 8..4096 * 3 + 16], (4096u64 * 3).to_le_bytes());
        assert_eq!(pattern[4096 * 4096 - 8..], (4096u64 * 4095).to_le_bytes());
    }
}
