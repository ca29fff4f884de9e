//! Header of fio's `verify=`: fio 3's `verify_header` (fio's verify.h), followed by the
//! [checksum](super::checksum) of the data, so that fio checks what ringmark wrote and the other
//! way round.
//!
//! | bytes | fio's name | here |
//! |---|---|---|
//! | 0..2 | `magic` | 0xacca |
//! | 2..4 | `verify_type` | the [number](fio_job::Checksum::number) of the checksum |
//! | 4..8 | `len` | from this header to the next, in bytes |
//! | 8..16 | `rand_seed` | the number of the write in its job |
//! | 16..24 | `offset` | the header's place, in bytes from the start of the disk |
//! | 24..32 | `time_sec`, `time_nsec` | when the run began, by the guest's clock |
//! | 32..34 | `thread` | the number of the job in its run, from 1 |
//! | 34..36 | `numberio` | the low half of the write's number |
//! | 36..40 | `crc32` | CRC32C of the bytes before it |
//! | 40.. | `vhdr_crc32` and the like | checksum of the bytes behind it, up to the next header |
//!
//! All fields are little-endian. fio's CRC32C starts with all ones and is not inverted at the end.

use super::checksum::CRC32C;
use super::mismatch::{Field, Mismatch};
use fio_job::number::NS_PER_SECOND;
use fio_job::{Checksum, HEADER_BYTES};

const MAGIC: u16 = 0xacca;

/// Knowledge of the write that a header is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Place.
    Place,
    /// Number as well, but neither its job nor the run's begin: copies of a job write the same
    /// blocks.
    Number,
    /// All of it.
    Write,
}

/// Fields of a header, except the checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Checksum of the data.
    pub checksum: Checksum,
    /// Distance from this header to the next, in bytes.
    pub interval_bytes: u32,
    /// Place of the header, in bytes from the start of the disk.
    pub offset_bytes: u64,
    /// Time at which the run began; together with the job and the number of the write it is unique.
    pub run_ns: u64,
    /// Number of the job in its run, from 1.
    pub job: u16,
    /// Number of the write in its job.
    pub write: u32,
}

impl Header {
    /// Returns the header as it is on the disk.
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut rest = bytes.as_mut_slice();
        let mut put = |field: &[u8]| {
            if let Some(place) = rest.split_off_mut(..field.len()) {
                place.copy_from_slice(field);
            }
        };
        put(&MAGIC.to_le_bytes());
        put(&self.checksum.number().to_le_bytes());
        put(&self.interval_bytes.to_le_bytes());
        put(&u64::from(self.write).to_le_bytes());
        put(&self.offset_bytes.to_le_bytes());
        put(&((self.run_ns / NS_PER_SECOND) as u32).to_le_bytes());
        put(&((self.run_ns % NS_PER_SECOND) as u32).to_le_bytes());
        put(&self.job.to_le_bytes());
        put(&(self.write as u16).to_le_bytes());
        let checksum = CRC32C.checksum(&bytes[..36]);
        bytes[36..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Checks the header that was read from the place of this one: of `run_ns`, `job` and `write`,
    /// what is known. Without a checksum, any other method's header will do, as for fio.
    ///
    /// # Errors
    /// Returns the first difference. The checksum of the header comes before what it protects.
    pub fn check(&self, found: &[u8; HEADER_BYTES], known: Known) -> Result<(), Mismatch> {
        let read = |start: usize, length: usize| {
            let bytes = found.iter().skip(start).take(length).rev();
            bytes.fold(0, |value: u64, &byte| value << 8 | u64::from(byte))
        };
        let run_ns = read(24, 4) * NS_PER_SECOND + read(28, 4);
        let checksum = CRC32C.checksum(&found[..36]).into();
        self.same(Field::Magic, MAGIC.into(), read(0, 2))?;
        self.same(Field::HeaderChecksum, checksum, read(36, 4))?;
        if self.checksum != Checksum::Meta {
            self.same(Field::Type, self.checksum.number().into(), read(2, 2))?;
        }
        self.same(Field::Length, self.interval_bytes.into(), read(4, 4))?;
        self.same(Field::Offset, self.offset_bytes, read(16, 8))?;
        if known == Known::Write {
            self.same(Field::Run, self.run_ns, run_ns)?;
            self.same(Field::Job, self.job.into(), read(32, 2))?;
        }
        if known != Known::Place {
            self.same(Field::Write, self.write.into(), read(8, 8))?;
        }
        Ok(())
    }

    /// Compares one field of the block at this header.
    ///
    /// # Errors
    /// Returns a [`Mismatch`] if `found` is not `expected`.
    pub fn same(&self, field: Field, expected: u64, found: u64) -> Result<(), Mismatch> {
        let offset_bytes = self.offset_bytes;
        let differs = Mismatch::Block { offset_bytes, field, expected, found };
        if expected == found { Ok(()) } else { Err(differs) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Header that fio 3.33 wrote: bs=4k verify_interval=512, second block, second header.
    const FIO: [u8; HEADER_BYTES] = [
        0xca, 0xac, 0x05, 0x00, 0x00, 0x02, 0x00, 0x00, 0x2e, 0x56, 0xdb, 0xf6, 0x8c, 0x0a, 0xbb,
        0x88, 0x00, 0x12, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xcb, 0x13,
        0x0f, 0x07, 0x01, 0x00, 0x01, 0x00, 0x93, 0x7f, 0x57, 0x4a,
    ];
    const HERE: Header = Header {
        checksum: Checksum::Crc32c,
        interval_bytes: 512,
        offset_bytes: 0x1200,
        run_ns: 0,
        job: 1,
        write: 0,
    };

    fn wrong(found: &[u8; HEADER_BYTES], header: Header) -> Option<Field> {
        match header.check(found, Known::Write) {
            Err(Mismatch::Block { field, .. }) => Some(field),
            _ => None,
        }
    }

    #[test]
    fn fios_header_is_understood() {
        assert_eq!(HERE.check(&FIO, Known::Place), Ok(()));
        // Its writer is not this run.
        assert_eq!(wrong(&FIO, HERE), Some(Field::Run));
    }

    #[test]
    fn every_bit_counts() {
        for bit in 0..HEADER_BYTES * 8 {
            let mut found = FIO;
            found[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(HERE.check(&found, Known::Place), Ok(()), "bit {bit}");
        }
    }

    #[test]
    fn another_blocks_header_is_reported_as_such() {
        let header = Header { run_ns: 5_000_000_007, write: 70_000, ..HERE };
        let found = header.to_bytes();
        assert_eq!(header.check(&found, Known::Write), Ok(()));
        assert_eq!(wrong(&[0; HEADER_BYTES], header), Some(Field::Magic));
        for (other, field) in [
            (Header { checksum: Checksum::Md5, ..header }, Field::Type),
            (Header { interval_bytes: 4096, ..header }, Field::Length),
            (Header { offset_bytes: 0, ..header }, Field::Offset),
            (Header { run_ns: 5_000_000_008, ..header }, Field::Run),
            (Header { job: 2, ..header }, Field::Job),
            (Header { write: 70_000 - 65_536, ..header }, Field::Write),
        ] {
            assert_eq!(wrong(&found, other), Some(field));
        }
    }

    #[test]
    fn of_a_copys_block_the_number_counts_or_nothing() {
        let copys = Header { run_ns: 5_000_000_008, job: 7, ..HERE };
        let found = copys.to_bytes();
        assert_eq!(HERE.check(&found, Known::Number), Ok(()));
        let later = Header { write: 1, ..copys }.to_bytes();
        assert!(HERE.check(&later, Known::Number).is_err());
        assert_eq!(HERE.check(&later, Known::Place), Ok(()));
    }

    #[test]
    fn each_methods_header_is_refused_by_all_others_but_meta() {
        let of = |checksum| Header { checksum, ..HERE };
        for one in Checksum::ALL {
            for other in Checksum::ALL {
                let is_taken = of(other).check(&of(one).to_bytes(), Known::Write).is_ok();
                assert_eq!(is_taken, one == other || other == Checksum::Meta, "{one} {other}");
            }
        }
    }
}
