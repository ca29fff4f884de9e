//! The commands on volumes that `newfs` and makefs(8) make, good and hostile ones.

mod collected;
mod going_on;
mod limits;
mod mutated;
mod walk;
