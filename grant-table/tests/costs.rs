//! Sums of the accesses that each design's operations make, which can't grow unseen.

#[path = "../examples/steps/counted.rs"]
mod counted;
#[path = "../examples/steps/totals.rs"]
mod totals;
#[path = "../examples/steps/traces.rs"]
mod traces;

use grant_table::Version;
use totals::{HEAD, Total, totals};
use traces::{Case, designs, trace};

/// Output of `cargo run -p grant-table --example steps totals`.
const BEFORE: &str = include_str!("costs.txt");

#[test]
fn operations_cost_what_they_did() {
    let totals = totals();
    let lines = [HEAD.to_string()].into_iter().chain(totals.iter().map(Total::to_string));
    let now: String = lines.map(|line| line + "\n").collect();
    assert!(
        now == BEFORE,
        "grant-table/tests/costs.txt is not what is printed:\n{now}\nIf that is meant, run: \
         cargo run -p grant-table --example steps totals > grant-table/tests/costs.txt",
    );
}

#[test]
fn packed_words_cost_no_more_than_locks() {
    let totals = totals();
    let (ours, locked): (Vec<_>, Vec<_>) =
        totals.iter().partition(|total| total.design == "PackedWords");
    for ours in &ours {
        let same = |other: &&&Total| other.version == ours.version && other.case == ours.case;
        let others: Vec<_> = locked.iter().filter(same).collect();
        assert_eq!(others.len(), 4, "all designs do {ours}");
        let peer = others.iter().find(|other| other.design == "PerCpuRwLock").expect("it");
        assert!(ours.rmws <= peer.rmws && ours.fences <= peer.fences, "{ours}\n{peer}");
        for other in others {
            assert!(ours.written <= other.written, "{ours}\n{other}");
            assert!(ours.loads + ours.stores <= other.loads + other.stores, "{ours}\n{other}");
        }
    }
}

/// Holds that two processors which map entries of one table write no line of each other:
/// with a lock that all readers count themselves in, they do.
#[test]
fn users_of_a_table_write_no_common_line() {
    for (design, tables) in designs() {
        let is_scalable = |version| {
            let mut steps = Case::ALL.iter().flat_map(|case| trace(&*tables, version, *case));
            steps.all(|step| {
                !step.access.writes()
                    || ["cpu", "gref"].iter().any(|actor| step.belongs_to.contains(actor))
            })
        };
        let is_meant = matches!(design, "PerCpuRwLock" | "PackedWords");
        for version in [Version::One, Version::Two] {
            assert_eq!(is_scalable(version), is_meant, "{design}, {version:?}");
        }
    }
}
