//! Domains that stay after a run, and how they are removed.

use super::crew::Outcome;
use crate::display;
use crate::status::Status;

/// Domains in one line, which has an end.
const LINE_MAX: usize = 20;

/// Tells which domains of these names are still there because they were to stay.
pub fn tell(guests: &[(&str, Outcome)], status: &mut Status) {
    lines(guests).iter().for_each(|line| status.remark(line));
}

/// Returns the lines that tell it. `xl destroy` takes one domain at a time, and a name may have
/// blanks.
fn lines(guests: &[(&str, Outcome)]) -> Vec<String> {
    let kept = guests.iter().filter_map(|(name, outcome)| Some((*name, outcome.kept?)));
    let kept: Vec<(&str, u32)> = kept.collect();
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
        let kept = |id| Outcome { kept: Some(id), ..Outcome::default() };
        let guests: Vec<_> = (1..=21).map(|id| ("a b", kept(id + 30_000))).collect();
        let lines = lines(&guests);
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("kept: a b (domid 30001), a b (domid 30002), "));
        assert_eq!(lines[3], "remove with: for id in 30021; do xl destroy $id; done");
        assert!(lines.iter().all(|line| line.len() < display::LINE_BYTES_MAX));
        assert!(super::lines(&[("a", Outcome::default())]).is_empty());
    }
}
