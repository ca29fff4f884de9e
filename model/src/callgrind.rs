//! Counts of instructions by callgrind, for the examples that run themselves under it.

use std::error::Error;
use std::process::Command;

/// Returns the instructions that this program executes inside of some functions, when it runs with
/// these arguments. The functions' names are patterns of callgrind's `--toggle-collect`.
///
/// # Errors
/// Fails if valgrind is not there or the program fails, or if nothing is counted.
pub fn count(functions: &[&str], arguments: &[&str]) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(functions.iter().map(|function| format!("--toggle-collect={function}")))
        .arg(std::env::current_exe()?)
        .args(arguments)
        .output()
        .map_err(|e| format!("valgrind: {e}; install the package valgrind"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{arguments:?}: {}\n{log}", output.status).into());
    }
    let collected = log.lines().find_map(|line| line.split_once("Collected : "));
    match collected.map(|(_, number)| number.trim().parse()) {
        Some(Ok(0)) => Err("no symbols; build with CARGO_PROFILE_RELEASE_STRIP=none".into()),
        Some(Ok(instructions)) => Ok(instructions),
        _ => Err(format!("callgrind printed no count:\n{log}").into()),
    }
}
