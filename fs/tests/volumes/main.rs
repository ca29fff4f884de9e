//! Whole volumes, of makefs(8) and of the tests' own writer, against what they were made of and
//! against other readers. `cargo test -p fs images` runs the tests of one module.

mod hostile_tables;
mod images;
mod labels;
mod lenient;
mod listing;
mod named;
mod partitions;
mod readers;
mod repairs;
mod snapshots;
mod sparse;
mod stale;
