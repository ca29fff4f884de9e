//! Whole volumes, of makefs(8) and of the tests' own writer, against what they were made of and
//! against other readers. `cargo test -p fs images` runs the tests of one module.

mod images;
mod lenient;
mod listing;
mod partitions;
mod readers;
mod snapshots;
mod sparse;
mod stale;
