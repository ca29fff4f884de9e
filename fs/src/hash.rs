//! FreeBSD's check-hashes: CRC32C that starts with all ones and is not inverted at the end, over
//! the raw bytes of a structure in which the place of the hash itself counts as zero.

use crc::{Algorithm, CRC_32_ISCSI, Crc};

static CRC32C: Crc<u32> = Crc::<u32>::new(&Algorithm { xorout: 0, ..CRC_32_ISCSI });

/// Returns the hash of `bytes`, whose own hash is kept in the four bytes at `at`.
pub(crate) fn check_hash(bytes: &[u8], at: usize) -> u32 {
    let (before, rest) = bytes.split_at(at.min(bytes.len()));
    let mut digest = CRC32C.digest();
    digest.update(before);
    digest.update(&[0; 4]);
    digest.update(rest.get(4..).unwrap_or_default());
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_crc32c_without_the_last_inversion() {
        let mut bytes = *b"....123456789";
        bytes[..4].fill(0);
        let iscsi = Crc::<u32>::new(&CRC_32_ISCSI);
        assert_eq!(iscsi.checksum(b"123456789"), 0xe306_9283);
        let inverted = !iscsi.checksum(&bytes);
        bytes[..4].copy_from_slice(&[1, 2, 3, 4]);
        assert_eq!(check_hash(&bytes, 0), inverted);
    }
}
