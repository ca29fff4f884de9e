//! Machines that QEMU emulates around a guest.

use clap::ValueEnum;

/// Machine that QEMU emulates around the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Machine {
    /// i440FX, of 1996
    Pc,
    /// Q35, of 2009
    Q35,
}

impl Machine {
    /// Returns QEMU's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pc => "pc",
            Self::Q35 => "q35",
        }
    }
}
