//! Lead of guests: it says when those start that all wait at the barrier.

use crate::wait::Wait;

/// Lead of the guests of a host.
pub trait Lead {
    /// Takes what it has said; returns how often it has asked for an early end so far.
    fn heed(&mut self) -> u32;

    /// Returns whether the guests, which all wait to start this stage, start it now.
    fn opens(&mut self, stage: u32) -> bool;

    /// Notes that they have been told to.
    fn told(&mut self);

    /// Returns whether it is lost: nobody can be told then which domains stay.
    fn is_lost(&self) -> bool;

    /// Adds what it is to be asked again for.
    fn wait_for<'w>(&'w self, wait: &mut Wait<'w>);
}

/// Lead of guests that start as soon as all wait: none.
#[derive(Debug)]
pub struct AtOnce;

impl Lead for AtOnce {
    fn heed(&mut self) -> u32 {
        0
    }

    fn opens(&mut self, _stage: u32) -> bool {
        true
    }

    fn told(&mut self) {}

    fn is_lost(&self) -> bool {
        false
    }

    fn wait_for<'w>(&'w self, _wait: &mut Wait<'w>) {}
}
