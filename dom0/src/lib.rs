//! Reports in fio's forms, for `ringmark` in dom0.
#![forbid(unsafe_code)]

pub mod fio;
