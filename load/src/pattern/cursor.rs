//! Sequential places.

/// Place that moves by one block and starts again at the end.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    pub(super) next: u64,
    pub(super) step: u64,
    pub(super) end: u64,
}

impl Cursor {
    /// Returns the place, and moves on.
    #[inline]
    pub(super) fn advance(&mut self) -> u64 {
        let place = self.next;
        let after = place + self.step;
        self.next = if after == self.end { 0 } else { after };
        place
    }
}
