//! The Linux guest of the comparisons: tuned or not, it does on the ring what fio says it did.

use anyhow::ensure;

use super::check::{Check, number};
use crate::best::Best;
use crate::machine::Clock;
use crate::scenario::side::Side;
use crate::workload::Workload;

/// Longest time that the guest keeps its disk when it is done.
const HOLD_S: u32 = 60;

pub(super) fn checks() -> Vec<Check> {
    Side::LINUX.map(same_work).into()
}

/// Writes only: the kernel reads from the disk by itself when it appears.
fn same_work(side: Side) -> Check {
    let writes = |workload: &Workload| workload.direction() == "write";
    let workloads: Vec<Workload> = Workload::ALL.into_iter().filter(writes).collect();
    let name = format!("peer-{}", side.name());
    let mut guest =
        side.guest(name.clone(), Clock::Wall, &side.options(&workloads, 1, &Best::default()));
    guest.extra = format!("hold={HOLD_S} {}", guest.extra);
    let command = format!(
        "guest_create {name}\nguest_until 'peer-result*' 120\n\
         echo wr_req=$(cat $vbds*/statistics/wr_req)\nxl destroy {name}\nguest_end 20"
    );
    Check::new(format!("the peer {}", side.name()), 180, command).with(guest).judged(
        format!("the peer {}: one request for each I/O, of the size asked for", side.name()),
        move |outcome| {
            let mut ios = 0;
            for &workload in &workloads {
                let figure = side.figure(outcome, &name, workload, &Best::default())?;
                ensure!(figure.kept, "{workload}: the backend did not keep the pages mapped");
                let result = side.result(outcome, &name)?;
                let job = result.job(&workload.name())?;
                ios += job["write"]["total_ios"].as_u64().unwrap_or(0);
            }
            let requests = number(outcome, "wr_req")?;
            ensure!(requests == ios, "{requests} requests for {ios} I/Os");
            Ok(format!("{ios} I/Os, as many requests at blkback"))
        },
    )
}
