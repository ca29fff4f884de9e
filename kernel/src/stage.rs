//! The jobs of a stage on their disks, which are connected: from looking up files to results.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use fio_job::Job;
use guest_protocol::console::{FIRST_IO, STATUS_PREFIX, WARNING_PREFIX};
use load::engine::{self, Control, Progress, RunError};
use load::plan::{Dealing, cut_warnings, sector_warning};
use results::{JobResult, Vcpus};

use crate::backends::Backends;
use crate::disks::Connected;
use crate::failure::Failure;
use crate::guest::Guest;
use crate::vcpu_tables::BOOT_VCPU;
use crate::{console, files, loops, say};

/// Outcome of the stages so far.
#[derive(Debug, Default)]
pub struct Done {
    /// One result for each job that ran.
    pub results: Vec<JobResult>,
    /// Flag: the first I/O has been announced.
    first_io: bool,
    /// vCPUs that had work so far.
    busy: Vec<u32>,
    /// Last line on the vCPUs that have work.
    shown: String,
}

impl Done {
    /// Returns how many vCPUs the guest may use, and how many of them never had work.
    pub fn vcpus(&self, guest: &Guest<'_>) -> Vcpus {
        let count = guest.vcpus.len();
        Vcpus { count: count as u32, idle: count.saturating_sub(self.busy.len()) as u32 }
    }

    /// Says which vCPUs have work from now on, if there are several.
    fn show_vcpus(&mut self, dealing: &Dealing, guest: &Guest<'_>) {
        let busy: Vec<u32> = dealing.by_vcpu().into_iter().map(|(vcpu, _)| vcpu).collect();
        self.busy.extend(&busy);
        self.busy.sort_unstable();
        self.busy.dedup();
        let (count, numbers) = (guest.vcpus.len(), busy.iter().map(u32::to_string));
        let line = match busy.len() {
            all if all == count => format!("ringmark: all {count} vCPUs have work"),
            _ => {
                let numbers = numbers.collect::<Vec<_>>().join(", ");
                // The boot vCPU leads, with jobs or without.
                let down = guest.vcpus.iter().filter(|id| **id != BOOT_VCPU && !busy.contains(id));
                format!("ringmark: vCPUs with work: {numbers}; {} stay down", down.count())
            }
        };
        if count > 1 && line != self.shown {
            say!("{line}");
            self.shown = line;
        }
    }
}

/// Runs jobs together and adds what came of them to `done`.
///
/// # Errors
/// Whatever ended the run early, and I/Os that failed.
pub fn run(
    guest: &mut Guest<'static>,
    jobs: &[Job],
    connected: &mut [Connected<'static>],
    done: &mut Done,
) -> Result<(), Failure> {
    look_up_files(guest, jobs, connected)?;
    // Waiting for the first event of one disk's watch takes the events of those before it.
    let backend = |disk: &Connected<'_>| (disk.plan.name.clone(), disk.device.backend());
    let mut backends = Backends::new(connected.iter().map(backend));
    if let Some(gone) = backends.look(&mut guest.store) {
        return Err(gone);
    }
    let queues = |name: &str| {
        let disk = connected.iter().find(|disk| disk.plan.name == name);
        disk.map_or(0, |disk| disk.queues.len() as u32)
    };
    let dealing = Dealing::new(jobs, &guest.vcpus, queues)?;
    for disk in &*connected {
        let sectors = sector_warning(jobs, &disk.plan.name, disk.device.info());
        let cuts = cut_warnings(jobs, &disk.plan.name, disk.device.info());
        let sectors = sectors.into_iter().chain(cuts);
        for warning in disk.persistent_warning(jobs, &dealing).into_iter().chain(sectors) {
            say!("{WARNING_PREFIX}{warning}");
        }
    }
    done.show_vcpus(&dealing, guest);
    let mut watch = StageWatch {
        jobs,
        backends,
        first_io: &mut done.first_io,
        before: Progress::default(),
        failure: None,
        stopped: false,
    };
    let outcome = loops::run(guest, jobs, &dealing, connected, &mut watch)?;
    let StageWatch { backends, failure, stopped, .. } = watch;
    done.results.extend(outcome.results);
    if let Some(failure) = failure {
        return Err(failure);
    }
    if let Some(error) = outcome.error {
        let (RunError::Stuck { disk, .. } | RunError::Overdue { disk, .. }) = &error else {
            return Err(Failure::Run(error));
        };
        return Err(match backends.state(disk, &mut guest.store) {
            Some(state) => Failure::Silent(error, state),
            None => Failure::Run(error),
        });
    }
    if let Some(what) = outcome.first_failure {
        return Err(Failure::Io(what));
    }
    if stopped { Err(Failure::Stopped) } else { Ok(()) }
}

/// Finds out where the files are that jobs name.
fn look_up_files<'a>(
    guest: &mut Guest<'a>,
    jobs: &[Job],
    disks: &mut [Connected<'a>],
) -> Result<(), Failure> {
    for disk in disks {
        for job in jobs {
            let Some(path) = &job.file else { continue };
            let is_known = disk.files.iter().any(|file| file.path == *path);
            if job.disks.contains(&disk.plan.name) && !is_known {
                let file = files::look_up(disk.source(guest), path)
                    .map_err(|error| Failure::Files(disk.plan.name.clone(), error))?;
                disk.files.push(file);
            }
        }
    }
    Ok(())
}

/// Watch over a stage: shows how far it is, and ends it when somebody asks for that, or when a
/// backend is gone.
struct StageWatch<'w> {
    jobs: &'w [Job],
    backends: Backends,
    /// Flag: the first I/O has been announced.
    first_io: &'w mut bool,
    /// Progress that was shown last.
    before: Progress,
    /// Failure that ended it.
    failure: Option<Failure>,
    /// Flag: somebody asked for its end.
    stopped: bool,
}

impl loops::Watch for StageWatch<'_> {
    /// Shows the progress. No measurement waits for the console: what finds no room there comes
    /// with the next tick.
    fn observe(&mut self, guest: &mut Guest<'static>, progress: &Progress) -> Control {
        let Guest { store, control, backend_watch: watch, .. } = guest;
        if progress.ios() != 0 && !*self.first_io {
            *self.first_io = console::try_print(FIRST_IO);
        }
        if progress.elapsed_ns >= engine::TICK_NS
            && console::try_print(&format!(
                "{STATUS_PREFIX}{}",
                load::status::line(self.jobs, &self.before, progress)
            ))
        {
            self.before = *progress;
        }
        // Memory only, unless a request has come or a state has changed.
        store.in_time(|store| {
            self.stopped |= control.is_asked(store);
            self.failure = self.backends.look_if_due(store, *watch);
        });
        // What has not found room on the console.
        self.backends.say();
        if self.failure.is_some() {
            return Control::Abandon;
        }
        if self.stopped { Control::Stop } else { Control::Continue }
    }

    fn await_start(&mut self, guest: &mut Guest<'static>) -> bool {
        let Some(barrier) = &mut guest.barrier else { return true };
        match barrier.wait(&mut guest.store, &mut guest.control) {
            Ok(passed) => {
                self.stopped |= !passed;
                passed
            }
            Err(error) => {
                self.failure = Some(Failure::Xenstore(error));
                false
            }
        }
    }
}
