//! Executed instructions by whose they are, as the QEMU plugin `qemu-count` keeps them.

use std::fs;
use std::ops::Sub;
use std::path::Path;

use anyhow::{Context, Result};

/// The plugin's counts at some moment, or what came to them between two.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Xen's instructions.
    pub(crate) xen: u64,
    /// dom0's, kernel and processes.
    pub(crate) dom0: u64,
    /// The guests'.
    pub(crate) guest: u64,
    /// Entries into guests, each with its exit.
    pub(crate) entries: u64,
}

impl Counts {
    /// Reads the plugin's file: four words, which grow while QEMU runs.
    ///
    /// # Errors
    /// When it is not there, or not whole.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let why = || format!("cannot read QEMU's counts in {}", path.display());
        let bytes = fs::read(path).with_context(why)?;
        Self::parse(&bytes).with_context(why)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        let &[xen, dom0, guest, entries] = words else { return None };
        let [xen, dom0, guest, entries] = [xen, dom0, guest, entries].map(u64::from_le_bytes);
        Some(Self { xen, dom0, guest, entries })
    }

    /// All instructions.
    pub(crate) fn total(self) -> u64 {
        self.xen + self.dom0 + self.guest
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            xen: self.xen - earlier.xen,
            dom0: self.dom0 - earlier.dom0,
            guest: self.guest - earlier.guest,
            entries: self.entries - earlier.entries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_words_and_no_more() {
        let bytes: Vec<u8> = [7_u64, 5, 3, 1].iter().flat_map(|word| word.to_le_bytes()).collect();
        let counts = Counts::parse(&bytes).unwrap();
        assert_eq!(counts, Counts { xen: 7, dom0: 5, guest: 3, entries: 1 });
        assert_eq!(counts.total(), 15);
        assert_eq!((counts - counts).total(), 0);
        assert_eq!(Counts::parse(&bytes[..31]), None);
        assert_eq!(Counts::parse(&[0; 40]), None);
    }
}
