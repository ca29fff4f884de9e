//! The five designs against one meaning, alone and with several processors.
//!
//! - [`suite`] says by hand what each operation does; [`random`] draws long runs of one processor.
//!   Both hold all designs to [`spec`], which shares nothing with them.
//! - [`histories`] lets several processors run under shuttle's scheduler, and [`search`] looks for
//!   an order in which the spec answers as they were answered.
//! - [`weak`] and [`weak_locks`] run small cases under loom: up to three preemptions; 64-bit stores
//!   run as swaps, so a release missing between two stores of one word is not found.
//! - [`broken`] holds designs with a known fault, each of which a case or a history must find.
//! - `ranks` holds a processor to the order of locks, in builds with debug assertions.

mod all;
mod broken;
mod histories;
mod ops;
mod panics;
mod random;
#[cfg(debug_assertions)]
mod ranks;
mod search;
mod shuttle_words;
mod spec;
mod suite;
mod swapped;
mod weak;
mod weak_locks;
