//! `--keep`: domains that stay after a run, and how they are removed.

use anyhow::Result;

use crate::display;
use crate::exit::Exit;
use crate::status::Status;

/// Domains in one line, which has an end.
const LINE_MAX: usize = 20;

/// Checks that there is one run only, as counted by that option, if domains are to stay.
///
/// # Errors
/// [`Exit::Usage`]: there are several.
pub fn check(is_wanted: bool, runs: u32, option: &str) -> Result<()> {
    if !is_wanted || runs == 1 {
        return Ok(());
    }
    let what = "--keep would leave the first run's domains in the way of the next";
    Err(Exit::Usage(format!("{what}; leave out {option}")).into())
}

/// Tells which domains, each by its name and number, are still there because they were to stay.
pub fn tell(kept: &[(&str, u32)], status: &mut Status) {
    lines(kept).iter().for_each(|line| status.remark(line));
}

/// Returns the lines that tell it. `xl destroy` takes one domain at a time, and a name may have
/// blanks.
fn lines(kept: &[(&str, u32)]) -> Vec<String> {
    let line = |some: &[(&str, u32)]| {
        let name = |(name, id): &(&str, u32)| format!("{} (domid {id})", display::text(name));
        let names: Vec<String> = some.iter().map(name).collect();
        let ids: Vec<String> = some.iter().map(|(_, id)| id.to_string()).collect();
        let (names, ids) = (names.join(", "), ids.join(" "));
        [format!("kept: {names}"), format!("remove with: for id in {ids}; do xl destroy $id; done")]
    };
    kept.chunks(LINE_MAX).flat_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_is_cut() {
        let kept: Vec<_> = (1..=21).map(|id| ("a b", id + 30_000)).collect();
        let lines = lines(&kept);
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("kept: a b (domid 30001), a b (domid 30002), "));
        assert_eq!(lines[3], "remove with: for id in 30021; do xl destroy $id; done");
        assert!(lines.iter().all(|line| line.len() < display::LINE_BYTES_MAX));
        assert!(super::lines(&[]).is_empty());
    }
}
