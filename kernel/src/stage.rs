//! The jobs of a stage on their disks, which are connected: from looking up files to results.

use alloc::format;
use alloc::vec::Vec;
use core::mem;

use fio_job::Job;
use guest_protocol::console::{FIRST_IO, STATUS_PREFIX};
use load::engine::{self, Control, Disk, Outcome, Progress, RunError};
use results::JobResult;

use crate::backends::Backends;
use crate::disks::Connected;
use crate::failure::Failure;
use crate::guest::Guest;
use crate::{console, files, say};

/// Outcome of the stages so far.
#[derive(Debug, Default)]
pub struct Done {
    /// One result for each job that ran.
    pub results: Vec<JobResult>,
    /// Flag: the first I/O has been announced.
    first_io: bool,
}

/// Why the observer ended a run.
#[derive(Default)]
struct Ended {
    gone: Option<Failure>,
    stopped: bool,
}

/// Runs jobs together and adds what came of them to `done`.
///
/// # Errors
/// Whatever ended the run early, and I/Os that failed.
pub fn run<'a>(
    guest: &mut Guest<'a>,
    jobs: &[Job],
    connected: &mut [Connected<'a>],
    done: &mut Done,
) -> Result<(), Failure> {
    look_up_files(guest, jobs, connected)?;
    for warning in connected.iter().filter_map(Connected::persistent_warning) {
        say!("ringmark: {warning}");
    }
    // Waiting for the first event of one disk's watch takes the events of those before it.
    let backend = |disk: &Connected<'_>| (disk.plan.name.clone(), disk.device.backend());
    let mut backends = Backends::new(connected.iter().map(backend));
    if let Some(gone) = backends.look(&mut guest.store) {
        return Err(gone);
    }
    let mut ended = Ended::default();
    let outcome = drive(guest, jobs, connected, &mut backends, &mut done.first_io, &mut ended);
    done.results.extend(outcome.results);
    if let Some(gone) = ended.gone {
        return Err(gone);
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
    if ended.stopped { Err(Failure::Stopped) } else { Ok(()) }
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

/// Calls the engine, and shows how far it is; ends it when somebody asks for that, or when a
/// backend is gone.
fn drive<'a>(
    guest: &mut Guest<'a>,
    jobs: &[Job],
    connected: &mut [Connected<'a>],
    backends: &mut Backends,
    first_io: &mut bool,
    ended: &mut Ended,
) -> Outcome {
    let disks: Vec<Disk<'a>> = connected
        .iter_mut()
        .map(|Connected { plan, device, queues, files }| Disk {
            name: plan.name.clone(),
            info: *device.info(),
            queues: mem::take(queues),
            files: mem::take(files),
        })
        .collect();
    let mut before = Progress::default();
    let Guest { vcpu, store, control, backend_watch: watch, .. } = guest;
    // No measurement waits for the console: what finds no room there comes with the next tick.
    let mut observe = |progress: &Progress| {
        let ios = progress.read.ios + progress.written.ios;
        if ios != 0 && !*first_io {
            *first_io = console::try_print(FIRST_IO);
        }
        if progress.elapsed_ns >= engine::TICK_NS
            && console::try_print(&format!(
                "{STATUS_PREFIX}{}",
                load::status::line(jobs, &before, progress)
            ))
        {
            before = *progress;
        }
        // Memory only, unless a request has come or a state has changed.
        store.in_time(|store| {
            ended.stopped |= control.is_asked(store);
            ended.gone = backends.look_if_due(store, *watch);
        });
        // What has not found room on the console.
        backends.say();
        if ended.gone.is_some() {
            return Control::Abandon;
        }
        if ended.stopped { Control::Stop } else { Control::Continue }
    };
    let (outcome, disks) = engine::run(*vcpu, jobs.to_vec(), disks, &mut observe);
    connected.iter_mut().zip(disks).for_each(|(disk, lent)| disk.queues = lent.queues);
    outcome
}
