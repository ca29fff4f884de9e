//! The disks that dom0 serves: ramdisks (brd), /dev/ram0 and on.

/// Number and kind of ramdisks.
#[derive(Clone, Copy)]
pub(crate) struct Ramdisks {
    /// Number of ramdisks.
    pub(crate) count: u32,
    /// The size of each.
    pub(crate) mib: u32,
    /// Written once before anything else: what was never written has no pages to copy from, and
    /// reads faster than data.
    pub(crate) filled: bool,
}

impl Ramdisks {
    /// The one that is measured.
    pub(crate) const MEASURED: Self = Self { count: 1, mib: 256, filled: true };

    /// Returns the text that dom0's init reads.
    pub(crate) fn settings(self) -> String {
        let Self { count, mib, filled } = self;
        let fill = if filled { "yes" } else { "" };
        format!("ramdisks={count}\nramdisk_kib={}\nfill={fill}\n", u64::from(mib) * 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shell_variables() {
        assert_eq!(Ramdisks::MEASURED.settings(), "ramdisks=1\nramdisk_kib=262144\nfill=yes\n");
    }
}
