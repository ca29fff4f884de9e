//! Warnings: the volume is not clean, but what is read of it is right. What would be a guess is an
//! [`Error`](crate::Error) instead.

use core::fmt;
use core::mem;

use heapless::Vec;

use crate::error::{Corrupt, Place};

/// Most kinds of warnings that a volume keeps. There are fewer.
const KINDS_MAX: usize = 10;

/// Value in a structure that is wrong, or says that the volume is not clean, and that reading does
/// not depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning(pub Corrupt);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// First warning of each kind, that is, about one rule for a field of one kind of structure, and a
/// count of all others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Warnings {
    list: Vec<Warning, KINDS_MAX>,
    taken: usize,
    more: u64,
}

impl Warnings {
    /// Notes that this place's field is not `must`, unless it `holds`.
    pub(crate) fn check(
        &mut self,
        place: Place,
        holds: bool,
        field: &'static str,
        value: impl Into<i128>,
        must: &'static str,
    ) {
        if let Err(corrupt) = place.check(holds, field, value, must) {
            self.note(corrupt);
        }
    }

    fn note(&mut self, corrupt: Corrupt) {
        let kind = |it: &Corrupt| (mem::discriminant(&it.place), it.field, it.must);
        let known = self.list.iter().find(|Warning(other)| kind(other) == kind(&corrupt));
        let left_out = match known {
            // Met again.
            Some(Warning(same)) if *same == corrupt => false,
            Some(_) => true,
            None => self.list.push(Warning(corrupt)).is_err(),
        };
        self.more = self.more.saturating_add(left_out.into());
    }

    /// Returns the next warning that was not returned yet.
    pub(crate) fn next(&mut self) -> Option<Warning> {
        let warning = self.list.get(self.taken).copied()?;
        self.taken += 1;
        Some(warning)
    }

    /// Returns how many were left out since the last call.
    pub(crate) fn take_more(&mut self) -> u64 {
        mem::take(&mut self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_kept_once_and_the_rest_counted() {
        let mut warnings = Warnings::default();
        warnings.check(Place::Inode(3), true, "di_blocks", 1, "right");
        assert_eq!(warnings.next(), None);
        for number in 3..10 {
            warnings.check(Place::Inode(number), false, "di_blocks", number, "right");
        }
        warnings.check(Place::Inode(4), false, "di_blocks", 0, "even");
        warnings.check(Place::Inode(3), false, "di_size", 0, "right");
        warnings.check(Place::Group(3), false, "di_size", 0, "right");
        let text = warnings.next().unwrap().to_string();
        assert_eq!(text, "inode 3: di_blocks 3 is not right");
        assert_eq!(core::iter::from_fn(|| warnings.next()).count(), 3);
        assert_eq!((warnings.next(), warnings.take_more(), warnings.take_more()), (None, 6, 0));
        // What was returned is known all the same.
        warnings.check(Place::Inode(3), false, "di_blocks", 1, "right");
        assert_eq!((warnings.next(), warnings.take_more()), (None, 1));
        // The first, met again, is no other.
        warnings.check(Place::Inode(3), false, "di_blocks", 3, "right");
        assert_eq!((warnings.next(), warnings.take_more()), (None, 0));
    }

    #[test]
    fn there_is_an_end_to_them() {
        const NAMES: [&str; 18] = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q",
            "r",
        ];
        let mut warnings = Warnings::default();
        NAMES.iter().for_each(|name| warnings.check(Place::Inode(3), false, name, 1, "right"));
        let kept = core::iter::from_fn(|| warnings.next()).count();
        assert_eq!((kept, warnings.take_more()), (KINDS_MAX, (NAMES.len() - KINDS_MAX) as u64));
    }
}
