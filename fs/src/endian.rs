//! Byte order, and structures of fixed size read field by field. FFS is written in the byte order
//! of the machine that made it; a field outside its structure does not compile.

/// Byte order of a volume's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first: x86, arm, riscv, alpha.
    Little,
    /// Most significant byte first: sparc64, powerpc, m68k.
    Big,
}

impl Endian {
    pub(crate) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Endian::Little => u16::from_le_bytes(bytes),
            Endian::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(crate) fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Endian::Little => u64::from_le_bytes(bytes),
            Endian::Big => u64::from_be_bytes(bytes),
        }
    }
}

/// Structure of `N` bytes, borrowed from the caller.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a, const N: usize> {
    bytes: &'a [u8; N],
    endian: Endian,
}

impl<'a, const N: usize> Fields<'a, N> {
    pub(crate) fn new(bytes: &'a [u8; N], endian: Endian) -> Self {
        Fields { bytes, endian }
    }

    pub(crate) fn bytes<const AT: usize, const LEN: usize>(&self) -> [u8; LEN] {
        const { assert!(AT + LEN <= N, "the field lies outside its structure") };
        let mut field = [0; LEN];
        field.copy_from_slice(&self.bytes[AT..AT + LEN]);
        field
    }

    pub(crate) fn u8<const AT: usize>(&self) -> u8 {
        let [byte] = self.bytes::<AT, 1>();
        byte
    }

    pub(crate) fn u16<const AT: usize>(&self) -> u16 {
        self.endian.u16(self.bytes::<AT, 2>())
    }

    pub(crate) fn u32<const AT: usize>(&self) -> u32 {
        self.endian.u32(self.bytes::<AT, 4>())
    }

    pub(crate) fn i32<const AT: usize>(&self) -> i32 {
        self.u32::<AT>().cast_signed()
    }

    pub(crate) fn u64<const AT: usize>(&self) -> u64 {
        self.endian.u64(self.bytes::<AT, 8>())
    }

    pub(crate) fn i64<const AT: usize>(&self) -> i64 {
        self.u64::<AT>().cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_follow_the_byte_order() {
        let bytes = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0xff];
        let little = Fields::new(&bytes, Endian::Little);
        let big = Fields::new(&bytes, Endian::Big);
        assert_eq!((little.u16::<1>(), big.u16::<1>()), (0x3322, 0x2233));
        assert_eq!((little.i32::<4>(), big.i32::<4>()), (-0x88_99ab, 0x5566_77ff));
        assert_eq!(little.u64::<0>().swap_bytes(), big.u64::<0>());
        assert_eq!(little.u8::<7>(), 0xff);
    }
}
