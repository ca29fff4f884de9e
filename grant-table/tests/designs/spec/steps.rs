//! The steps of the operations.

use grant_table::{Access, Status, Version};

use super::entry::permission;
use super::{Rules, Since, Slot, TRIES, World};
use crate::ops::{Answer, Op, Place};

/// Place of an operation in its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Start,
    /// A use begins: its entry, and what it is for.
    Pin(Place, Access, Goal),
    /// Marks of version 2 are made; the status was this.
    Look(Place, Access, Goal, u32),
    /// The entry is marked.
    Frame(Place, Access, Goal),
    /// A record is to be written down.
    Record(u32, Place, Access, u32),
    /// A handle goes back.
    Put(u32, Answer),
    /// A copy gives back its target, and its source.
    CopyDone(Answer),
    CopySourceDone(Answer),
    /// The words of entries are cleared, this one next.
    Clear(u32),
    /// The second half of what a domain does.
    Second,
    End(Answer),
}

/// Purpose of a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    Map(u32),
    /// Source of a copy, whose target is this.
    CopySource(Place),
    /// Target of a copy, whose source has this frame.
    CopyTarget(u32),
}

/// States that may come next.
pub type Next = Vec<(World, At)>;

fn fail(why: Status) -> At {
    At::End(Answer::Failed(why))
}

impl World {
    /// Returns what may come after a step of an operation that is known to be answered by
    /// `answer`; nothing while it has to wait.
    pub fn step(&self, rules: &Rules, op: Op, at: At, since: Since, answer: Answer) -> Next {
        let mut world = self.clone();
        match at {
            At::Start => self.start(rules, op, since, answer),
            At::Pin(place, access, goal) => {
                self.pin(rules, by(op), (place, access, goal), since, answer)
            }
            At::Look(place, access, goal, before) => {
                let entry = world.entry(place);
                let next = match entry.permits(by(op), access) {
                    Ok(()) => At::Frame(place, access, goal),
                    Err(why) => {
                        entry.status = before;
                        entry.is_held = false;
                        refused(goal, why)
                    }
                };
                vec![(world, next)]
            }
            At::Frame(place, access, goal) => {
                world.entry(place).is_held = false;
                world.pinned(rules, by(op), place, access, goal)
            }
            At::Record(handle, place, access, frame) => {
                world.domains[usize::from(by(op))].handles[handle as usize] =
                    Slot::Mapped(place, access);
                vec![(world, At::End(Answer::Mapped(handle, frame)))]
            }
            At::Put(handle, answer) => {
                world.domains[usize::from(by(op))].handles[handle as usize] = Slot::Free;
                vec![(world, At::End(answer))]
            }
            At::CopyDone(answer) => match op {
                Op::Copy { to, .. } => self.unpin(to, Access::Write, At::CopySourceDone(answer)),
                _ => unreachable!("only copies do"),
            },
            At::CopySourceDone(answer) => match op {
                Op::Copy { from, .. } => self.unpin(from, Access::Read, At::End(answer)),
                _ => unreachable!("only copies do"),
            },
            At::Clear(word) => self.clear(rules, op, word),
            At::Second => self.second(op),
            At::End(_) => vec![],
        }
    }

    fn start(&self, rules: &Rules, op: Op, since: Since, answer: Answer) -> Next {
        let mut world = self.clone();
        if let Err(why) = self.check_domains(&domains(op)) {
            return vec![(world, fail(why))];
        }
        let next = match op {
            Op::Map { by, place, access } => {
                return self.take_handle(rules, (by, place, access), since, answer);
            }
            Op::Unmap { by, handle } => return self.unmap(by, handle),
            Op::Copy { from, to, .. } => At::Pin(from, Access::Read, Goal::CopySource(to)),
            Op::Size { of } => {
                let frames = self.domains[usize::from(of)].frames;
                At::End(Answer::Size(frames, rules.config.frames_max))
            }
            Op::Grow { of, frames } => {
                let domain = &mut world.domains[usize::from(of)];
                if frames > rules.config.frames_max {
                    fail(Status::Full)
                } else if domain.is_changing {
                    return vec![];
                } else if frames <= domain.frames {
                    At::End(Answer::Done)
                } else {
                    domain.is_changing = true;
                    At::Clear(domain.frames * rules.config.entries_per_frame * 2)
                }
            }
            Op::SetVersion { of, version } => {
                let domain = &mut world.domains[usize::from(of)];
                if domain.is_changing {
                    return vec![];
                } else if domain.version == version {
                    At::End(Answer::Done)
                } else if domain.entries.iter().any(|entry| entry.used.is_some() && !entry.is_held)
                {
                    fail(Status::Busy)
                } else if domain.entries.iter().any(|entry| entry.is_held) {
                    return vec![];
                } else {
                    domain.is_changing = true;
                    domain.entries.iter_mut().for_each(|entry| entry.is_held = true);
                    At::Clear(0)
                }
            }
            _ => return self.own(op),
        };
        vec![(world, next)]
    }

    /// Takes the first step of what a domain does to its own entries.
    fn own(&self, op: Op) -> Next {
        let mut world = self.clone();
        let next = match op {
            Op::Permit { place, frame, .. } => {
                world.entry(place).frame = frame;
                At::Second
            }
            Op::Revoke { place, version: Version::One } => {
                let entry = world.entry(place);
                if entry.is_marked(Version::One) {
                    At::End(Answer::StillMapped)
                } else {
                    entry.header = 0;
                    At::End(Answer::Done)
                }
            }
            Op::Revoke { place, version: Version::Two } => {
                world.entry(place).header = 0;
                At::Second
            }
            Op::Scribble { place, header } => {
                world.entry(place).header = header;
                At::End(Answer::Done)
            }
            Op::IsInUse { place, version } => {
                At::End(Answer::InUse(world.entry(place).is_marked(version)))
            }
            _ => unreachable!("it is a hypercall"),
        };
        vec![(world, next)]
    }

    fn second(&self, op: Op) -> Next {
        let mut world = self.clone();
        let answer = match op {
            Op::Permit { place, grantee, access, .. } => {
                world.entry(place).header = permission(grantee, access);
                Answer::Done
            }
            Op::Revoke { place, .. } if world.entry(place).is_marked(Version::Two) => {
                Answer::StillMapped
            }
            _ => Answer::Done,
        };
        vec![(world, At::End(answer))]
    }

    fn take_handle(
        &self,
        rules: &Rules,
        (by, place, access): (u16, Place, Access),
        since: Since,
        answer: Answer,
    ) -> Next {
        let handles = &self.domains[usize::from(by)].handles;
        let free = |handle: &u32| handles[*handle as usize] == Slot::Free;
        let mut next: Next = (0..handles.len() as u32)
            .filter(free)
            .filter(|handle| !matches!(answer, Answer::Mapped(got, _) if got != *handle))
            .map(|handle| {
                let mut world = self.clone();
                world.domains[usize::from(by)].handles[handle as usize] = Slot::Taken;
                (world, At::Pin(place, access, Goal::Map(handle)))
            })
            .collect();
        let now = handles.iter().all(|slot| *slot != Slot::Free);
        let in_turn = rules.facts.lists
            && handles.len() <= 64
            && (0..handles.len()).all(|handle| since.taken & 1 << handle != 0);
        if now || in_turn {
            next.push((self.clone(), fail(Status::Full)));
        }
        next
    }

    fn pin(
        &self,
        rules: &Rules,
        by: u16,
        (place, access, goal): (Place, Access, Goal),
        since: Since,
        answer: Answer,
    ) -> Next {
        let mut world = self.clone();
        let domain = &self.domains[usize::from(place.0)];
        if place.1 >= domain.frames * rules.config.entries_per_frame {
            return vec![(world, refused(goal, Status::BadRef))];
        }
        let version = domain.version;
        let entry = world.entry(place);
        if entry.is_held {
            return vec![];
        }
        match entry.needs_marks(by, access) {
            Err(why) => return vec![(world, refused(goal, why))],
            Ok(false) => return world.pinned(rules, by, place, access, goal),
            Ok(true) => {}
        }
        if let Err(why) = entry.permits(by, access) {
            return vec![(world, refused(goal, why))];
        }
        let mut next = vec![];
        let stores = since.stores[usize::from(matches!(goal, Goal::CopyTarget(_)))];
        if version == Version::One && stores >= TRIES && answer == Answer::Failed(Status::Unstable)
        {
            next.push((self.clone(), refused(goal, Status::Unstable)));
        }
        let before = entry.status;
        entry.mark(version, access);
        entry.is_held = true;
        next.push(match version {
            Version::One => (world, At::Frame(place, access, goal)),
            Version::Two => (world, At::Look(place, access, goal, before)),
        });
        next
    }

    /// Counts a use that may be.
    fn pinned(mut self, rules: &Rules, by: u16, place: Place, access: Access, goal: Goal) -> Next {
        let frame = self.entry(place).pin(by, access);
        let next = match goal {
            Goal::Map(handle) if rules.facts.late_record => {
                At::Record(handle, place, access, frame)
            }
            Goal::Map(handle) => {
                self.domains[usize::from(by)].handles[handle as usize] =
                    Slot::Mapped(place, access);
                At::End(Answer::Mapped(handle, frame))
            }
            Goal::CopySource(target) => At::Pin(target, Access::Write, Goal::CopyTarget(frame)),
            Goal::CopyTarget(source) => At::CopyDone(Answer::Copied(source, frame)),
        };
        vec![(self, next)]
    }

    fn unmap(&self, by: u16, handle: u32) -> Next {
        let mut world = self.clone();
        let slot = world.domains[usize::from(by)].handles.get_mut(handle as usize);
        let Some(slot) = slot else { return vec![(world, fail(Status::BadHandle))] };
        let Slot::Mapped(place, access) = *slot else {
            return vec![(world, fail(Status::BadHandle))];
        };
        *slot = Slot::Taken;
        world.unpin(place, access, At::Put(handle, Answer::Done))
    }

    fn unpin(&self, place: Place, access: Access, next: At) -> Next {
        let mut world = self.clone();
        let version = world.version(place);
        let entry = world.entry(place);
        if entry.is_held {
            return vec![];
        }
        entry.unpin(version, access);
        vec![(world, next)]
    }

    /// Clears the next word of a table's entries: headers have even numbers, all else is odd.
    fn clear(&self, rules: &Rules, op: Op, word: u32) -> Next {
        let mut world = self.clone();
        let per_frame = rules.config.entries_per_frame;
        let (of, entries) = match op {
            Op::Grow { of, frames } => (of, frames * per_frame),
            Op::SetVersion { of, .. } => (of, rules.config.frames_max * per_frame),
            _ => unreachable!("only these clear"),
        };
        if word < entries * 2 {
            let entry = world.entry((of, word / 2));
            if word.is_multiple_of(2) {
                entry.header = 0;
            } else {
                entry.frame = 0;
                entry.status = 0;
            }
            return vec![(world, At::Clear(word + 1))];
        }
        let domain = &mut world.domains[usize::from(of)];
        domain.is_changing = false;
        match op {
            Op::SetVersion { version, .. } => {
                domain.version = version;
                domain.entries.iter_mut().for_each(|entry| entry.is_held = false);
            }
            _ => domain.frames = entries / per_frame,
        }
        vec![(world, At::End(Answer::Done))]
    }
}

/// Returns what follows a use that may not be.
fn refused(goal: Goal, why: Status) -> At {
    let answer = Answer::Failed(why);
    match goal {
        Goal::Map(handle) => At::Put(handle, answer),
        Goal::CopySource(_) => At::End(answer),
        Goal::CopyTarget(_) => At::CopySourceDone(answer),
    }
}

/// Domain that calls.
fn by(op: Op) -> u16 {
    match op {
        Op::Map { by, .. } | Op::Unmap { by, .. } | Op::Copy { by, .. } => by,
        _ => unreachable!("it uses no entry"),
    }
}

/// Domains that an operation names.
fn domains(op: Op) -> Vec<u16> {
    match op {
        Op::Map { by, place, .. } => vec![by, place.0],
        Op::Unmap { by, .. } => vec![by],
        Op::Copy { by, from, to } => vec![by, from.0, to.0],
        Op::Size { of } | Op::Grow { of, .. } | Op::SetVersion { of, .. } => vec![of],
        Op::Permit { place, .. }
        | Op::Revoke { place, .. }
        | Op::Scribble { place, .. }
        | Op::IsInUse { place, .. } => vec![place.0],
    }
}
