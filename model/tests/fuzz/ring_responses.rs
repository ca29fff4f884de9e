//! Target: responses and `rsp_prod` of any value, against a queue pair with requests in flight.
//!
//! After the handshake the backend hears of nothing; the target maps pages and writes to the ring
//! in its place. What `poll` returns is compared with what stands in the ring at that moment.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use arbitrary::{Result, Unstructured};
use drivers::blkfront::{Broken, Completion, Disconnected, GrantMode, IoError, Operation, Setup};
use drivers::grant::Access;
use drivers::ring::ENTRIES;
use model::fixture::{Machine, XVDA};
use model::grants::Handle;
use model::guest::Device;
use model::memory::Memory;
use model::{Disk, Guest, ModelXen};
use xen_abi::blkif::{OP_DISCARD, OP_FLUSH_DISKCACHE, OP_READ, OP_WRITE, RSP_EOPNOTSUPP, RSP_OKAY};
use xen_abi::{DomId, Gfn};

use crate::draw::{number, seldom, several};

const SECTORS: u64 = 64;
const SLOTS: u32 = 8;
/// Layout of the ring's page (io/ring.h): indices, the first entry, and the size of an entry.
const REQ_PROD: usize = 0;
const REQ_EVENT: usize = 4;
const RSP_PROD: usize = 8;
const FIRST_ENTRY: usize = 64;
const ENTRY: usize = 112;

const OPERATIONS: [Operation; 4] =
    [Operation::Read, Operation::Write, Operation::Flush, Operation::Discard];

/// One thing that happens.
enum Step {
    Submit(Operation),
    Kick,
    /// The page of a request in flight is mapped, and stays so.
    Map(usize),
    /// This request in flight is answered with a status, as an honest backend would.
    Answer(usize, i16),
    /// An entry, counted from the next response on, gets parts of another id, operation or status.
    Write {
        entry: u32,
        id: Id,
        operation: Option<u8>,
        status: i16,
    },
    /// `rsp_prod` moves so far from the next response.
    Claim(u32),
    Poll,
}

/// The id of a response.
enum Id {
    /// The id of the request in flight with this number, whatever slot it has.
    InFlight(usize),
    /// The id of such a request, with some bits flipped.
    Near(usize, u64),
    Any(u64),
}

fn step(u: &mut Unstructured<'_>) -> Result<Step> {
    Ok(match u.int_in_range(0..=15)? {
        0..=3 => Step::Submit(*u.choose(&OPERATIONS)?),
        4 | 5 => Step::Kick,
        6..=9 => Step::Answer(u.arbitrary()?, if seldom(u, 4)? { u.arbitrary()? } else { 0 }),
        10 if seldom(u, 4)? => Step::Map(u.arbitrary()?),
        10 if seldom(u, 4)? => Step::Write {
            entry: u.int_in_range(0..=3)?,
            id: match u.int_in_range(0..=3)? {
                0 => Id::InFlight(u.arbitrary()?),
                1 => Id::Any(u.arbitrary()?),
                _ => Id::Near(u.arbitrary()?, 1 << u.int_in_range(0..=63)?),
            },
            operation: if u.arbitrary()? { Some(u.arbitrary()?) } else { None },
            status: u.arbitrary()?,
        },
        11 if seldom(u, 8)? => Step::Claim(number(u)? as u32),
        _ => Step::Poll,
    })
}

/// A request in flight, as the backend sees it.
struct Flight {
    slot: usize,
    id: u64,
    operation: u8,
    gref: Option<u32>,
    mapped: bool,
}

/// The backend's place at the ring, and what must come of it.
struct Backend {
    memory: Rc<Memory>,
    ring: Gfn,
    mode: GrantMode,
    flights: Vec<Flight>,
    mappings: Vec<Handle>,
    submitted: u32,
    published: u32,
    taken: u32,
    /// `rsp_prod` as `poll` last read it.
    seen: u32,
}

/// The two words of a response: its id, and operation and status.
struct Entry {
    id: u64,
    operation: u8,
    status: i16,
}

impl Backend {
    fn new(xen: &ModelXen, mode: GrantMode) -> Self {
        let world = xen.world();
        let path = format!("/local/domain/1/device/vbd/{XVDA}/ring-ref");
        let gref: usize = world.store.tree.text(&path).parse().expect("a connected ring");
        let entry = world.xen.memory.grant_table.iter().flatten().nth(gref).expect("its grant");
        let ring = Gfn(entry.frame.load(Ordering::SeqCst).into());
        let memory = Rc::clone(&world.xen.memory);
        memory.word(ring, REQ_EVENT).store(1 << 31, Ordering::SeqCst);
        Self {
            memory,
            ring,
            mode,
            flights: Vec::new(),
            mappings: Vec::new(),
            submitted: 0,
            published: 0,
            taken: 0,
            seen: 0,
        }
    }

    fn offset(index: u32) -> usize {
        FIRST_ENTRY + (index % ENTRIES) as usize * ENTRY
    }

    fn entry(&self, index: u32) -> Entry {
        let mut raw = [0; 16];
        self.memory.read(self.ring, Self::offset(index), &mut raw);
        let [id, rest] = [0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|n| raw[at + n])));
        Entry { id, operation: rest as u8, status: (rest >> 16) as i16 }
    }

    fn rsp_prod(&self) -> u32 {
        self.memory.word(self.ring, RSP_PROD).load(Ordering::SeqCst)
    }

    fn submit(&mut self, device: &mut Device<'_>, operation: Operation) {
        let Some(slot) = device.queues[0].acquire() else { return };
        let index = slot.index();
        let bytes = if operation == Operation::Flush { 0 } else { 4096 };
        device.queues[0].submit(slot, operation, 8, bytes);
        let mut raw = [0; 28];
        self.memory.read(self.ring, Self::offset(self.submitted), &mut raw);
        let id = u64::from_le_bytes(std::array::from_fn(|n| raw[8 + n]));
        let gref = u32::from_le_bytes(std::array::from_fn(|n| raw[24 + n]));
        let has_data = matches!(operation, Operation::Read | Operation::Write);
        let gref = has_data.then_some(gref);
        let operation = match operation {
            Operation::Read => OP_READ,
            Operation::Write => OP_WRITE,
            Operation::Flush => OP_FLUSH_DISKCACHE,
            Operation::Discard | Operation::SecureDiscard => OP_DISCARD,
        };
        self.flights.push(Flight { slot: index, id, operation, gref, mapped: false });
        self.submitted = self.submitted.wrapping_add(1);
    }

    fn write(&self, entry: u32, id: &Id, operation: Option<u8>, status: i16) {
        let flight = |n: usize| self.flights.get(n.checked_rem(self.flights.len())?);
        let (id, honest) = match *id {
            Id::InFlight(n) => flight(n).map_or((0, 0), |flight| (flight.id, flight.operation)),
            Id::Near(n, bits) => flight(n).map_or((0, 0), |f| (f.id ^ bits, f.operation)),
            Id::Any(id) => (id, 0),
        };
        let at = Self::offset(self.taken.wrapping_add(entry));
        let operation = operation.unwrap_or(honest);
        self.memory.write(self.ring, at, &id.to_le_bytes());
        self.memory.write(self.ring, at + 8, &[operation, 0xee]);
        self.memory.write(self.ring, at + 10, &status.to_le_bytes());
    }

    /// Answers a request, as long as there are more requests than responses.
    fn answer(&self, n: usize, status: i16) {
        let ahead = self.rsp_prod().wrapping_sub(self.taken);
        if ahead < self.published.wrapping_sub(self.taken) {
            self.write(ahead, &Id::InFlight(n), None, status);
            self.claim(ahead + 1);
        }
    }

    fn map(&mut self, xen: &ModelXen, n: usize) {
        let Some(index) = n.checked_rem(self.flights.len()) else { return };
        let flight = &mut self.flights[index];
        if let Some(gref) = flight.gref {
            let grants = &mut xen.world().xen.grants;
            let handle = grants.map(&self.memory, DomId(0), gref, Access::ReadOnly);
            self.mappings.push(handle.expect("pages in flight are granted"));
            flight.mapped = true;
        }
    }

    /// Gives all back, and lets the backend find nothing to do.
    fn end(&mut self, xen: &ModelXen) {
        let mut world = xen.world();
        for handle in self.mappings.drain(..) {
            world.xen.grants.unmap(&self.memory, handle);
        }
        self.memory.word(self.ring, REQ_PROD).store(0, Ordering::SeqCst);
    }

    fn claim(&self, ahead: u32) {
        let value = self.taken.wrapping_add(ahead);
        self.memory.word(self.ring, RSP_PROD).store(value, Ordering::SeqCst);
    }

    /// Polls once; whatever comes must be what the ring's content asks for.
    fn poll(&mut self, device: &mut Device<'_>) -> std::result::Result<(), Broken> {
        let entry = self.entry(self.taken);
        if self.taken == self.seen {
            let claimed = self.rsp_prod().wrapping_sub(self.taken);
            if claimed > self.published.wrapping_sub(self.taken) {
                let broken = device.queues[0].poll().expect_err("more responses than requests");
                assert!(matches!(broken, Broken::Overrun(_)), "{broken}");
                return Err(broken);
            }
            self.seen = self.rsp_prod();
        }
        let answer = device.queues[0].poll();
        if self.taken == self.seen {
            assert!(matches!(answer, Ok(None)), "{answer:?} out of an empty ring");
            return Ok(());
        }
        self.taken = self.taken.wrapping_add(1);
        let flight = self.flights.iter().position(|flight| flight.id == entry.id);
        let asked = flight.map(|index| self.flights[index].operation);
        match (answer, flight) {
            (Ok(Some(Completion { slot, result })), Some(index)) => {
                let flight = self.flights.swap_remove(index);
                assert_eq!((slot.index(), entry.operation), (flight.slot, flight.operation));
                assert!(!flight.mapped || self.mode != GrantMode::PerRequest);
                assert_eq!(result, expected(entry.status));
                device.queues[0].release(slot);
                Ok(())
            }
            (Err(broken @ Broken::ForeignId(id)), None) if id == entry.id => Err(broken),
            (Err(broken @ Broken::ForeignOperation { .. }), Some(_))
                if asked != Some(entry.operation) =>
            {
                Err(broken)
            }
            (Err(broken @ Broken::StillMapped), Some(index))
                if self.mode == GrantMode::PerRequest && self.flights[index].mapped =>
            {
                Err(broken)
            }
            (answer, _) => panic!("{answer:?} to id {:#x}, asked {asked:?}", entry.id),
        }
    }
}

fn expected(status: i16) -> std::result::Result<(), IoError> {
    match status {
        RSP_OKAY => Ok(()),
        RSP_EOPNOTSUPP => Err(IoError::NotSupported),
        status => Err(IoError::Failed(status)),
    }
}

/// Plays the steps until they end or the device is broken, which it then stays.
pub fn target(data: &[u8]) -> &'static str {
    let mut u = Unstructured::new(data);
    let case = u.choose(&GrantMode::ALL).and_then(|&mode| Ok((mode, several(&mut u, 200, step)?)));
    let Ok((mode, steps)) = case else {
        return "too short";
    };
    let xen = Machine::seeded(1).pages(32).grant_frames(1).disk(Disk::new(XVDA, SECTORS)).build();
    let mut guest = Guest::boot(&xen);
    let setup = Setup { grants: mode, slots: SLOTS, ..Setup::ONE };
    let mut device = guest.connect(XVDA, &setup).expect("an honest handshake");
    xen.pass_ns(1_000_000_000);
    let mut backend = Backend::new(&xen, mode);
    let mut outcome = Ok(());
    for step in steps {
        match step {
            Step::Submit(operation) => backend.submit(&mut device, operation),
            Step::Kick => {
                device.queues[0].kick(&xen).expect("the port is open");
                backend.published = backend.submitted;
            }
            Step::Map(n) => backend.map(&xen, n),
            Step::Answer(n, status) => backend.answer(n, status),
            Step::Write { entry, id, operation, status } => {
                backend.write(entry, &id, operation, status);
            }
            Step::Claim(ahead) => backend.claim(ahead),
            Step::Poll => outcome = backend.poll(&mut device),
        }
        if let Err(broken) = outcome {
            assert_eq!(device.queues[0].broken(), Some(broken));
            assert_eq!(device.queues[0].poll().expect_err("broken for good"), broken);
            break;
        }
    }
    backend.end(&xen);
    assert_eq!(guest.disconnect(device), Disconnected::default());
    match outcome {
        Ok(()) if backend.taken == 0 => "nothing completed",
        Ok(()) => "completed",
        Err(Broken::Overrun(_)) => "overrun",
        Err(Broken::ForeignId(_)) => "foreign id",
        Err(Broken::ForeignOperation { .. }) => "foreign operation",
        Err(Broken::StillMapped) => "still mapped",
        Err(Broken::EventChannel(_)) => "event channel",
    }
}
