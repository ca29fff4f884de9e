//! The barrier before each stage of jobs: who waits there, who is late, and when it opens.

use std::time::{Duration, Instant};

/// Barrier for guests, which are known by their index.
#[derive(Debug)]
pub struct Barrier {
    /// Number of stages.
    stages: u32,
    /// Stage that starts next, from 1.
    next: u32,
    /// Longest time that others wait for a guest that shows no progress.
    patience: Duration,
    places: Vec<Place>,
}

/// Place of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Not running yet.
    Before,
    /// Away since this time, or seen to make progress then.
    Away(Instant),
    Waiting,
    /// Waited for no more.
    Gone,
}

impl Barrier {
    /// Begins with so many guests, none of which runs.
    pub fn new(guests: usize, stages: u32, patience: Duration) -> Self {
        Self { stages, next: 1, patience, places: vec![Place::Before; guests] }
    }

    /// Notes that a guest runs from now on.
    pub fn begin(&mut self, guest: usize, now: Instant) {
        self.place(guest, |place| if place == Place::Before { Place::Away(now) } else { place });
    }

    /// Notes that a guest works on its jobs. Before the first stage there are none to work on.
    pub fn progress(&mut self, guest: usize, now: Instant) {
        if self.next > 1 {
            self.place(guest, |place| match place {
                Place::Away(_) => Place::Away(now),
                place => place,
            });
        }
    }

    /// Notes that a guest waits to start this stage.
    ///
    /// # Errors
    /// Why it can't.
    pub fn arrive(&mut self, guest: usize, stage: u32) -> Result<(), String> {
        let Self { next, stages, .. } = *self;
        if stage != next || next > stages {
            return Err(match next > stages {
                true => {
                    format!("it waits to start stage {stage} of {stages}, which all have begun")
                }
                false => format!("it waits to start stage {stage} of {stages}, but {next} is next"),
            });
        }
        self.place(guest, |place| if place == Place::Gone { place } else { Place::Waiting });
        Ok(())
    }

    /// Notes that a guest has come to its end, or is given up.
    pub fn leave(&mut self, guest: usize) {
        self.place(guest, |_| Place::Gone);
    }

    fn place(&mut self, guest: usize, change: impl Fn(Place) -> Place) {
        if let Some(place) = self.places.get_mut(guest) {
            *place = change(*place);
        }
    }

    /// Returns when the others have waited long enough for a guest, for each that they wait for.
    fn deadlines(&self) -> impl Iterator<Item = (usize, Instant)> + '_ {
        // Guests that all work on their jobs wait for nobody.
        let is_awaited = self.next == 1 || self.waiting() != 0;
        let away = self.places.iter().enumerate().filter_map(|(guest, place)| match place {
            Place::Away(seen) => Some((guest, *seen + self.patience)),
            _ => None,
        });
        away.filter(move |_| is_awaited)
    }

    /// Returns the guests that are late.
    pub fn late(&self, now: Instant) -> Vec<usize> {
        self.deadlines().filter(|(_, at)| now >= *at).map(|(guest, _)| guest).collect()
    }

    /// Returns when the next guest will be late.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines().map(|(_, at)| at).min()
    }

    /// Returns whether all who still come are there.
    pub fn is_full(&self) -> bool {
        let is_there = |place: &Place| matches!(place, Place::Waiting | Place::Gone);
        self.waiting() != 0 && self.places.iter().all(is_there)
    }

    /// Opens if it is full; returns the stage that they start.
    pub fn open(&mut self, now: Instant) -> Option<u32> {
        if !self.is_full() {
            return None;
        }
        for place in &mut self.places {
            if *place == Place::Waiting {
                *place = Place::Away(now);
            }
        }
        self.next += 1;
        Some(self.next - 1)
    }

    /// Returns the number of guests that wait.
    pub fn waiting(&self) -> usize {
        self.places.iter().filter(|place| **place == Place::Waiting).count()
    }

    /// Returns the stage that starts next, from 1.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// Returns whether all stages have started.
    pub fn is_passed(&self) -> bool {
        self.next > self.stages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// A barrier at which so many guests run since the time that is returned.
    fn begun(guests: usize, stages: u32) -> (Barrier, Instant) {
        let now = Instant::now();
        let mut barrier = Barrier::new(guests, stages, PATIENCE);
        (0..guests).for_each(|guest| barrier.begin(guest, now));
        (barrier, now)
    }

    #[test]
    fn it_opens_when_all_are_there() {
        let (mut barrier, now) = begun(2, 2);
        assert_eq!((barrier.open(now), barrier.waiting()), (None, 0));
        barrier.arrive(1, 1).unwrap();
        assert_eq!((barrier.open(now), barrier.waiting()), (None, 1));
        barrier.arrive(0, 1).unwrap();
        assert_eq!((barrier.open(now), barrier.waiting()), (Some(1), 0));
        assert_eq!(barrier.open(now), None);
        assert!(!barrier.is_passed());
        (0..2).for_each(|guest| barrier.arrive(guest, 2).unwrap());
        assert_eq!((barrier.open(now), barrier.is_passed()), (Some(2), true));
    }

    #[test]
    fn a_guest_that_does_not_run_yet_is_waited_for() {
        let now = Instant::now();
        let mut barrier = Barrier::new(2, 1, PATIENCE);
        barrier.begin(0, now);
        barrier.arrive(0, 1).unwrap();
        assert_eq!((barrier.open(now), barrier.late(now + 2 * PATIENCE)), (None, vec![]));
        barrier.begin(1, now);
        barrier.leave(1);
        assert_eq!(barrier.open(now), Some(1));
    }

    #[test]
    fn nobody_starts_where_nobody_is_left() {
        let (mut barrier, now) = begun(2, 1);
        (0..2).for_each(|guest| barrier.leave(guest));
        assert_eq!((barrier.open(now), barrier.deadline()), (None, None));
    }

    #[test]
    fn a_guest_is_late_before_the_first_stage_whatever_it_prints() {
        let (mut barrier, now) = begun(2, 2);
        barrier.arrive(0, 1).unwrap();
        barrier.progress(1, now + PATIENCE);
        assert_eq!(barrier.deadline(), Some(now + PATIENCE));
        assert_eq!(barrier.late(now + PATIENCE - Duration::from_millis(1)), [0; 0]);
        assert_eq!(barrier.late(now + PATIENCE), [1]);
        barrier.leave(1);
        assert_eq!((barrier.late(now + PATIENCE), barrier.open(now)), (vec![], Some(1)));
    }

    #[test]
    fn later_a_guest_may_work_as_long_as_it_shows_progress() {
        let (mut barrier, now) = begun(2, 2);
        (0..2).for_each(|guest| barrier.arrive(guest, 1).unwrap());
        assert_eq!(barrier.open(now), Some(1));
        assert_eq!((barrier.deadline(), barrier.late(now + 9 * PATIENCE)), (None, vec![]));
        barrier.arrive(0, 2).unwrap();
        barrier.progress(1, now + PATIENCE);
        assert_eq!(barrier.late(now + PATIENCE), [0; 0]);
        assert_eq!(barrier.late(now + 2 * PATIENCE), [1]);
        barrier.arrive(1, 2).unwrap();
        assert_eq!(barrier.open(now), Some(2));
        assert_eq!(barrier.deadline(), None);
    }

    #[test]
    fn a_guest_waits_for_the_next_stage_and_no_other() {
        let (mut barrier, now) = begun(1, 2);
        for stage in [0, 2, u32::MAX] {
            let expected = format!("it waits to start stage {stage} of 2, but 1 is next");
            assert_eq!(barrier.arrive(0, stage), Err(expected));
        }
        barrier.arrive(0, 1).unwrap();
        barrier.open(now);
        assert!(barrier.arrive(0, 1).is_err());
        barrier.arrive(0, 2).unwrap();
        barrier.open(now);
        assert!(barrier.arrive(0, 3).unwrap_err().ends_with("which all have begun"));
        barrier.leave(0);
        assert_eq!(barrier.open(now), None);
    }
}
