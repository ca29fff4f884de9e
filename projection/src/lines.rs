//! Cache lines: who has a copy, and how long it takes to get one.
//!
//! The model is MESI in its costs: a line is modified in one processor's cache, or clean in those
//! of several. A processor that has what it needs pays nothing; else the line comes from another,
//! after a time that depends on the distance. Transfers of a modified line, and those that make it
//! one, are one after the other, in the order in which they were asked for; copies of a clean line
//! are not.

/// Most processors that lines know.
pub const CACHES_MAX: usize = 1024;
const WORDS: usize = CACHES_MAX / 64;

/// Times in picoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// Transfer between cores of a socket.
    pub socket: u64,
    /// Transfer between sockets.
    pub remote: u64,
    /// Locked instruction on a line that the processor has for itself.
    pub atomic: u64,
}

/// Kind of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Plain load.
    Load,
    /// Plain store.
    Store,
    /// Locked instruction, which takes the line for itself whether or not it changes it.
    Rmw,
}

/// Lines that processors share. All are in memory only at first, which costs what the farthest
/// cache does.
#[derive(Debug)]
pub struct Lines {
    /// Socket of each processor.
    sockets: Vec<usize>,
    latencies: Latencies,
    lines: Vec<Line>,
    transfers: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// Processors that have a copy.
    holders: [u64; WORDS],
    /// Whether that is one, and its copy is not the memory's.
    is_modified: bool,
    /// Time at which the last transfer is over.
    free_at: u64,
}

impl Line {
    fn has(&self, cpu: usize) -> bool {
        self.holders[cpu / 64] >> (cpu % 64) & 1 != 0
    }

    fn add(&mut self, cpu: usize) {
        self.holders[cpu / 64] |= 1 << (cpu % 64);
    }

    fn others(&self, cpu: usize) -> impl Iterator<Item = usize> {
        let words = self.holders.into_iter().enumerate().filter(|(_, word)| *word != 0);
        let all = words.flat_map(|(at, word)| {
            (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| at * 64 + bit)
        });
        all.filter(move |other| *other != cpu)
    }
}

impl Lines {
    /// Creates so many lines for the processors of some sockets, at most [`CACHES_MAX`].
    pub fn new(sockets: Vec<usize>, latencies: Latencies, count: usize) -> Self {
        Self { sockets, latencies, lines: vec![Line::default(); count], transfers: 0 }
    }

    /// Accesses a line at a time that is not before that of the access before; returns when that is
    /// done.
    pub fn access(&mut self, line: usize, cpu: usize, access: Access, now: u64) -> u64 {
        let found = self.lines[line];
        let atomic = if access == Access::Rmw { self.latencies.atomic } else { 0 };
        let is_alone = found.is_modified && found.has(cpu);
        if is_alone || (access == Access::Load && found.has(cpu)) {
            return now + atomic;
        }
        self.transfers += 1;
        let far = found.others(cpu).map(|other| self.distance(cpu, other));
        let time = match access {
            // The nearest copy will do; all have to go for a write.
            Access::Load => far.min(),
            _ => far.max(),
        };
        let is_nowhere = !found.has(cpu) && time.is_none();
        let time = time.unwrap_or(if is_nowhere { self.latencies.remote } else { 0 });
        let done = now.max(found.free_at) + time + atomic;
        let line = &mut self.lines[line];
        match access {
            Access::Load => {
                if line.is_modified {
                    line.free_at = done;
                }
                line.is_modified = false;
            }
            _ => {
                line.holders = [0; WORDS];
                (line.is_modified, line.free_at) = (true, done);
            }
        }
        line.add(cpu);
        done
    }

    /// Returns the number of transfers so far.
    pub const fn transfers(&self) -> u64 {
        self.transfers
    }

    fn distance(&self, one: usize, other: usize) -> u64 {
        let is_near = self.sockets[one] == self.sockets[other];
        if is_near { self.latencies.socket } else { self.latencies.remote }
    }
}
