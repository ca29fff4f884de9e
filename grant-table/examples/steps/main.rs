//! Accesses of each design's operations to words that processors share, in their order.
//!
//! ```text
//! cargo run -p grant-table --example steps
//! ```
//! prints a line for each access, of version 1 entries, with the columns
//!
//! | column | is |
//! |---|---|
//! | design | as the crate calls it |
//! | operation | `map`, `unmap`; `-shared` if the entry has another mapping; `copy` in a table |
//! | step | its number in the operation, from 0 |
//! | kind | `load`, `store`, `rmw` (a locked instruction), `fence` |
//! | order | `Relaxed`, `Acquire`, `Release`, `AcqRel`, `SeqCst` |
//! | line | number of its cache line (64 bytes) in the operation; `-` for a fence |
//! | of | actors that have to be the same for the line to be: `cpu`, domains `by`, `of`; or `all` |
//!
//! Nothing is waited for: each word is free when it is asked for. Both domains and both processors
//! are different. Words that never change after the start, such as sizes, are not counted.
//!
//! With the argument `totals` it prints sums for each operation of both versions instead, which
//! `tests/costs.rs` holds to `tests/costs.txt`.

mod counted;
mod totals;
mod traces;

use counted::Kind;
use grant_table::Version;
use traces::{Case, Step, designs, trace};

fn print(design: &str, case: Case, steps: &[Step]) {
    let mut lines: Vec<usize> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let kind = match step.access.kind {
            Kind::Load => "load",
            Kind::Store => "store",
            Kind::Rmw => "rmw",
            Kind::Fence => "fence",
        };
        let known = lines.iter().position(|line| *line == step.access.line());
        let (line, of) = match step.access.kind {
            Kind::Fence => ("-".to_string(), "-".to_string()),
            _ => {
                let line = known.unwrap_or(lines.len());
                let of = step.belongs_to.join("+");
                (line.to_string(), if of.is_empty() { "all".into() } else { of })
            }
        };
        if known.is_none() && step.access.kind != Kind::Fence {
            lines.push(step.access.line());
        }
        println!(
            "{design:14} {:12} {number:4} {kind:5} {:7} {line:>4} {of}",
            case.name(),
            format!("{:?}", step.access.order),
        );
    }
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("totals") {
        println!("{}", totals::HEAD);
        totals::totals().iter().for_each(|total| println!("{total}"));
        return;
    }
    println!("design         operation    step kind  order   line of");
    for (design, tables) in designs() {
        for case in Case::ALL {
            print(design, case, &trace(&*tables, Version::One, case));
        }
    }
}
