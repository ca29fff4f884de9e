//! Commands of the rig, one file each.

pub(crate) mod bench;
pub(crate) mod compare;
mod costs;
pub(crate) mod file;
pub(crate) mod image;
pub(crate) mod instructions;
pub(crate) mod kvm;
pub(crate) mod mail;
pub(crate) mod package;
pub(crate) mod peers;
pub(crate) mod published;
pub(crate) mod run;
pub(crate) mod scaling;
pub(crate) mod selftest;
pub(crate) mod shell;
pub(crate) mod side;
pub(crate) mod test;
pub(crate) mod tool;
pub(crate) mod waiter;
mod window;
