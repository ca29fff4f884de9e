//! Long runs of one processor, whose operations are drawn: each answers as the spec does.

use fastrand::Rng;
use grant_table::{Access, Config, Cpu, Version};
use protocols::Native;

use crate::all::{Design, all};
use crate::ops::{Answer, Op, Place, perform};
use crate::search::alone;
use crate::spec::{Rules, World};

/// Domains that there are; one more is asked for.
const DOMAINS: u16 = 3;

/// Sizes at which all that can run out does.
pub const SMALL: Config = Config {
    domains: DOMAINS,
    cpus: 2,
    entries_per_frame: 2,
    frames: 1,
    frames_max: 2,
    handles_per_frame: 2,
    handle_frames_max: 2,
};

/// Draws operations for tables of some sizes.
#[derive(Debug)]
pub struct Draw {
    pub rng: Rng,
    pub config: Config,
    /// Whether what does not exist is asked for, too.
    pub wild: bool,
}

impl Draw {
    pub fn domain(&mut self) -> u16 {
        let more = u16::from(self.wild && self.rng.u8(..16) == 0);
        self.rng.u16(..self.config.domains + more)
    }

    fn owner(&mut self) -> u16 {
        self.rng.u16(..self.config.domains)
    }

    fn place(&mut self, of: u16) -> Place {
        let more = u32::from(self.wild && self.rng.u8(..16) == 0);
        let entries = self.config.frames_max * self.config.entries_per_frame;
        // The first is the one that is fought for.
        let gref = if self.rng.bool() { 0 } else { self.rng.u32(..entries + more) };
        (of, gref)
    }

    fn own_place(&mut self) -> Place {
        let of = self.owner();
        let wild = std::mem::take(&mut self.wild);
        let place = self.place(of);
        self.wild = wild;
        place
    }

    pub fn access(&mut self) -> Access {
        if self.rng.bool() { Access::Read } else { Access::Write }
    }

    fn version(&mut self) -> Version {
        if self.rng.bool() { Version::One } else { Version::Two }
    }

    fn foreign(&mut self) -> Place {
        let of = self.domain();
        self.place(of)
    }

    pub fn hypercall(&mut self) -> Op {
        let by = self.domain();
        match self.rng.u8(..20) {
            0..8 => Op::Map { by, place: self.foreign(), access: self.access() },
            8..14 => {
                let handles = self.config.handles_per_frame * self.config.handle_frames_max;
                Op::Unmap { by, handle: self.rng.u32(..handles + u32::from(self.wild)) }
            }
            14..16 => Op::Copy { by, from: self.foreign(), to: self.foreign() },
            16 => Op::Size { of: by },
            17 => Op::Grow { of: by, frames: self.rng.u32(..self.config.frames_max + 2) },
            _ => Op::SetVersion { of: by, version: self.version() },
        }
    }

    pub fn permit(&mut self, place: Place) -> Op {
        Op::Permit {
            place,
            grantee: self.owner(),
            frame: self.rng.u32(1..1000),
            access: if self.rng.u8(..4) == 0 { Access::Read } else { Access::Write },
        }
    }

    /// Draws what a domain does to its own memory.
    pub fn own(&mut self) -> Op {
        let place = self.own_place();
        match self.rng.u8(..16) {
            0..8 => self.permit(place),
            8..12 => Op::Revoke { place, version: self.version() },
            12..14 => {
                let flags = self.rng.u32(..32);
                Op::Scribble { place, header: u32::from(self.owner()) << 16 | flags }
            }
            _ => Op::IsInUse { place, version: self.version() },
        }
    }
}

fn run(design: &Design<Native>, seed: u64, calls: usize) -> usize {
    let rules = Rules { config: SMALL, facts: design.facts };
    let tables = (design.new)(SMALL);
    let mut cpus: Vec<Cpu> = (0..SMALL.cpus).map(Cpu::new).collect();
    let mut world = World::new(&SMALL);
    let mut draw = Draw { rng: Rng::with_seed(seed), config: SMALL, wild: true };
    let mut mapped = 0;
    for number in 0..calls {
        let op = if draw.rng.u8(..3) == 0 { draw.own() } else { draw.hypercall() };
        let cpu = draw.rng.usize(..SMALL.cpus);
        let answer = perform(&*tables, &mut cpus[cpu], op);
        mapped += usize::from(matches!(answer, Answer::Mapped(..)));
        world = alone(&rules, &world, op, answer).unwrap_or_else(|others| {
            panic!(
                "{}, seed {seed}, call {number}: {op:?} answers {answer:?}, not of {others:?}",
                design.name
            )
        });
    }
    mapped
}

#[test]
fn one_processor_is_answered_as_the_spec_answers() {
    for design in all() {
        let mapped: usize = (0..2000).map(|seed| run(&design, seed, 200)).sum();
        println!("{}: 2000 seeds, {mapped} mappings", design.name);
        assert!(mapped > 10_000, "{}: {mapped} mappings", design.name);
    }
}
