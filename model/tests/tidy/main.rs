//! The house rules that a machine can check.

mod arrows;
mod circles;
mod crates;
mod docs;
mod homes;
mod modules;
mod sizes;
mod syntax;
mod tree;
