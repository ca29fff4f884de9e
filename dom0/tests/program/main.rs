//! The whole program against a tool stack of shell scripts.

mod compare;
mod run;
mod stack;
