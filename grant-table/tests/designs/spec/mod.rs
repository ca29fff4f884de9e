//! Meaning of the operations, as a machine of small steps that shares no code with the designs.
//!
//! A [`World`] is plain data. [`World::step`] takes an operation from one [`At`] to all that may
//! come next. Run without a break an operation has one outcome, besides which free handle it gets.
//! The steps are those between which another may come in, as tight as a hypervisor can be held to:
//!
//! - `map` has its handle before it looks at the entry, and until it has given it back again.
//!   [`Status::Full`] needs every handle to have been taken: at one moment, or, where there are
//!   several lists to look at, each at some moment of the call ([`Facts::lists`]).
//! - Who changes a permission's marks is alone with the entry ([`Entry::is_held`]) until the frame
//!   has been read. The domain itself is kept out by nothing.
//! - In version 2 the marks come first and the permission is looked at again, so that
//!   a call that fails may be seen as use in passing.
//! - `copy` has one entry after the other, and gives them back so.
//! - [`Status::Unstable`] needs as many stores of the domain to that entry during the call as there
//!   are tries.
//! - A domain's `permit` is two stores, a version 2 `revoke` a store and a look, and clearing an
//!   entry a store for each word.

mod entry;
mod steps;

use grant_table::{Access, Config, Status, Version};

use crate::ops::Place;

pub use entry::Entry;
pub use steps::At;

/// Number of tries to mark an entry of version 1.
pub const TRIES: u32 = 5;

/// Traits that set the outcomes of a design apart.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Handles are in several lists, which nobody sees at once.
    pub lists: bool,
    /// A mapping is written down after its pin shows.
    pub late_record: bool,
}

/// State of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    Free,
    /// An operation has it.
    Taken,
    Mapped(Place, Access),
}

/// Tables of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domain {
    pub version: Version,
    pub frames: u32,
    pub entries: Vec<Entry>,
    pub handles: Vec<Slot>,
    /// An operation changes the size or the version.
    is_changing: bool,
}

/// Tables of all domains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub domains: Vec<Domain>,
}

/// Events that an operation knows of the time since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Since {
    /// Handles of its domain that were not free at some moment, as bits.
    pub taken: u64,
    /// Stores of the domain to its entry, or to a copy's source and target, each up to [`TRIES`].
    pub stores: [u32; 2],
}

/// Sizes, and what sets the design apart.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub config: Config,
    pub facts: Facts,
}

impl World {
    pub fn new(config: &Config) -> Self {
        let entries = (config.frames_max * config.entries_per_frame) as usize;
        let handles = (config.handle_frames_max * config.handles_per_frame) as usize;
        let domain = Domain {
            version: Version::One,
            frames: config.frames,
            entries: vec![Entry::default(); entries],
            handles: vec![Slot::Free; handles],
            is_changing: false,
        };
        Self { domains: vec![domain; config.domains.into()] }
    }

    /// Returns the handles of a domain that are not free, as bits, of 64 at most.
    pub fn taken(&self, by: u16) -> u64 {
        let Some(domain) = self.domains.get(usize::from(by)) else { return 0 };
        let taken = domain.handles.iter().take(64).enumerate();
        taken.filter(|(_, slot)| **slot != Slot::Free).fold(0, |bits, (at, _)| bits | 1 << at)
    }

    fn entry(&mut self, (of, gref): Place) -> &mut Entry {
        &mut self.domains[usize::from(of)].entries[gref as usize]
    }

    fn version(&self, (of, _): Place) -> Version {
        self.domains[usize::from(of)].version
    }

    fn check_domains(&self, numbers: &[u16]) -> Result<(), Status> {
        let exists = |number: &u16| usize::from(*number) < self.domains.len();
        if numbers.iter().all(exists) { Ok(()) } else { Err(Status::BadDomain) }
    }
}
