//! The load generator's and the frontend's instructions for each I/O of a job, for callgrind:
//!
//! ```text
//! CARGO_PROFILE_RELEASE_STRIP=none cargo build --release -p model --example engine
//! valgrind --tool=callgrind --callgrind-out-file=/tmp/engine.out target/release/examples/engine \
//!     rw=randread bs=4k iodepth=32 number_ios=20000 filename=xvda
//! callgrind_annotate /tmp/engine.out
//! ```
//! What stands there beside `load::` and `drivers::` is theirs; the rest is the model's.

use load::engine::Control;
use load::plan::{Dealing, setup_for};
use model::fixture::{Machine, XVDA, run_engine};
use model::{Disk, Guest};

fn main() {
    let line = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let jobs = fio_job::parse(&line).expect("jobs");
    let xen = Machine::seeded(1)
        .pages(3000)
        .disk(Disk { deaf: Some(1 << 30), service_ns: 1000..2000, ..Disk::new(XVDA, 8192) })
        .build();
    let mut guest = Guest::boot(&xen);
    let setup = setup_for("xvda", &jobs, &Dealing::on_one(jobs.len()))
        .expect("one job")
        .expect("on this disk");
    let mut device = guest.connect(XVDA, &setup).expect("a disk");
    let (outcome, disks) = run_engine(&xen, jobs, vec![device.lend()], &mut |_| Control::Continue);
    device.queues = disks.into_iter().flat_map(|disk| disk.queues).collect();
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    println!("{} I/Os", outcome.results.iter().map(results::JobResult::ios).sum::<u64>());
    guest.disconnect(device);
}
