//! A processor, and the order in which it takes locks.

/// Rank of a lock: a processor that holds one takes only locks of higher ranks.
///
/// That is Xen's order: tables by their domains, then one entry, or the growth of handles, then a
/// free list, under which nothing is taken. Entry and maptrack are not ordered: no path needs both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Table of a domain.
    Table(u16),
    /// Entry in use.
    Entry,
    /// Growth of a domain's handles.
    Maptrack,
    /// List of free handles.
    FreeList,
}

#[cfg(debug_assertions)]
impl Rank {
    /// Returns whether a processor that holds this may take `next`.
    fn allows(self, next: Self) -> bool {
        match (self, next) {
            (Self::Entry, Self::Maptrack) => false,
            _ => self < next,
        }
    }
}

/// Processor that makes hypercalls, one at a time.
#[derive(Debug)]
pub struct Cpu {
    number: usize,
    #[cfg(debug_assertions)]
    held: Vec<Rank>,
}

impl Cpu {
    /// Creates the processor of a number, which no other value has at the same time.
    pub fn new(number: usize) -> Self {
        Self {
            number,
            #[cfg(debug_assertions)]
            held: Vec::new(),
        }
    }

    /// Returns its number.
    #[inline]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Notes that it takes a lock.
    ///
    /// # Panics
    /// In builds with debug assertions, when it holds one that must be taken later.
    #[inline]
    pub(crate) fn takes(&mut self, rank: Rank) {
        #[cfg(debug_assertions)]
        {
            if let Some(last) = self.held.last() {
                assert!(last.allows(rank), "lock order: {rank:?} is taken under {last:?}");
            }
            self.held.push(rank);
        }
        #[cfg(not(debug_assertions))]
        let _ = rank;
    }

    /// Notes that it gives back the lock that it took last.
    #[inline]
    pub(crate) fn gives_back(&mut self) {
        #[cfg(debug_assertions)]
        self.held.pop();
    }
}
