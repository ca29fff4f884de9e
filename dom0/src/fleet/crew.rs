//! The guests of a fleet under way: all are made, run together, meet at the barrier before each
//! stage of their jobs, and end.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Error;
use results::{Origin, Report};

use super::accept::{Circumstances, LINUX_WAITS, SAME_VERSION, accept};
use super::barrier::Barrier;
use super::lead::Lead;
use super::progress::Progress;
use crate::display;
use crate::drive::Step;
use crate::event::Event;
use crate::plan::Plan;
use crate::saved::System;
use crate::session::{ENDING_EARLY, Session, start_node};
use crate::signals::{Interrupts, Signals};
use crate::status::Status;
use crate::wait::Wait;
use crate::xl::{Call, Programs, Running};

/// Least time between two looks at all guests, unless a program has ended: dom0's time is the
/// backend's, and each guest prints a line a second.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Outcome of a guest.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Its result, if it has a good one, or one that ends early because it was asked to.
    pub report: Option<Report>,
    /// Reason why it has none, or what went wrong after it.
    pub error: Option<Error>,
    /// Reason to think that its domain is still there.
    pub left: Option<Error>,
    /// Number of its domain, if that is there because it was to stay.
    pub kept: Option<u32>,
    /// Whether it started its first job together with the others.
    pub has_started: bool,
    /// System that it runs.
    pub system: System,
}

/// Guests that run together.
pub struct Crew<'a> {
    members: Vec<Member<'a>>,
    plan: &'a Plan,
    barrier: Barrier,
    /// The write that lets all start a stage, while it is under way.
    start: Option<Running>,
    /// Longest time for a program of the tool stack.
    call_limit: Duration,
    ready_timeout: Duration,
    progress: Progress,
    /// Signals that were taken into account.
    heeded: Interrupts,
    /// Whether it was said that all end early.
    is_ending_said: bool,
}

/// A guest.
struct Member<'a> {
    name: &'a str,
    session: Session<'a>,
    phase: Phase,
    /// Its domain, once there is one.
    domain: Option<u32>,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Being made.
    Making,
    /// There, and paused.
    Prepared,
    /// Running, or about to.
    Running,
    /// Being destroyed, as far as there is something left.
    Ending,
    Ended,
}

impl<'a> Crew<'a> {
    /// Begins with the sessions of guests of these names and systems, which all have this plan. A
    /// guest that is not ready `ready_timeout` after it began to run is given up.
    pub fn new(
        sessions: impl Iterator<Item = (&'a str, System, Session<'a>)>,
        plan: &'a Plan,
        call_limit: Duration,
        ready_timeout: Duration,
    ) -> Self {
        let member = |(name, system, session)| Member {
            name,
            session,
            phase: Phase::Making,
            domain: None,
            outcome: Outcome { system, ..Outcome::default() },
        };
        let members: Vec<Member<'_>> = sessions.map(member).collect();
        let silent = members.iter().filter(|member| member.outcome.system == System::Linux).count();
        Self {
            barrier: Barrier::new(members.len(), plan.stage_count(), ready_timeout),
            progress: Progress::new(members.len(), silent),
            members,
            plan,
            start: None,
            call_limit,
            ready_timeout,
            heeded: Interrupts::default(),
            is_ending_said: false,
        }
    }

    /// Runs all guests to their ends; returns what came of each, in their order. `lead` says when
    /// they start. The first signal asks them to report early, the second ends them at once.
    pub fn run(
        mut self,
        signals: &Signals,
        status: &mut Status,
        lead: &mut dyn Lead,
    ) -> Vec<Outcome> {
        loop {
            // A fleet takes long to make: SIGTERM, too, leaves time for its figures.
            let count = signals.received().count.saturating_add(lead.heed());
            let interrupts = Interrupts { urgent: 0, count };
            while self.step(interrupts, status, lead) {}
            if lead.is_lost() {
                self.keep_none();
            }
            if self.members.iter().all(|member| member.phase == Phase::Ended) {
                status.clear();
                return self.members.into_iter().map(|member| member.outcome).collect();
            }
            let mut pause = Wait::default();
            pause.until(Instant::now() + LOOK_EVERY);
            lead.wait_for(&mut pause);
            pause.wait(signals);
            let mut wait = Wait::default();
            self.members.iter().for_each(|member| member.session.wait_for(&mut wait));
            self.start.iter().for_each(|start| start.wait_for(&mut wait));
            self.barrier.deadline().into_iter().for_each(|deadline| wait.until(deadline));
            lead.wait_for(&mut wait);
            wait.wait(signals);
        }
    }

    /// Lets no domain stay, not even those of guests that have ended.
    fn keep_none(&mut self) {
        for member in &mut self.members {
            if member.session.keep_no_more() {
                member.phase = Phase::Ending;
            }
        }
    }

    /// Goes on as far as it can without waiting; returns whether there may be more to do.
    fn step(&mut self, interrupts: Interrupts, status: &mut Status, lead: &mut dyn Lead) -> bool {
        let fresh = interrupts.since(std::mem::replace(&mut self.heeded, interrupts));
        if let Some(start) = self.start.as_mut().filter(|_| fresh.count != 0) {
            start.heed(interrupts);
        }
        for index in 0..self.members.len() {
            while let Some(event) = self.member_step(index, interrupts) {
                self.take(index, event, status);
            }
        }
        self.release()
            | self.give_up_late()
            | self.take_start(status, lead)
            | self.begin_start(lead)
    }

    fn member_step(&mut self, index: usize, interrupts: Interrupts) -> Option<Event> {
        self.members.get_mut(index)?.session.step(interrupts)
    }

    /// Takes something that happened to a guest.
    fn take(&mut self, index: usize, event: Event, status: &mut Status) {
        let now = Instant::now();
        let Some(member) = self.members.get_mut(index) else { return };
        match event {
            Event::Note(text) if text == ENDING_EARLY => {
                if !std::mem::replace(&mut self.is_ending_said, true) {
                    status.remark(&text);
                }
            }
            Event::Note(text) => {
                let text = format!("{}: {text}", member.name);
                status.show_of(member.name, &Event::Note(text));
            }
            Event::Status(line) => {
                self.barrier.progress(index, now);
                self.progress.take(index, &line);
            }
            Event::Created(id) => {
                member.domain = Some(id);
                self.progress.created += 1;
                status.show_of(member.name, &Event::Created(id));
            }
            Event::Prepared => member.phase = Phase::Prepared,
            Event::Started => {
                self.barrier.begin(index, now);
                status.show_of(member.name, &Event::Started);
            }
            Event::Ready(stage) => {
                match self.barrier.arrive(index, stage) {
                    // It works no more until the next stage.
                    Ok(_) => self.progress.leave(index),
                    Err(why) => {
                        let what = format!("the guest is out of step: {why}");
                        member.session.give_up(&format!("{what}; {SAME_VERSION}"));
                    }
                }
            }
            Event::Result { text, origin } => {
                self.leave(index);
                self.take_result(index, &text, *origin);
            }
            Event::End { error, left, kept, .. } => {
                member.outcome.kept = kept;
                self.take_end(index, error, left, status);
            }
            event @ Event::Call(_) => status.show_of(member.name, &event),
        }
        self.progress.ready = self.barrier.waiting();
        let stage = (!self.barrier.is_passed()).then_some(self.barrier.next());
        self.progress.show(stage, status, now);
    }

    /// Notes that a guest needs no more waiting for.
    fn leave(&mut self, index: usize) {
        self.barrier.leave(index);
        self.progress.leave(index);
        if let Some(member) = self.members.get_mut(index) {
            member.phase = Phase::Ending;
        }
    }

    fn take_result(&mut self, index: usize, text: &str, origin: Origin) {
        let Some(system) = self.members.get(index).map(|member| member.outcome.system) else {
            return;
        };
        let circumstances = Circumstances {
            is_ending: self.heeded.count != 0,
            has_started: self.barrier.is_passed(),
        };
        let report = accept(system, text, origin, self.plan, circumstances);
        let Some(member) = self.members.get_mut(index) else { return };
        match report {
            Ok(report) => member.outcome.report = Some(report),
            Err(error) => member.outcome.error = Some(error),
        }
    }

    fn take_end(
        &mut self,
        index: usize,
        error: Option<Error>,
        left: Option<Error>,
        status: &mut Status,
    ) {
        self.leave(index);
        let is_interrupted = self.heeded.count != 0;
        let Some(member) = self.members.get_mut(index) else { return };
        member.phase = Phase::Ended;
        let outcome = &mut member.outcome;
        outcome.error = outcome.error.take().or(error);
        outcome.left = left;
        if let Some(error) = outcome.error.as_ref().filter(|_| !is_interrupted) {
            status.remark(&format!("{}: {error:#}", member.name));
        }
    }

    /// Lets all guests run once none is being made any more; returns whether it did.
    fn release(&mut self) -> bool {
        if self.members.iter().any(|member| member.phase == Phase::Making) {
            return false;
        }
        let prepared = self.members.iter_mut().filter(|member| member.phase == Phase::Prepared);
        let released = prepared.map(|member| {
            member.phase = Phase::Running;
            member.session.release();
        });
        released.count() != 0
    }

    /// Gives up the guests that the others have waited for long enough; returns whether there are
    /// any.
    fn give_up_late(&mut self) -> bool {
        let late = self.barrier.late(Instant::now());
        for &index in &late {
            let (stage, limit) = (self.barrier.next(), self.ready_timeout.as_secs());
            let what = format!("the guest was not ready to start stage {stage} within {limit} s");
            let advice = "--ready-timeout=SECONDS gives it longer";
            self.leave(index);
            if let Some(member) = self.members.get_mut(index) {
                let also = match member.outcome.system {
                    System::Ringmark => String::new(),
                    System::Linux => format!("; {LINUX_WAITS}"),
                };
                member.session.give_up(&format!("{what}; {advice}{also}"));
            }
        }
        !late.is_empty()
    }

    /// Opens the barrier if all are there that still come, and begins to tell them: by one write,
    /// so that all are told at the same time. Returns whether it did.
    fn begin_start(&mut self, lead: &mut dyn Lead) -> bool {
        // A guest that is being destroyed takes the host's time, and its nodes are about to go.
        let is_settled = |member: &Member<'_>| match member.phase {
            Phase::Running => member.session.is_running(),
            phase => phase == Phase::Ended,
        };
        if self.start.is_some() || self.heeded.count != 0 || !self.members.iter().all(is_settled) {
            return false;
        }
        if !self.barrier.is_full() || !lead.opens(self.barrier.next()) {
            return false;
        }
        let Some(stage) = self.barrier.open(Instant::now()) else { return false };
        let mut nodes = Vec::new();
        for member in self.members.iter_mut().filter(|member| member.phase == Phase::Running) {
            member.session.go();
            member.outcome.has_started = true;
            nodes.extend(member.domain.map(|id| start_node(id, stage)));
        }
        let write = Call::write_nodes(nodes);
        self.start = Some(Running::new(write, self.call_limit, &Programs::new(1)));
        true
    }

    /// Takes the end of the write that lets all start; returns whether it has ended.
    fn take_start(&mut self, status: &mut Status, lead: &mut dyn Lead) -> bool {
        let Some(start) = &mut self.start else { return false };
        let mut events = VecDeque::new();
        let done = start.poll(&mut events);
        events.iter().for_each(|event| status.show(event));
        let failure = match done {
            Ok(None) => return false,
            Ok(Some(done)) if done.is_success() => {
                lead.told();
                None
            }
            Ok(Some(done)) => Some(done.failure()),
            Err(error) => Some(error),
        };
        self.start = None;
        for member in self.members.iter_mut().filter(|member| member.phase == Phase::Running) {
            // Nobody knows who was told.
            if let Some(error) = &failure {
                member.session.give_up(&format!("the guests could not be started: {error:#}"));
            } else if member.outcome.system == System::Linux {
                member.session.type_line();
            }
        }
        true
    }
}

impl Outcome {
    /// Returns why a guest has no result, in one line.
    pub fn reason(&self) -> String {
        let none = || "it ended without a result".to_owned();
        let error = self.error.as_ref().map_or_else(none, |error| format!("{error:#}"));
        display::text(&error.replace("\n  | ", " | "))
    }
}
