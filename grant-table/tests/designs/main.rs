//! The five designs against one meaning, alone and with several processors.
//!
//! - [`suite`] says by hand what each operation does; [`random`] draws long runs of one processor.
//!   Both hold all designs to [`spec`], which shares nothing with them.
//! - [`histories`] lets several processors run under shuttle's scheduler, and [`search`] looks for
//!   an order in which the spec answers as they were answered.
//! - [`weak`] and [`weak_locks`] run small cases under loom, with all that the memory model allows.
//! - [`broken`] holds designs with a known fault, each of which one of these must find.

mod all;
mod broken;
mod histories;
mod loom_words;
mod ops;
mod panics;
mod random;
mod search;
mod shuttle_words;
mod spec;
mod suite;
mod weak;
mod weak_locks;
#[path = "../../../model/tests/weak_memory/words.rs"]
mod words;
