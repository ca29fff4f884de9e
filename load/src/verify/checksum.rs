//! Checksums of fio 3.33's `verify=`, as its headers have them.
//!
//! Most are the usual ones, in the processor's byte order. Two are not what their names say, and
//! are so here, too, lest fio find wrong what is right:
//! - `sha256` appends the length with its low byte first, and keeps 64 bytes: the last block of the
//!   padded data, the first 8 of which are the low bytes of the state's words.
//! - `sha512` never hashes. It keeps 128 bytes: the first 128 of the data, with what its last
//!   incomplete block of 128 has in front. (fio hashes since 3.39, so neither reads the other's.)

use core::hash::Hasher;

use crc::{
    Algorithm, CRC_7_MMC, CRC_16_ARC, CRC_32_CKSUM, CRC_32_ISCSI, CRC_64_REDIS, Crc, Digest, Table,
};
use fio_job::Checksum;
use md5::Md5;
use sha1::{Digest as _, Sha1};
use twox_hash::XxHash32;

static CRC32C_ALGORITHM: Algorithm<u32> = Algorithm { xorout: 0, ..CRC_32_ISCSI };
static CRC32_ALGORITHM: Algorithm<u32> = Algorithm { xorout: 0, ..CRC_32_CKSUM };
/// Tables, sixteen of 1 KiB, for sixteen bytes at a time. It starts with all ones, and is not
/// inverted at the end.
pub(super) static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC32C_ALGORITHM);
static CRC32: Crc<u32> = Crc::<u32>::new(&CRC32_ALGORITHM);
static CRC64: Crc<u64> = Crc::<u64>::new(&CRC_64_REDIS);
static CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_ARC);
static CRC7: Crc<u8> = Crc::<u8>::new(&CRC_7_MMC);

/// Longest value of a checksum, in bytes.
const VALUE_BYTES_MAX: usize = 128;
/// Seed of fio's XXH32.
const XXHASH_SEED: u32 = 1;

/// Checksum under way, over the data behind a header.
pub enum Sum {
    /// Nothing.
    Meta,
    /// CRC of 7 bits.
    Crc7(Digest<'static, u8>),
    /// CRC of 16 bits.
    Crc16(Digest<'static, u16>),
    /// CRC of 32 bits.
    Crc32(Digest<'static, u32>),
    /// CRC of 32 bits, by larger tables.
    Crc32c(Digest<'static, u32, Table<16>>),
    /// CRC of 64 bits.
    Crc64(Digest<'static, u64>),
    /// XXH32.
    Xxhash(XxHash32),
    /// MD5.
    Md5(Md5),
    /// SHA-1.
    Sha1(Sha1),
    /// SHA-256 with fio's end.
    Sha256(Sha256),
    /// Bytes at both ends.
    Ends(Ends),
    /// SHA-3.
    Sha3(Sponge),
}

impl Sum {
    /// Returns the checksum of no data.
    pub fn new(checksum: Checksum) -> Self {
        match checksum {
            Checksum::Meta => Self::Meta,
            Checksum::Crc7 => Self::Crc7(CRC7.digest()),
            Checksum::Crc16 => Self::Crc16(CRC16.digest()),
            Checksum::Crc32 => Self::Crc32(CRC32.digest()),
            Checksum::Crc32c => Self::Crc32c(CRC32C.digest()),
            Checksum::Crc64 => Self::Crc64(CRC64.digest()),
            Checksum::Xxhash => Self::Xxhash(XxHash32::with_seed(XXHASH_SEED)),
            Checksum::Md5 => Self::Md5(Md5::new()),
            Checksum::Sha1 => Self::Sha1(Sha1::new()),
            Checksum::Sha256 => Self::Sha256(Sha256::new()),
            Checksum::Sha512 => Self::Ends(Ends::new()),
            Checksum::Sha3_224 | Checksum::Sha3_256 | Checksum::Sha3_384 | Checksum::Sha3_512 => {
                Self::Sha3(Sponge::new(checksum.bytes()))
            }
        }
    }

    /// Adds data.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Meta => {}
            Self::Crc7(digest) => digest.update(bytes),
            Self::Crc16(digest) => digest.update(bytes),
            Self::Crc32(digest) => digest.update(bytes),
            Self::Crc32c(digest) => digest.update(bytes),
            Self::Crc64(digest) => digest.update(bytes),
            Self::Xxhash(hasher) => hasher.write(bytes),
            Self::Md5(digest) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
            Self::Ends(ends) => ends.update(bytes),
            Self::Sha3(sponge) => sponge.update(bytes),
        }
    }

    /// Returns the value of all data.
    pub fn finish(self) -> Value {
        match self {
            Self::Meta => Value::of(&[]),
            Self::Crc7(digest) => Value::of(&digest.finalize().to_le_bytes()),
            Self::Crc16(digest) => Value::of(&digest.finalize().to_le_bytes()),
            Self::Crc32(digest) => Value::of(&digest.finalize().to_le_bytes()),
            Self::Crc32c(digest) => Value::of(&digest.finalize().to_le_bytes()),
            Self::Crc64(digest) => Value::of(&digest.finalize().to_le_bytes()),
            Self::Xxhash(hasher) => Value::of(&hasher.finish_32().to_le_bytes()),
            Self::Md5(digest) => Value::of(&digest.finalize()),
            Self::Sha1(digest) => {
                let mut bytes: [u8; 20] = digest.finalize().into();
                bytes.chunks_exact_mut(4).for_each(<[u8]>::reverse);
                Value::of(&bytes)
            }
            Self::Sha256(digest) => Value::of(&digest.finish()),
            Self::Ends(ends) => Value::of(&ends.finish()),
            Self::Sha3(sponge) => sponge.finish(),
        }
    }
}

/// Value of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    bytes: [u8; VALUE_BYTES_MAX],
    length: usize,
}

impl Value {
    fn of(value: &[u8]) -> Self {
        let mut bytes = [0; VALUE_BYTES_MAX];
        bytes[..value.len()].copy_from_slice(value);
        Self { bytes, length: value.len() }
    }

    /// Returns its bytes, as they are on the disk.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Returns its first 8 bytes that differ from what was `found`, and those, as numbers; of the
    /// two that do not differ, the first.
    pub fn compare(&self, found: &[u8]) -> (u64, u64) {
        let words = |bytes| <[u8]>::chunks(bytes, 8).map(number);
        let mut pairs = words(self.as_bytes()).zip(words(found));
        let first = pairs.clone().next().unwrap_or_default();
        pairs.find(|(one, other)| one != other).unwrap_or(first)
    }
}

/// Returns up to 8 bytes as a number, the low byte first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Data that is hashed in chunks, up to the next whole one.
struct Chunk<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Chunk<N> {
    fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    /// Adds data, and gives each chunk of `size` bytes, up to `N`, to `hash`.
    fn update(&mut self, size: usize, bytes: &[u8], mut hash: impl FnMut(&[u8; N])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (next, behind) = rest.split_at(rest.len().min(size - self.length));
            self.bytes[self.length..self.length + next.len()].copy_from_slice(next);
            self.length += next.len();
            rest = behind;
            if self.length == size {
                hash(&self.bytes);
                self.length = 0;
            }
        }
    }
}

/// SHA-256 with fio's end.
pub struct Sha256 {
    state: [u32; 8],
    chunk: Chunk<64>,
    length: u64,
}

impl Sha256 {
    fn new() -> Self {
        // FIPS 180-4, 5.3.3.
        let state = [
            0x6a09_e667,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        Self { state, chunk: Chunk::new(), length: 0 }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        let state = &mut self.state;
        self.chunk.update(64, bytes, |chunk| sha2::compress256(state, &[(*chunk).into()]));
    }

    fn finish(mut self) -> [u8; 64] {
        let bits = self.length << 3;
        self.update(&[0x80]);
        while self.chunk.length != 56 {
            self.update(&[0]);
        }
        self.update(&bits.to_le_bytes());
        let mut last = self.chunk.bytes;
        for (byte, word) in last.iter_mut().zip(self.state) {
            *byte = word as u8;
        }
        last
    }
}

/// First 128 bytes, and those behind the last whole chunk of as many.
pub struct Ends {
    first: Option<[u8; 128]>,
    chunk: Chunk<128>,
}

impl Ends {
    fn new() -> Self {
        Self { first: None, chunk: Chunk::new() }
    }

    fn update(&mut self, bytes: &[u8]) {
        let first = &mut self.first;
        self.chunk.update(128, bytes, |chunk| {
            first.get_or_insert(*chunk);
        });
    }

    fn finish(self) -> [u8; 128] {
        let Chunk { bytes, length } = self.chunk;
        let mut ends = self.first.unwrap_or([0; 128]);
        ends[..length].copy_from_slice(&bytes[..length]);
        ends
    }
}

/// SHA-3, of any length.
pub struct Sponge {
    state: [u64; 25],
    chunk: Chunk<144>,
    /// Bytes of a chunk.
    rate: usize,
    value_bytes: usize,
}

impl Sponge {
    fn new(value_bytes: usize) -> Self {
        let rate = 200 - 2 * value_bytes;
        Self { state: [0; 25], chunk: Chunk::new(), rate, value_bytes }
    }

    fn update(&mut self, bytes: &[u8]) {
        let Self { state, chunk, rate, .. } = self;
        chunk.update(*rate, bytes, |chunk| {
            for (word, bytes) in state.iter_mut().zip(chunk[..*rate].chunks_exact(8)) {
                *word ^= number(bytes);
            }
            keccak::f1600(state);
        });
    }

    fn finish(mut self) -> Value {
        // FIPS 202: 01 of the function, then 1, zeros, 1, all from the low bit on.
        let left = self.rate - self.chunk.length;
        let mut padding = [0; 144];
        padding[0] = 0x06;
        padding[left - 1] |= 0x80;
        self.update(&padding[..left]);
        let mut bytes = [0; 200];
        for (to, word) in bytes.chunks_exact_mut(8).zip(self.state) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        Value::of(&bytes[..self.value_bytes])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn hex(checksum: Checksum, data: &[u8]) -> String {
        let mut sum = Sum::new(checksum);
        // In pieces of growing length.
        let (mut rest, mut length) = (data, 1);
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(length));
            sum.update(piece);
            (rest, length) = (behind, length + 7);
        }
        let value = sum.finish();
        assert_eq!(value.as_bytes().len(), checksum.bytes(), "{checksum}");
        value.as_bytes().iter().map(|byte| std::format!("{byte:02x}")).collect()
    }

    #[test]
    fn checksums_are_those_of_their_standards_the_low_byte_first() {
        // The catalogue of parametrised CRC algorithms, RFC 1321, FIPS 180-4 and FIPS 202.
        for (checksum, text, expected) in [
            (Checksum::Crc7, "123456789", "75"),
            (Checksum::Crc16, "123456789", "3dbb"),
            (Checksum::Crc32, "123456789", "7f89a189"),
            (Checksum::Crc32c, "123456789", "7c6df91c"),
            (Checksum::Crc64, "123456789", "cad9b8c414d9c6e9"),
            (Checksum::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
            (Checksum::Sha1, "abc", "363e99a96a81064771253eba6cc250789dd8d09c"),
            (Checksum::Sha3_224, "abc", "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"),
            (
                Checksum::Sha3_256,
                "abc",
                "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
            ),
        ] {
            assert_eq!(hex(checksum, text.as_bytes()), expected, "{checksum}");
        }
    }

    #[test]
    fn fios_sha512_has_both_ends() {
        let data: Vec<u8> = (0..600).map(|number: u32| (number % 251) as u8).collect();
        let mut expected = data[..128].to_vec();
        expected[..88].copy_from_slice(&data[512..]);
        let mut sum = Sum::new(Checksum::Sha512);
        data.chunks(100).for_each(|piece| sum.update(piece));
        assert_eq!(sum.finish().as_bytes(), expected);
    }

    #[test]
    fn the_first_difference_is_told() {
        let value = Value::of(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let mut found = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        assert_eq!(value.compare(&found), (0x0807_0605_0403_0201, 0x0807_0605_0403_0201));
        found[9] = 0;
        assert_eq!(value.compare(&found), (0x0a09, 9));
        found[0] = 0;
        assert_eq!(value.compare(&found), (0x0807_0605_0403_0201, 0x0807_0605_0403_0200));
        assert_eq!(Value::of(&[]).compare(&[]), (0, 0));
    }
}
