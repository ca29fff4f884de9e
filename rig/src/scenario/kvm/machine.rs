//! Machines that QEMU emulates around a guest.

use clap::ValueEnum;

/// Machine that QEMU emulates around the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Machine {
    /// i440FX
    Pc,
    /// Q35
    Q35,
}

impl Machine {
    /// Returns its name, as QEMU and the tool have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pc => "pc",
            Self::Q35 => "q35",
        }
    }
}
