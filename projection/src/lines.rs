//! Cache lines: who has a copy, and how long it takes to get one.
//!
//! The model is MESI in its costs: a line is modified in one processor's cache, or clean in those
//! of several. A processor that has what it needs pays nothing; else the line comes from another,
//! after a time that depends on the distance. Transfers of a modified line, and those that make it
//! one, are one after the other, in the order in which they were asked for; copies of a clean line
//! are not.

/// Most processors that lines know.
pub const CACHES_MAX: usize = 512;
const WORDS: usize = CACHES_MAX / 64;

/// Set of processors.
type Caches = [u64; WORDS];

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
    /// Socket of each processor, and the processors of each.
    sockets: Vec<usize>,
    members: Vec<Caches>,
    latencies: Latencies,
    lines: Vec<Line>,
    transfers: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// Processors that have a copy.
    holders: Caches,
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

    /// Returns whether another has a copy among these processors, and among all else.
    fn others(&self, cpu: usize, near: &Caches) -> (bool, bool) {
        let (mut is_near, mut is_far) = (false, false);
        for (at, (word, near)) in self.holders.iter().zip(near).enumerate() {
            let own = if at == cpu / 64 { 1 << (cpu % 64) } else { 0 };
            let word = word & !own;
            is_near |= word & near != 0;
            is_far |= word & !near != 0;
        }
        (is_near, is_far)
    }
}

impl Lines {
    /// Creates so many lines for the processors of some sockets, at most [`CACHES_MAX`].
    pub fn new(sockets: Vec<usize>, latencies: Latencies, count: usize) -> Self {
        let count_of_sockets = sockets.iter().max().map_or(0, |most| most + 1);
        let mut members = vec![[0; WORDS]; count_of_sockets];
        for (cpu, socket) in sockets.iter().enumerate() {
            members[*socket][cpu / 64] |= 1 << (cpu % 64);
        }
        Self { sockets, members, latencies, lines: vec![Line::default(); count], transfers: 0 }
    }

    /// Accesses a line at a time that is not before that of the access before; returns when that is
    /// done.
    pub fn access(&mut self, line: usize, cpu: usize, access: Access, now: u64) -> u64 {
        let found = &mut self.lines[line];
        let atomic = if access == Access::Rmw { self.latencies.atomic } else { 0 };
        let is_alone = found.is_modified && found.has(cpu);
        if is_alone || (access == Access::Load && found.has(cpu)) {
            return now + atomic;
        }
        self.transfers += 1;
        let (is_near, is_far) = found.others(cpu, &self.members[self.sockets[cpu]]);
        let Latencies { socket, remote, .. } = self.latencies;
        let far = [is_near.then_some(socket), is_far.then_some(remote)].into_iter().flatten();
        let time = match access {
            // The nearest copy will do; all have to go for a write.
            Access::Load => far.min(),
            _ => far.max(),
        };
        let is_nowhere = !found.has(cpu) && time.is_none();
        let time = time.unwrap_or(if is_nowhere { self.latencies.remote } else { 0 });
        let done = now.max(found.free_at) + time + atomic;
        match access {
            Access::Load => {
                if found.is_modified {
                    found.free_at = done;
                }
                found.is_modified = false;
            }
            _ => {
                found.holders = [0; WORDS];
                (found.is_modified, found.free_at) = (true, done);
            }
        }
        found.add(cpu);
        done
    }

    /// Returns the number of transfers so far.
    pub const fn transfers(&self) -> u64 {
        self.transfers
    }
}
