//! The whole program against a tool stack of shell scripts.

mod ab;
mod compare;
mod config;
mod costs;
mod curve;
mod deaf;
mod diff;
mod fleet;
mod fleet_mix;
mod fleet_stack;
mod hostile;
mod hosts;
mod hosts_hostile;
mod hosts_stack;
mod keep;
mod memory;
mod options;
mod origin;
mod precondition;
mod project;
mod report;
mod run;
mod stack;
mod sweep;
mod trouble;
