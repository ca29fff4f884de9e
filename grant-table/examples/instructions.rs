//! Instructions of each design's operations, counted by callgrind, with nobody else there.
//!
//! ```text
//! CARGO_PROFILE_RELEASE_STRIP=none cargo run --release -p grant-table --example instructions
//! ```
//! needs Debian's package `valgrind`. Without arguments the program runs itself under callgrind for
//! each design and operation; with a design and an operation it is what gets counted. callgrind
//! collects inside of one of the functions `counted_*` alone. The entry is of version 1; `shared`
//! ones have another mapping for writing all the time.

use std::error::Error;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use grant_table::{
    Access, Config, Cpu, GrantTables, Handle, PackedWords, PerCpuRwLock, PerVcpuHandles,
    SingleLock, SplitLocks, Status,
};
use protocols::Native;
use xen_abi::{DomId, GrantRef};

const TIMES: u64 = 4096;
const BY: DomId = DomId(0);
const OF: DomId = DomId(1);
const DESIGNS: [&str; 5] =
    ["SingleLock", "SplitLocks", "PerVcpuHandles", "PerCpuRwLock", "PackedWords"];
/// Operations, the function that is counted, and whether the entry has another mapping.
const OPERATIONS: [(&str, &str, bool); 5] = [
    ("map", "*counted_map*", false),
    ("unmap", "*counted_unmap*", false),
    ("map-shared", "*counted_map*", true),
    ("unmap-shared", "*counted_unmap*", true),
    ("copy", "*counted_copy*", false),
];

#[inline(never)]
fn counted_map<T: GrantTables<Native>>(
    tables: &T,
    cpu: &mut Cpu,
    gref: GrantRef,
) -> Result<Handle, Status> {
    let (by, of, access) = black_box((BY, OF, Access::Write));
    Ok(tables.map(cpu, by, of, gref, access)?.handle)
}

#[inline(never)]
fn counted_unmap<T: GrantTables<Native>>(
    tables: &T,
    cpu: &mut Cpu,
    handle: Handle,
) -> Result<(), Status> {
    tables.unmap(cpu, black_box(BY), handle)
}

#[inline(never)]
fn counted_copy<T: GrantTables<Native>>(
    tables: &T,
    cpu: &mut Cpu,
    [from, to]: [GrantRef; 2],
) -> Result<u32, Status> {
    let mut sum = 0;
    let (by, of) = black_box((BY, OF));
    tables.copy(cpu, by, (of, from), (of, to), &mut |from, to| sum = from + to)?;
    Ok(sum)
}

/// Runs the program that is counted: all operations, of which callgrind collects one.
fn work<T: GrantTables<Native>>(tables: &T, is_shared: bool) -> Result<(), Status> {
    let cpu = &mut Cpu::new(0);
    for gref in 0..16 {
        if let Some(entry) = tables.entry(OF, GrantRef(gref)) {
            entry.permit(BY, gref, Access::Write);
        }
    }
    // The first mapping makes handles, and is not counted.
    let other = tables.map(cpu, BY, OF, GrantRef(1), Access::Write)?.handle;
    if !is_shared {
        tables.unmap(cpu, BY, other)?;
    }
    for _ in 0..TIMES {
        // What the compiler knows of the entry would save it work that a hypercall can't save.
        let handle = counted_map(tables, cpu, black_box(GrantRef(1)))?;
        counted_unmap(tables, cpu, black_box(handle))?;
        counted_copy(tables, cpu, black_box([GrantRef(8), GrantRef(9)]))?;
    }
    Ok(())
}

fn run_design(design: &str, is_shared: bool) -> Result<(), Box<dyn Error>> {
    let config = Config::xen(2, 2);
    match design {
        "SingleLock" => work(&SingleLock::new(config), is_shared)?,
        "SplitLocks" => work(&SplitLocks::new(config), is_shared)?,
        "PerVcpuHandles" => work(&PerVcpuHandles::new(config), is_shared)?,
        "PerCpuRwLock" => work(&PerCpuRwLock::new(config), is_shared)?,
        "PackedWords" => work(&PackedWords::new(config), is_shared)?,
        _ => return Err("unknown design".into()),
    }
    Ok(())
}

/// Runs this program under callgrind; returns the instructions of one operation.
fn count(
    design: &str,
    (name, function, is_shared): (&str, &str, bool),
) -> Result<f64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={function}"))
        .arg(std::env::current_exe()?)
        .args([design, if is_shared { "shared" } else { "alone" }])
        .output()
        .map_err(|e| format!("valgrind: {e}; install the package valgrind"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{design}, {name}: {}\n{log}", output.status).into());
    }
    let collected = log.lines().find_map(|line| line.split_once("Collected : "));
    match collected.map(|(_, number)| number.trim().parse::<u64>()) {
        Some(Ok(0)) => Err("no symbols; build with CARGO_PROFILE_RELEASE_STRIP=none".into()),
        Some(Ok(instructions)) => Ok(instructions as f64 / TIMES as f64),
        _ => Err(format!("callgrind printed no count:\n{log}").into()),
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [design, uses] = &arguments[..] {
        return run_design(design, uses == "shared");
    }
    print!("design        ");
    OPERATIONS.iter().for_each(|(name, ..)| print!(" {name:>12}"));
    println!();
    for design in DESIGNS {
        print!("{design:14}");
        for operation in OPERATIONS {
            print!(" {:12.1}", count(design, operation)?);
        }
        println!();
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
