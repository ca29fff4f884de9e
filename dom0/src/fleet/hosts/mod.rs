//! `fleet --host`: guests of several hosts at once, each made by this same tool on its own host.
//!
//! `connection` is ssh, `talk` a program over it, `lines` and `words` what is said there. `peer` is
//! a host: it is given the `files`, and asked for its `clock`. This module lets all start at one
//! time, `found` checks what they say in the end, `merge` makes one result of it. `follow` is the
//! other end.

mod clock;
mod connection;
mod errand;
mod files;
mod follow;
mod found;
mod host;
mod lines;
mod merge;
mod peer;
mod start;
mod talk;
mod text;
mod words;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::event::Event;
use crate::signals::{Interrupts, Signals};
use crate::status::Status;
use crate::wait::Wait;
use connection::Connections;
use peer::Peer;
use words::Order;

pub use errand::Errand;
pub use files::Files;
pub use follow::Follower;
pub use found::Found;
pub use host::Host;
pub use merge::{by_host, merge};
pub use text::{is_of_lost, line, sums_of};

/// Time between two signs of life to each host.
const HERE_EVERY: Duration = Duration::from_secs(5);
/// Signals to which hosts still may answer.
const SIGNALS_MAX: u32 = 2;
/// Longest time for a host to undo what was done there before guests were made.
const UNDO_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the guests of all hosts; returns what they found, in their order.
///
/// # Errors
/// A host cannot be used, or a signal arrived before guests were made: there are none then.
pub fn run<'a>(
    errand: &'a Errand<'a>,
    signals: &Signals,
    status: &mut Status,
) -> Result<Vec<Found<'a>>> {
    let connections = Connections::open(errand.hosts, signals)?;
    let mut peers = Vec::new();
    let prepared = errand.hosts.iter().enumerate().try_for_each(|(index, host)| {
        let peer = Peer::begin(errand, index, host, &connections);
        peers.push(peer.with_context(|| host.to_string())?);
        Ok(())
    });
    let prepared = prepared.and_then(|()| prepare(errand, &mut peers, &connections, signals));
    if let Err(error) = prepared {
        finish(&mut peers, signals);
        return Err(error);
    }
    Ok(Leader { errand, peers, heeded: 0, heard: Instant::now() }.run(signals, status))
}

/// Ends what runs for the hosts. They are given some time to undo what was done there, or until
/// the next signal.
fn finish(peers: &mut [Peer<'_>], signals: &Signals) {
    let until = Instant::now() + UNDO_TIMEOUT;
    let before = signals.received().count;
    peers.iter_mut().for_each(Peer::hang_up);
    let is_over = || Instant::now() >= until || signals.received().count != before;
    peers.iter_mut().for_each(|peer| peer.finish(&is_over));
}

/// Prepares all hosts.
fn prepare(
    errand: &Errand<'_>,
    peers: &mut [Peer<'_>],
    connections: &Connections,
    signals: &Signals,
) -> Result<()> {
    let mut heard = Instant::now();
    loop {
        if signals.received().count != 0 {
            bail!("interrupted before there was a guest");
        }
        if heard.elapsed() >= HERE_EVERY {
            heard = Instant::now();
            let waiting = peers.iter_mut().filter(|peer| peer.is_prepared());
            waiting.for_each(|peer| peer.say(Order::Here));
        }
        let mut is_done = true;
        for (peer, host) in peers.iter_mut().zip(errand.hosts) {
            is_done &= peer.prepare(connections).with_context(|| host.to_string())?;
        }
        if is_done {
            return Ok(());
        }
        let mut wait = Wait::default();
        peers.iter().for_each(|peer| peer.wait_for(&mut wait));
        wait.wait(signals);
    }
}

/// Lead of all hosts.
struct Leader<'a> {
    errand: &'a Errand<'a>,
    peers: Vec<Peer<'a>>,
    /// Signals that were taken into account.
    heeded: u32,
    /// Time of the last sign of life.
    heard: Instant,
}

impl<'a> Leader<'a> {
    /// Lets the guests be made, and leads them to their ends.
    fn run(mut self, signals: &Signals, status: &mut Status) -> Vec<Found<'a>> {
        self.say(Order::Begin);
        let mut shown = String::new();
        loop {
            self.heed(signals.received(), status);
            let is_more = self.step();
            self.show(&mut shown, status);
            if self.peers.iter().all(Peer::is_ended) {
                break;
            }
            if self.heard.elapsed() >= HERE_EVERY {
                self.heard = Instant::now();
                self.say(Order::Here);
            }
            // Signals and signs of life wait for no host, however much it says.
            if is_more {
                continue;
            }
            let mut wait = Wait::default();
            wait.until(self.heard + HERE_EVERY);
            self.peers.iter().for_each(|peer| peer.wait_for(&mut wait));
            wait.wait(signals);
        }
        status.clear();
        finish(&mut self.peers, signals);
        let is_ending = self.heeded != 0;
        self.peers.into_iter().map(|peer| peer.found(is_ending)).collect()
    }

    /// Says something to all.
    fn say(&mut self, order: Order) {
        self.peers.iter_mut().filter(|peer| !peer.is_ended()).for_each(|peer| peer.say(order));
    }

    /// Passes on signals that have just arrived: the first asks all guests to report early, the
    /// second ends them at once, the third waits for no answer.
    fn heed(&mut self, interrupts: Interrupts, status: &mut Status) {
        let before = std::mem::replace(&mut self.heeded, interrupts.count);
        if before == 0 && interrupts.count != 0 {
            status.remark(crate::session::ENDING_EARLY);
        }
        (before..interrupts.count).for_each(|_| self.say(Order::Early));
        if interrupts.count > SIGNALS_MAX {
            let running = self.peers.iter_mut().filter(|peer| !peer.is_ended());
            running.for_each(|peer| peer.lose("it was not waited for".to_owned()));
        }
    }

    /// Takes what is there of all hosts; returns whether there may be more.
    fn step(&mut self) -> bool {
        let mut is_any = false;
        for peer in &mut self.peers {
            is_any |= peer.run();
        }
        is_any | (self.heeded == 0 && self.start())
    }

    /// Lets all start at one time, if all that still come are ready and their clocks are known.
    fn start(&mut self) -> bool {
        let mut coming: Vec<&mut Peer<'a>> =
            self.peers.iter_mut().filter(|peer| peer.comes()).collect();
        let Some(stage) = coming.iter().map(|peer| peer.ready()).min().flatten() else {
            return false;
        };
        // One that is ahead of the others waits for them, too.
        coming.retain(|peer| peer.ready() == Some(stage));
        let clocks: Vec<_> = coming.iter_mut().map(|peer| peer.clock()).collect();
        let clocks: Option<Vec<_>> = clocks.into_iter().collect();
        let Some(clocks) = clocks else { return false };
        let at_ns = clock::agreed(clock::now_ns(), clocks.into_iter());
        coming.iter_mut().for_each(|peer| peer.start(at_ns));
        true
    }

    /// Shows how far all are, if that is news.
    fn show(&mut self, shown: &mut String, status: &mut Status) {
        let events = self.peers.iter_mut().flat_map(|peer| std::mem::take(&mut peer.events));
        events.for_each(|event| status.show(&event));
        let running = self.peers.iter().zip(self.errand.hosts);
        let running = running.filter(|(peer, _)| !peer.is_ended());
        let lines = running.map(|(peer, host)| {
            let progress = peer.progress.as_deref()?;
            Some(format!("{host}: {}", progress.strip_prefix("Fleet: ").unwrap_or(progress)))
        });
        // One line for all, once all have one.
        let lines: Option<Vec<String>> = lines.collect();
        let line = lines.unwrap_or_default().join("; ");
        if !line.is_empty() && line != *shown {
            status.show(&Event::Status(line.clone()));
            *shown = line;
        }
    }
}
