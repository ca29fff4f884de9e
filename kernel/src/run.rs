//! From jobs to results: stage by stage, connect the disks, run, disconnect.
//!
//! A stage is a job and those after it that do not wait for it (fio's `stonewall`). Disks are
//! connected anew for each stage, because how pages are granted is agreed on at connect.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::{fmt, mem};

use drivers::Vcpu as _;
use drivers::blkfront::{Blkfront, QueuePair, Setup, Vdev, handshake};
use drivers::grant::GrantTable;
use drivers::xenstore::{self, WatchToken, Xenstore};
use fio_job::Job;
use guest_protocol::Inspect;
use guest_protocol::console::{FIRST_IO, STATUS_PREFIX};
use load::engine::{self, Disk, Progress, RunError};
use load::file_map::FileMap;
use load::plan::{Conflict, setup_for};
use load::reader::BlockReader;
use results::JobResult;
use xen_abi::sched::ShutdownReason;
use xen_abi::xenbus::XenbusState;

use crate::backends::Backends;
use crate::control::Control;
use crate::failure::Failure;
use crate::options::Options;
use crate::say;
use crate::vcpu::Vcpu;
use crate::xen::Xen;
use crate::{console, files, memory, report};

/// How often a guest that holds its disks looks around, in nanoseconds.
const LOOK_AGAIN_NS: u64 = 500_000_000;

/// All that a run works with.
#[derive(Debug)]
pub struct Runner<'a> {
    xen: &'a Xen,
    vcpu: &'a Vcpu,
    grants: GrantTable<'a, Xen>,
    store: Xenstore<'a, Vcpu>,
    control: Control,
    /// Fires when a backend of a connected disk changes its state.
    backends: WatchToken,
    results: Vec<JobResult>,
    /// The first I/O has been announced.
    first_io: bool,
    /// The report has been printed.
    reported: bool,
}

/// A disk that a stage works on.
struct Connected<'a> {
    name: String,
    setup: Setup,
    device: Blkfront<'a>,
    queues: Vec<QueuePair<'a>>,
    /// Those that jobs name.
    files: Vec<FileMap>,
}

/// Does one thing with the connected disks.
type Work<'w, 'a> = &'w mut dyn FnMut(&mut Runner<'a>, &mut [Connected<'a>]) -> Result<(), Failure>;

impl<'a> Runner<'a> {
    /// A runner with no result yet.
    ///
    /// # Errors
    /// xenstore's.
    pub fn new(
        xen: &'a Xen,
        vcpu: &'a Vcpu,
        mut store: Xenstore<'a, Vcpu>,
    ) -> Result<Self, xenstore::Error> {
        let control = Control::new(&mut store)?;
        let backends = store.new_watch()?;
        let grants = GrantTable::new(xen);
        Ok(Self {
            xen,
            vcpu,
            grants,
            store,
            control,
            backends,
            results: Vec::new(),
            first_io: false,
            reported: false,
        })
    }

    /// Runs what the options ask for; answers how the guest is to end. The report is printed
    /// before a held guest begins to wait, and in any case.
    pub fn run(&mut self, options: &Options) -> ShutdownReason {
        let done = self.run_jobs(options);
        if !self.reported {
            self.report(done.as_ref().err());
        }
        self.control.reason(&mut self.store)
    }

    fn report(&mut self, failure: Option<&Failure>) {
        self.reported = true;
        if !self.results.is_empty() {
            say!("{}", results::table(&self.results));
        }
        if let Some(failure) = failure {
            say!("ringmark: error: {failure}");
        }
        let failure = failure.map(|failure| failure as &dyn fmt::Display);
        report::print(&self.results, failure);
        if failure.is_none() && console::has_lost() {
            say!("ringmark: error: {}", console::LOST);
        }
    }

    fn run_jobs(&mut self, options: &Options) -> Result<(), Failure> {
        let mut jobs = options.jobs().map_err(Failure::Options)?;
        let vdevs = handshake::list(&mut self.store)?;
        let names: Vec<String> = vdevs.iter().map(Vdev::to_string).collect();
        // There may be thousands.
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Failure::TwoDisks { name: pair[0].clone() });
        }
        if jobs.is_empty() || jobs.iter().any(|job| job.disks.is_empty()) {
            let writable = self.writable(&vdevs)?;
            if jobs.is_empty() {
                jobs = writable.iter().flat_map(|name| Job::defaults_for(name)).collect();
            }
            for job in jobs.iter_mut().filter(|job| job.disks.is_empty()) {
                job.disks.clone_from(&writable);
            }
        }
        let (need, heap) = (results::heap_bytes(&jobs), memory::heap_size());
        if need > heap {
            let (need_kib, heap_kib) = (need.div_ceil(1024), heap / 1024);
            let logs = jobs.iter().any(|job| job.reporting.has_log());
            return Err(Failure::Memory { jobs: jobs.len(), need_kib, heap_kib, logs });
        }
        if let Some(missing) =
            jobs.iter().flat_map(|job| &job.disks).find(|name| sorted.binary_search(name).is_err())
        {
            return Err(Failure::NoDisk { name: missing.clone(), found: names });
        }
        if let Some(inspect) = options.line.inspect {
            let show = &mut |runner: &mut Self, disks: &mut [Connected<'a>]| {
                runner.inspect_files(inspect, &jobs, disks)
            };
            return self.with_disks(&jobs, &vdevs, options.line.hold, show);
        }
        let stages: Vec<&[Job]> = jobs.chunk_by(|_, next| !next.stonewall).collect();
        for (number, &stage) in stages.iter().enumerate() {
            let is_last = number + 1 == stages.len();
            self.run_stage(stage, &vdevs, options.line.hold && is_last)?;
        }
        Ok(())
    }

    /// The disks that are measured unless some are named: those that may be written, for one that
    /// is read-only is no ordinary disk.
    fn writable(&mut self, vdevs: &[Vdev]) -> Result<Vec<String>, Failure> {
        let names = self.store.in_time(|store| {
            let mut names = Vec::new();
            for &vdev in vdevs {
                if handshake::is_writable(store, vdev)? {
                    names.push(vdev.to_string());
                }
            }
            Ok::<_, xenstore::Error>(names)
        })?;
        if names.is_empty() {
            let found = vdevs.iter().map(Vdev::to_string).collect();
            return Err(Failure::NothingToDo { found });
        }
        Ok(names)
    }

    fn run_stage(&mut self, jobs: &[Job], vdevs: &[Vdev], hold: bool) -> Result<(), Failure> {
        if jobs.iter().any(|job| job.poll != jobs[0].poll) {
            let what = "ask for different ringmark_poll_us";
            return Err(Failure::Conflict(Conflict { disk: "one vCPU".to_owned(), what }));
        }
        for job in jobs {
            if let Some(engine) = job.ioengine {
                say!(
                    "{}: ioengine={engine} is accepted; every job drives the ring directly",
                    job.name
                );
            }
        }
        let run = &mut |runner: &mut Self, disks: &mut [Connected<'a>]| {
            runner.look_up_files(jobs, disks)?;
            // The advice is on Linux's backend, and others have no such parameter.
            let offers = disks
                .iter()
                .filter(|disk| disk.device.info().persistent && disk.device.backend().is_vbd());
            for warning in offers.filter_map(|disk| load::persistent::warning(jobs, &disk.name)) {
                say!("ringmark: {warning}");
            }
            runner.run_connected(jobs, disks)
        };
        self.with_disks(jobs, vdevs, hold, run)
    }

    /// Connects the jobs' disks, does the work, and disconnects them.
    fn with_disks(
        &mut self,
        jobs: &[Job],
        vdevs: &[Vdev],
        hold: bool,
        work: Work<'_, 'a>,
    ) -> Result<(), Failure> {
        let mut connected = Vec::new();
        let done =
            self.connect_all(jobs, vdevs, &mut connected).and_then(|()| work(self, &mut connected));
        if hold {
            self.report(done.as_ref().err());
            say!("ringmark: holding the disks; end with xl shutdown, or Ctrl-C on the console");
            // Without xenstore nobody could ask for anything.
            let _ = self.hold(&mut connected);
        }
        for disk in connected {
            self.disconnect(disk);
        }
        done
    }

    /// Keeps the disks connected until the guest is to end. One that the tool stack wants back is
    /// given up at once.
    fn hold(&mut self, connected: &mut Vec<Connected<'a>>) -> Result<(), xenstore::Error> {
        while !self.control.is_asked(&mut self.store) {
            // A watch is a hint, and keys make none fire: so all is looked at anyhow.
            let wanted = self.store.in_time(|store| {
                connected.iter().position(|disk| {
                    let state = disk.device.backend().state(store);
                    state.is_ok_and(|state| state != XenbusState::Connected)
                })
            });
            if let Some(place) = wanted {
                let disk = connected.remove(place);
                say!("ringmark: {}: disconnected, because its backend is closing", disk.name);
                self.disconnect(disk);
                continue;
            }
            let look_again_ns = self.vcpu.now_ns().saturating_add(LOOK_AGAIN_NS);
            self.store.wait_fired(self.backends, look_again_ns)?;
            // A read that failed may succeed the next time.
            if let Err(error @ xenstore::Error::Broken(_)) = self.control.read(&mut self.store) {
                return Err(error);
            }
        }
        Ok(())
    }

    fn disconnect(&mut self, disk: Connected<'a>) {
        let Connected { name, device, queues, .. } = disk;
        let _ = device.backend().unwatch(&mut self.store, self.backends);
        let left = device.disconnect(queues, self.xen, &mut self.grants, &mut self.store);
        if left.xenstore_failed {
            say!("ringmark: {name}: xenstore failed, so the backend could not be asked to close");
        } else if left.timed_out {
            say!("ringmark: {name}: the backend did not close in time");
        }
        if left.quarantined_pages != 0 {
            say!("ringmark: {name}: the backend kept {} pages mapped", left.quarantined_pages);
        }
    }

    fn connect_all(
        &mut self,
        jobs: &[Job],
        vdevs: &[Vdev],
        connected: &mut Vec<Connected<'a>>,
    ) -> Result<(), Failure> {
        for &vdev in vdevs {
            let name = vdev.to_string();
            let Some(setup) = setup_for(&name, jobs).map_err(Failure::Conflict)? else { continue };
            let mut device =
                Blkfront::connect(self.xen, &mut self.grants, &mut self.store, vdev, &setup)
                    .map_err(|error| Failure::Connect(name.clone(), error))?;
            // Where there are more disks than watches, some go unwatched. The first event is waited
            // for: it is not to come while something is measured.
            if device.backend().watch(&mut self.store, self.backends).is_ok() {
                let soon_ns = self.vcpu.now_ns().saturating_add(LOOK_AGAIN_NS);
                self.store.wait_fired(self.backends, soon_ns)?;
            }
            let info = device.info();
            say!(
                "{name}: {} MiB, {}-byte sectors{}, grants {}{}",
                info.bytes() >> 20,
                info.logical_sector_bytes,
                if info.read_only { ", read-only" } else { "" },
                setup.grants,
                match (setup.grants.is_persistent(), info.persistent) {
                    (true, true) => " (backend offers to keep pages mapped)",
                    (true, false) => " (backend maps pages for each request)",
                    (false, _) => "",
                },
            );
            let queues = device.take_queues();
            connected.push(Connected { name, setup, device, queues, files: Vec::new() });
        }
        Ok(())
    }

    /// Finds out where the files are that jobs name.
    fn look_up_files(&mut self, jobs: &[Job], disks: &mut [Connected<'a>]) -> Result<(), Failure> {
        for disk in disks {
            for job in jobs {
                let Some(path) = &job.file else { continue };
                let is_known = disk.files.iter().any(|file| file.path == *path);
                if job.disks.contains(&disk.name) && !is_known {
                    let file = files::look_up(self.source(disk), path)
                        .map_err(|error| Failure::Files(disk.name.clone(), error))?;
                    disk.files.push(file);
                }
            }
        }
        Ok(())
    }

    /// The disk as what a file system is read from.
    fn source<'q>(&'q mut self, disk: &'q mut Connected<'a>) -> files::Source<'q, 'a> {
        let Connected { name, setup, device, queues, .. } = disk;
        let info = *device.info();
        let reader = BlockReader::new(self.vcpu, &mut queues[0], &info, setup);
        files::Source { name, reader, control: &mut self.control, store: &mut self.store }
    }

    /// Shows what each job names, instead of running it.
    fn inspect_files(
        &mut self,
        inspect: Inspect,
        jobs: &[Job],
        disks: &mut [Connected<'a>],
    ) -> Result<(), Failure> {
        for job in jobs {
            for disk in disks.iter_mut().filter(|disk| job.disks.contains(&disk.name)) {
                let path = job.file.as_deref().unwrap_or("/").as_bytes();
                files::show(self.source(disk), inspect, path)
                    .map_err(|error| Failure::Files(disk.name.clone(), error))?;
            }
        }
        Ok(())
    }

    fn run_connected(
        &mut self,
        jobs: &[Job],
        connected: &mut [Connected<'a>],
    ) -> Result<(), Failure> {
        // Waiting for the first event of one disk's watch takes the events of those before it.
        let backend = |disk: &Connected<'_>| (disk.name.clone(), disk.device.backend());
        let mut backends = Backends::new(connected.iter().map(backend));
        if let Some(gone) = backends.look(&mut self.store) {
            return Err(gone);
        }
        let mut gone = None;
        let disks: Vec<Disk<'a>> = connected
            .iter_mut()
            .map(|Connected { name, device, queues, files, .. }| Disk {
                name: name.clone(),
                info: *device.info(),
                queues: mem::take(queues),
                files: mem::take(files),
            })
            .collect();
        let mut stopped = false;
        let mut before = Progress::default();
        let (first_io, control, store) = (&mut self.first_io, &mut self.control, &mut self.store);
        let watch = self.backends;
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
                stopped |= control.is_asked(store);
                gone = backends.look_if_due(store, watch);
            });
            // What has not found room on the console.
            backends.say();
            if gone.is_some() {
                return engine::Control::Abandon;
            }
            if stopped { engine::Control::Stop } else { engine::Control::Continue }
        };
        let (outcome, disks) = engine::run(self.vcpu, jobs.to_vec(), disks, &mut observe);
        connected.iter_mut().zip(disks).for_each(|(disk, lent)| disk.queues = lent.queues);
        self.results.extend(outcome.results);
        if let Some(gone) = gone {
            return Err(gone);
        }
        if let Some(error) = outcome.error {
            let (RunError::Stuck { disk, .. } | RunError::Overdue { disk, .. }) = &error else {
                return Err(Failure::Run(error));
            };
            return Err(match backends.state(disk, &mut self.store) {
                Some(state) => Failure::Silent(error, state),
                None => Failure::Run(error),
            });
        }
        if let Some(what) = outcome.first_failure {
            return Err(Failure::Io(what));
        }
        if stopped { Err(Failure::Stopped) } else { Ok(()) }
    }
}
