//! From jobs to results: stage by stage, connect the disks, run, disconnect.

use alloc::vec::Vec;
use core::fmt;

use drivers::availability::usable_vcpus;
use drivers::xenstore::{self, Xenstore};
use fio_job::Checked;
use guest_protocol::Inspect;
use guest_protocol::console::WARNING_PREFIX;
use load::plan::{self, Dealing, Plan, Refusal, Stage};
use xen_abi::sched::ShutdownReason;

use crate::barrier::Barrier;
use crate::disks::{self, Connected};
use crate::failure::Failure;
use crate::guest::Guest;
use crate::hold::hold;
use crate::offers::{self, Offers};
use crate::options::Options;
use crate::smp::{self, Crew};
use crate::stage::{self, Done};
use crate::vcpu::Vcpu;
use crate::vcpu_tables::Loaded;
use crate::xen::Xen;
use crate::{console, files, report, say};

/// A run, from its options to its report.
#[derive(Debug)]
pub struct Runner<'t> {
    guest: Guest<'static>,
    /// The boot vCPU's tables, by which those of the others are made.
    tables: &'t mut Loaded,
    done: Done,
    offers: Offers,
    /// Flag: the report has been printed.
    reported: bool,
}

/// Does one thing with the connected disks.
type Work<'w> = &'w mut dyn FnMut(
    &mut Guest<'static>,
    &mut [Connected<'static>],
    &mut Done,
) -> Result<(), Failure>;

impl<'t> Runner<'t> {
    /// Creates a runner with no result yet.
    ///
    /// # Errors
    /// xenstore's.
    pub fn new(
        xen: &'static Xen,
        vcpu: &'static Vcpu,
        mut store: Xenstore<'static, Vcpu>,
        tables: &'t mut Loaded,
    ) -> Result<Self, xenstore::Error> {
        let vcpus = usable_vcpus(&mut store, smp::count(xen.entry()))?;
        let guest = Guest::new(xen, vcpu, store, vcpus)?;
        Ok(Self {
            guest,
            tables,
            done: Done::default(),
            offers: Offers::default(),
            reported: false,
        })
    }

    /// Runs what the options ask for; returns how the guest is to end. The report is printed
    /// before a held guest begins to wait, and in any case.
    pub fn run(&mut self, options: &Options) -> ShutdownReason {
        let done = self.run_jobs(options);
        if !self.reported {
            self.report(done.as_ref().err());
        }
        self.guest.control.reason(&mut self.guest.store)
    }

    #[inline(never)]
    fn report(&mut self, failure: Option<&Failure>) {
        self.reported = true;
        let results = &self.done.results;
        if !results.is_empty() {
            say!("{}", results::table(results));
        }
        if let Some(failure) = failure {
            say!("ringmark: error: {failure}");
        }
        let vcpus = self.done.vcpus(&self.guest);
        report::print(results, Some(vcpus), failure.map(|failure| failure as &dyn fmt::Display));
        if failure.is_none() && console::has_lost() {
            say!("ringmark: error: {}", console::LOST);
        }
    }

    fn run_jobs(&mut self, options: &Options) -> Result<(), Failure> {
        let Checked { jobs, warnings } = options.jobs().map_err(Failure::Options)?;
        for warning in fio_job::summary(&warnings) {
            say!("ringmark: {warning}");
        }
        let vbds = disks::vbds(&mut self.guest.store, plan::chooses_disks(&jobs))?;
        let plan = Plan::new(jobs, &vbds)?;
        if let Some(inspect) = options.line.inspect {
            return self.inspect(inspect, &plan, options.line.hold);
        }
        plan.stages().for_each(|stage| self.offers.look(&mut self.guest.store, &stage));
        let need = plan.need(&self.guest.vcpus, &|disk| self.offers.of(disk));
        offers::check(self.guest.xen, &need, 0, plan.at_once().jobs)?;
        let others = plan.vcpu_max(&self.guest.vcpus);
        if others != 0 {
            self.guest.crew = Some(Crew::new(self.guest.xen, self.tables, others + 1)?);
        }
        if options.line.barrier {
            self.guest.barrier = Some(Barrier::new(&mut self.guest.store)?);
        }
        let mut stages = plan.stages().peekable();
        while let Some(stage) = stages.next() {
            let is_last = stages.peek().is_none();
            self.run_stage(&plan, &stage, options.line.hold && is_last)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn run_stage(&mut self, plan: &Plan, stage: &Stage<'_>, hold: bool) -> Result<(), Failure> {
        for notice in stage.notices(&self.guest.vcpus) {
            say!("{notice}");
        }
        let dealing = stage.deal(&self.guest.vcpus)?;
        // Now all offers are known; and backends may have kept pages.
        self.offers.complete(&mut self.guest.store, stage)?;
        let need = stage.need(&dealing, &|disk| self.offers.of(disk)).map_err(Refusal::from)?;
        let (need, vcpu_pages) = (plan.with_results(need), plan.vcpu_pages(&self.guest.vcpus));
        offers::check(self.guest.xen, &need, vcpu_pages, plan.at_once().jobs)?;
        if let Some(notice) = offers::notice(self.guest.xen, &need) {
            say!("{WARNING_PREFIX}{notice}");
        }
        self.with_disks(plan, stage, &dealing, hold, &mut |guest, disks, done| {
            stage::run(guest, stage.jobs, disks, done)
        })
    }

    /// Shows what each job names, instead of running it.
    #[inline(never)]
    fn inspect(&mut self, what: Inspect, plan: &Plan, hold: bool) -> Result<(), Failure> {
        let all = plan.at_once();
        self.offers.complete(&mut self.guest.store, &all)?;
        self.with_disks(
            plan,
            &all,
            &Dealing::on_one(all.jobs.len()),
            hold,
            &mut |guest, disks, _| {
                for job in all.jobs {
                    for disk in disks.iter_mut().filter(|disk| job.disks.contains(&disk.plan.name))
                    {
                        files::show(disk.source(guest), what, job.file.as_ref())
                            .map_err(|error| Failure::Files(disk.plan.name.clone(), error))?;
                    }
                }
                Ok(())
            },
        )
    }

    /// Connects the disks of a stage, does the work, and disconnects them.
    fn with_disks(
        &mut self,
        plan: &Plan,
        stage: &Stage<'_>,
        dealing: &Dealing,
        hold_them: bool,
        work: Work<'_>,
    ) -> Result<(), Failure> {
        let mut connected = Vec::new();
        let ended = self
            .connect(plan, stage, dealing, &mut connected)
            .and_then(|()| work(&mut self.guest, &mut connected, &mut self.done));
        if hold_them {
            self.report(ended.as_ref().err());
            // Without xenstore nobody could ask for anything.
            let _ = hold(&mut self.guest, &mut connected);
        }
        for disk in connected {
            disks::disconnect(&mut self.guest, disk);
        }
        ended
    }

    /// Connects the disks of a stage, up to the first that fails.
    fn connect(
        &mut self,
        plan: &Plan,
        stage: &Stage<'_>,
        dealing: &Dealing,
        connected: &mut Vec<Connected<'static>>,
    ) -> Result<(), Failure> {
        let offers = |disk: &str| self.offers.of(disk);
        let needs = (stage.need(dealing, &offers), stage.full_need(dealing, &offers));
        let room = match needs {
            (Ok(least), Ok(full)) => {
                let [least, full] = [least, full].map(|need| plan.with_results(need));
                let run = plan.run_need(&self.guest.vcpus, &offers);
                offers::room(self.guest.xen, &least, &full, &run)
            }
            // A disk has what is wrong, and names it.
            _ => self.guest.xen.room(),
        };
        for disk in stage.disks(dealing, room, &offers) {
            connected.push(disks::connect(&mut self.guest, disk?)?);
        }
        Ok(())
    }
}
