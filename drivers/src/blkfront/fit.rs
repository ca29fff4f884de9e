//! Resources of a VBD, fitted to what its backend offers.

use xen_abi::PAGE_SIZE;
use xen_abi::blkif::MAX_SEGMENTS;

use super::slot::{Slot, SlotState, indirect_pages};
use super::{GrantMode, Offer, QUEUES_MAX, Room, Setup, Takes};
use crate::grant::{ENTRIES_PER_LINE, Grant};
use crate::page::Page;
use crate::ring;
use crate::shared::SharedPage;

/// Fewest elements for which a vector that grows takes memory, of elements as small as ours.
const GROWN_MIN: usize = 4;
/// Segments of a request that Linux's backend takes (`max_indirect_segments` of xen-blkback).
const SEGMENTS_USUAL: u32 = 256;
/// Most that a vector takes while it grows, in its elements: as many again where it moves to, and
/// as many still where it was, of which half are in use.
const GROWTH: usize = 3;

/// Resources that are set up for a VBD.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// Way in which data pages are granted.
    pub(super) grants: GrantMode,
    /// Flag: the backend sees nothing but the data of requests in flight. It is copied into pages
    /// that hold zeros otherwise, whatever the grant mode.
    pub(super) bounces: bool,
    /// Number of queues.
    pub(super) queues: u32,
    /// Slots of each queue. If there are more than its ring has entries, the others hold data.
    pub(super) slots: u32,
    /// Pages of each slot.
    pub(super) pages_per_slot: usize,
    /// Order of each ring.
    pub(super) ring_order: u32,
    /// Most bytes of a read or write that the backend takes in one request.
    pub(super) request_bytes_max: u32,
}

impl Setup {
    /// Returns what a backend with this offer can serve of it. There are slots for all the requests
    /// that make up for one of the wanted size, even if the ring is smaller: who checks the data
    /// needs all of it at once. Where there are fewer queues than wanted, each has more slots, for
    /// its share of those wanted on all, but for no more requests than are wanted in all. No more
    /// is taken than there is room for: first there are fewer slots, then fewer queues, but never
    /// less than one queue with slots for one whole request of the wanted size.
    pub(super) fn fit(&self, offer: &Offer, room: Room) -> Fit {
        let queues = self.queues.min(offer.queues_max);
        let fewer = (2..=queues).rev().map(|queues| self.fit_on(queues, offer, room));
        let mut fitting = fewer.filter(|fit| fit.takes().is_within(room));
        fitting.next().unwrap_or_else(|| self.fit_on(1, offer, room))
    }

    fn fit_on(&self, queues: u32, offer: &Offer, room: Room) -> Fit {
        let requests = u64::from(self.queues) * u64::from(self.slots);
        let requests = u32::try_from(requests.div_ceil(queues.into())).unwrap_or(u32::MAX);
        let requests = requests.min(self.requests_max);
        let segments_max = offer.segments_max.min(self.segments_max.max(MAX_SEGMENTS as u32));
        let pages_per_slot = self.pages_per_slot.min(segments_max as usize);
        let parts = self.pages_per_slot.div_ceil(pages_per_slot) as u32;
        let entries = ring::entries(offer.ring_order_max);
        let slots = requests.saturating_mul(parts).min(entries.max(parts));
        let grants = match self.grants {
            GrantMode::Persistent if !offer.trusted => GrantMode::PersistentCopy,
            grants => grants,
        };
        let fit = Fit {
            grants,
            bounces: !offer.trusted,
            queues,
            slots: parts,
            pages_per_slot,
            ring_order: 0,
            request_bytes_max: segments_max * PAGE_SIZE as u32,
        };
        let with_ring = |ring_order| {
            let fit = Fit { ring_order, ..fit };
            let slots = slots.min(ring::entries(ring_order)).min(fit.slots_max(room)).max(parts);
            Fit { slots, ..fit }
        };
        // The smallest ring of those with most requests in flight, then most slots: its pages are
        // room that slots lack.
        let rings = (1..=offer.ring_order_max).map(with_ring);
        let holds = |fit: &Fit| (fit.slots.min(ring::entries(fit.ring_order)), fit.slots);
        rings.fold(with_ring(0), |most, one| if holds(&one) > holds(&most) { one } else { most })
    }

    /// Returns what the setup takes of a guest with enough of everything, if the backend has this
    /// offer.
    pub fn takes(&self, offer: &Offer) -> Takes {
        let fit = self.fit(offer, Room { pages: u64::MAX, grants: u64::MAX });
        let slots = u64::from(fit.queues) * u64::from(fit.slots);
        Takes { room: fit.takes(), slots, heap_bytes: fit.heap_bytes() }
    }

    /// Returns what the setup takes at least, whatever the backend offers: with one queue, whose
    /// ring is of one page, and requests as small or as large as any, whichever takes less.
    pub fn takes_least(&self) -> Takes {
        let [small, large] = [Offer::LEAST.segments_max, Offer::MOST.segments_max]
            .map(|segments_max| self.takes(&Offer { segments_max, ..Offer::LEAST }));
        Takes {
            room: Room {
                pages: small.room.pages.min(large.room.pages),
                grants: small.room.grants.min(large.room.grants),
            },
            slots: small.slots.min(large.slots),
            heap_bytes: small.heap_bytes.min(large.heap_bytes),
        }
    }

    /// Returns the most that the setup takes, of each for itself, with a backend that has no more
    /// segments than every one (QEMU's), as many as Linux's, or all, whatever else it offers. Only
    /// requests of another size waste more. One that is not `trusted` takes private pages.
    pub fn takes_most(&self, trusted: bool) -> Takes {
        let segments = [Offer::LEAST.segments_max, SEGMENTS_USUAL, Offer::MOST.segments_max];
        let offers = segments.into_iter().flat_map(|segments_max| {
            let queues = 1..=self.queues.min(QUEUES_MAX);
            queues.map(move |queues_max| Offer { segments_max, queues_max, trusted, ..Offer::MOST })
        });
        let none = Takes { room: Room { pages: 0, grants: 0 }, slots: 0, heap_bytes: 0 };
        offers.map(|offer| self.takes(&offer)).fold(none, |most, one| Takes {
            room: Room {
                pages: most.room.pages.max(one.room.pages),
                grants: most.room.grants.max(one.room.grants),
            },
            slots: most.slots.max(one.slots),
            heap_bytes: most.heap_bytes.max(one.heap_bytes),
        })
    }
}

impl Fit {
    /// Returns what is taken for all queues, each of which has whole lines of the grant table.
    fn takes(&self) -> Room {
        let (ring, slot) = (1 << self.ring_order, self.slot_takes());
        let each = |slot| ring + u64::from(self.slots) * slot;
        let all = |each| u64::from(self.queues) * each;
        let lines = each(slot.grants).next_multiple_of(ENTRIES_PER_LINE.into());
        Room { pages: all(each(slot.pages)), grants: all(lines) }
    }

    /// Returns the most heap that all queues take while they are made and used, in bytes.
    fn heap_bytes(&self) -> u64 {
        let shared = self.pages_per_slot + self.indirect_pages_per_slot();
        let (private, slots) = (self.private_pages_per_slot(), self.slots as usize);
        let grown = |count: usize| if count == 0 { 0 } else { (count + 1).max(GROWN_MIN) };
        let lists = [self.pages_per_slot, self.indirect_pages_per_slot()].map(grown);
        let slot = size_of::<SlotState<'_>>()
            + lists.iter().sum::<usize>() * size_of::<SharedPage<'_>>()
            + grown(private) * size_of::<Page>()
            // Its token, in the list of those that are free and in that of those to spare.
            + 2 * size_of::<Slot>();
        let ring = 1 << self.ring_order;
        let grants = (ring + slots * shared).next_multiple_of(ENTRIES_PER_LINE as usize);
        // Entries of the grant table, while they are in nobody's hands; frames given back.
        let free = grants * size_of::<Grant<'_>>()
            + (ring + slots * (shared + private)) * size_of::<u64>();
        // Pages and grants before the slots have them.
        let taken =
            slots * (shared + private) * size_of::<Page>() + grants * size_of::<Grant<'_>>();
        u64::from(self.queues) * (slots * slot + GROWTH * (free + taken)) as u64
    }

    /// Returns the number of slots of each queue, with rings like these, that there is room for.
    fn slots_max(&self, room: Room) -> u32 {
        let (ring, slot) = (1 << self.ring_order, self.slot_takes());
        let [pages, grants] = [room.pages, room.grants].map(|all| all / u64::from(self.queues));
        let lines = grants - grants % u64::from(ENTRIES_PER_LINE);
        let most = |here: u64, each| here.saturating_sub(ring) / each;
        let slots = most(pages, slot.pages).min(most(lines, slot.grants));
        u32::try_from(slots).unwrap_or(u32::MAX)
    }

    /// Returns what is taken for each slot.
    fn slot_takes(&self) -> Room {
        let grants = (self.pages_per_slot + self.indirect_pages_per_slot()) as u64;
        Room { pages: grants + self.private_pages_per_slot() as u64, grants }
    }

    /// Returns the number of pages of each slot that only the caller sees.
    pub(super) const fn private_pages_per_slot(&self) -> usize {
        match self.grants {
            _ if self.bounces => self.pages_per_slot,
            GrantMode::PersistentCopy => self.pages_per_slot,
            GrantMode::Persistent | GrantMode::PerRequest => 0,
        }
    }

    /// Returns the number of pages of each slot for segments that do not fit into its request.
    pub(super) const fn indirect_pages_per_slot(&self) -> usize {
        indirect_pages(self.pages_per_slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const ENOUGH: Room = Room { pages: u64::MAX, grants: u64::MAX };

    fn fit(slots: u32, pages_per_slot: usize, ring_order_max: u32, segments_max: u32) -> Fit {
        let setup = Setup { grants: GrantMode::Persistent, slots, pages_per_slot, ..Setup::ONE };
        setup.fit(&Offer { ring_order_max, queues_max: 1, segments_max, trusted: true }, ENOUGH)
    }

    #[test]
    fn requests_are_cut_to_what_the_backend_takes() {
        for (slots, pages, order, segments, expected) in [
            // Slots, pages of each and the ring's order.
            (1, 1, 4, 256, (1, 1, 0)),
            (32, 256, 4, 256, (32, 256, 0)),
            (33, 256, 4, 256, (33, 256, 1)),
            (4, 512, 4, 256, (8, 256, 0)),
            (16, 512, 4, 256, (32, 256, 0)),
            (17, 512, 4, 256, (34, 256, 1)),
            (1, 513, 0, 256, (3, 256, 0)),
            (1, 4096, 4, 4096, (1, 4096, 0)),
            (1024, 1, 4, 11, (512, 1, 4)),
            (1024, 1, 0, 11, (32, 1, 0)),
            (u32::MAX, 2, 0, 1, (32, 1, 0)),
            // More than a ring of one page has entries, which is one request whole.
            (1, 4096, 0, 11, (373, 11, 0)),
            (9, 4096, 4, 11, (512, 11, 4)),
            (1, 512, 4, 11, (47, 11, 1)),
            (1, 4096, 4, 11, (373, 11, 4)),
        ] {
            let fit = fit(slots, pages, order, segments);
            let found = (fit.slots, fit.pages_per_slot, fit.ring_order);
            assert_eq!(found, expected, "{slots} of {pages}");
        }
    }

    #[test]
    fn queues_that_the_backend_lacks_leave_their_requests_to_the_others() {
        for (queues, slots, queues_max, expected) in [
            // Queues, slots of each and the ring's order.
            (4, 8, 4, (4, 8, 0)),
            (4, 8, 32, (4, 8, 0)),
            (4, 8, 3, (3, 11, 0)),
            (4, 8, 2, (2, 16, 0)),
            (4, 9, 1, (1, 36, 1)),
            (32, 1, 31, (31, 2, 0)),
            (2, 512, 1, (1, 512, 4)),
            (32, u32::MAX, 1, (1, 512, 4)),
        ] {
            let setup = Setup { grants: GrantMode::Persistent, queues, slots, ..Setup::ONE };
            let offer = Offer { ring_order_max: 4, queues_max, segments_max: 11, trusted: true };
            let fit = setup.fit(&offer, ENOUGH);
            let found = (fit.queues, fit.slots, fit.ring_order);
            assert_eq!(found, expected, "{slots} on each of {queues}, of which {queues_max}");
        }
    }

    #[test]
    fn no_queue_has_slots_for_more_requests_than_are_wanted_in_all() {
        for (queues_max, slots) in [(32, 16), (2, 16), (1, 16)] {
            let setup = Setup { queues: 32, slots: 16, requests_max: 16, ..Setup::ONE };
            let offer = Offer { ring_order_max: 4, queues_max, segments_max: 11, trusted: true };
            let fit = setup.fit(&offer, ENOUGH);
            assert_eq!((fit.queues, fit.slots, fit.ring_order), (queues_max, slots, 0));
        }
    }

    #[test]
    fn slots_are_as_many_as_there_is_room_for() {
        use GrantMode::{Persistent, PersistentCopy};
        for (grants, queues, slots, pages_per_slot, segments_max, [pages, most], expected) in [
            // Slots of each queue, of pages, and the ring's order.
            (Persistent, 1, 512, 12, 256, [u64::MAX, 16 + 512 * 13], (512, 12, 4)),
            (Persistent, 1, 512, 12, 256, [u64::MAX, 16 + 512 * 13 - 1], (511, 12, 4)),
            (Persistent, 1, 512, 12, 256, [16 + 512 * 13 - 1, u64::MAX], (511, 12, 4)),
            // Two requests of 11 pages make up for one of 12.
            (Persistent, 1, 100, 12, 11, [u64::MAX, 8 * 163], (118, 11, 2)),
            (Persistent, 1, 100, 12, 11, [u64::MAX, 8 * 163 - 1], (117, 11, 2)),
            (Persistent, 1, 100, 12, 11, [u64::MAX, 8 + 200 * 11], (200, 11, 3)),
            (Persistent, 2, 40, 1, 11, [60, u64::MAX], (29, 1, 0)),
            // Each queue has whole lines of entries.
            (Persistent, 2, 40, 1, 11, [u64::MAX, 2 * 32], (31, 1, 0)),
            (Persistent, 2, 40, 1, 11, [u64::MAX, 2 * 32 - 1], (23, 1, 0)),
            // Private pages are granted to nobody.
            (PersistentCopy, 1, 32, 12, 256, [1 + 32 * 25, 8 * 53], (32, 12, 0)),
            (PersistentCopy, 1, 32, 12, 256, [32 * 25, 8 * 53], (31, 12, 0)),
            (PersistentCopy, 1, 32, 12, 256, [1 + 32 * 25, 8 * 53 - 1], (31, 12, 0)),
            // One whole request, whatever there is.
            (Persistent, 1, 512, 4096, 4096, [0, 0], (1, 4096, 0)),
            (Persistent, 1, 512, 4096, 256, [16 * 257, 0], (16, 256, 0)),
            (Persistent, 2, 512, 1, 11, [0, 0], (1, 1, 0)),
            // Two queues, or else one with all that there is room for.
            (Persistent, 2, 1, 512, 256, [2 * (1 + 2 * 257), u64::MAX], (2, 256, 0)),
            (Persistent, 2, 1, 512, 256, [2 * (1 + 2 * 257) - 1, u64::MAX], (4, 256, 0)),
        ] {
            let setup = Setup { grants, queues, slots, pages_per_slot, ..Setup::ONE };
            let offer = Offer { ring_order_max: 4, queues_max: 32, segments_max, trusted: true };
            let room = Room { pages, grants: most };
            let fit = setup.fit(&offer, room);
            let found = (fit.slots, fit.pages_per_slot, fit.ring_order);
            assert_eq!(found, expected, "{setup:?}, {room:?}");
        }
    }

    #[test]
    fn queues_are_as_many_as_there_is_room_for_a_whole_request_on() {
        let setup = Setup { queues: 4, slots: 2, pages_per_slot: 512, ..Setup::ONE };
        let offer = Offer { ring_order_max: 4, queues_max: 4, segments_max: 256, trusted: true };
        let queue = 1 + 2 * 257;
        for (pages, queues) in
            [(4 * queue, 4), (4 * queue - 1, 3), (2 * queue, 2), (2 * queue - 1, 1), (0, 1)]
        {
            let fit = setup.fit(&offer, Room { pages, grants: u64::MAX });
            assert_eq!(fit.queues, queues, "{pages}");
        }
    }

    #[test]
    fn a_setup_takes_what_it_has_slots_for() {
        for (grants, queues, slots, pages_per_slot, takes) in [
            // Pages, and lines of grants.
            (GrantMode::Persistent, 1, 1, 1, [2, 1]),
            (GrantMode::Persistent, 1, 7, 1, [8, 1]),
            (GrantMode::Persistent, 1, 8, 1, [9, 2]),
            (GrantMode::PerRequest, 1, 33, 11, [2 + 33 * 11, 46]),
            (GrantMode::Persistent, 3, 32, 12, [3 * (1 + 32 * 13), 3 * 53]),
            (GrantMode::PersistentCopy, 2, 2, 4096, [2 * (1 + 2 * 8200), 2 * 1027]),
            (GrantMode::Persistent, 1, 60_000, 1, [16 + 512, 66]),
        ] {
            let setup = Setup { grants, queues, slots, pages_per_slot, ..Setup::ONE };
            let [pages, lines] = takes;
            let takes = Room { pages, grants: 8 * lines };
            assert_eq!(setup.takes(&Offer::MOST).room, takes, "{setup:?}");
        }
    }

    #[test]
    fn no_offer_takes_less_than_the_least_or_more_than_the_most() {
        let pairs = [0, 1, 4].into_iter().flat_map(|order| [1, 2, 3, 31, 32].map(|n| (order, n)));
        let triples = pairs.flat_map(|pair| [11, 12, 256, 513, 4096].map(|n| (pair, n)));
        let offers: Vec<Offer> = triples
            .flat_map(|triple| [true, false].map(|trusted| (triple, trusted)))
            .map(|(((ring_order_max, queues_max), segments_max), trusted)| Offer {
                ring_order_max,
                queues_max,
                segments_max,
                trusted,
            })
            .collect();
        let sizes = [1, 2, 11, 12, 23, 64, 256, 257, 512, 513, 4096];
        for (pages_per_slot, slots) in
            sizes.into_iter().flat_map(|n| [1, 3, 33, 600].map(|m| (n, m)))
        {
            for (queues, grants) in [1, 4, 32].into_iter().zip(GrantMode::ALL) {
                let setup = Setup { grants, queues, slots, pages_per_slot, ..Setup::ONE };
                let least = setup.takes_least();
                let most = [false, true].map(|trusted| setup.takes_most(trusted));
                for offer in &offers {
                    let takes = setup.takes(offer);
                    let within = |less: Takes, more: Takes| {
                        less.room.is_within(more.room)
                            && less.slots <= more.slots
                            && less.heap_bytes <= more.heap_bytes
                    };
                    assert!(within(least, takes), "{setup:?}, {offer:?}: {least:?}, {takes:?}");
                    let most = most[usize::from(offer.trusted)];
                    let is_usual = [11, SEGMENTS_USUAL, 4096].contains(&offer.segments_max);
                    let is_most = within(takes, most) || !is_usual;
                    assert!(is_most, "{setup:?}, {offer:?}: {most:?}, {takes:?}");
                }
            }
        }
    }

    #[test]
    fn requests_have_no_more_segments_than_is_wanted_of_the_offer() {
        for (wanted, offered, expected) in [
            // Segments of a request, and slots for 64 pages.
            (0, 256, (11, 6)),
            (11, 256, (11, 6)),
            (12, 256, (12, 6)),
            (32, 256, (32, 2)),
            (256, 256, (256, 1)),
            (256, 32, (32, 2)),
            (4096, 11, (11, 6)),
        ] {
            let setup = Setup { pages_per_slot: 64, segments_max: wanted, ..Setup::ONE };
            let offer =
                Offer { ring_order_max: 4, queues_max: 1, segments_max: offered, trusted: true };
            let fit = setup.fit(&offer, ENOUGH);
            let found = (fit.request_bytes_max / 4096, fit.slots);
            assert_eq!(found, expected, "{wanted} of {offered}");
            assert!(fit.pages_per_slot <= expected.0 as usize);
        }
    }

    #[test]
    fn segments_beyond_a_request_have_pages() {
        let pages = [1, 11, 12, 512, 513, 4096].map(indirect_pages);
        assert_eq!(pages, [0, 0, 1, 1, 2, 8]);
    }
}
