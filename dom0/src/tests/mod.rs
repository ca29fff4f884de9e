//! Tests of all readers of what others wrote: guests, fio, files.

mod fio_line;
mod forms;
mod fuzz;
mod inputs;
mod memory;
mod mutate;
mod targets;
