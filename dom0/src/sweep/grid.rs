//! The cells of a grid, the order of their runs, and the job of each.

use anyhow::Result;

use super::axis::is_of_guest;
use super::file::{Axis, Header};
use crate::job::JobText;

/// A run that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// Index of its cell.
    pub cell: usize,
    /// Number of the run of this cell, from 1.
    pub repetition: u32,
}

/// Returns values as text: `bs=4k iodepth=8`.
pub fn shown(axes: &[Axis], at: &[String]) -> String {
    let values = axes.iter().zip(at).map(|(axis, value)| format!("{}={value}", axis.name));
    values.collect::<Vec<_>>().join(" ")
}

/// Returns the run of a cell as text.
pub fn shown_run(header: &Header, at: &[String], repetition: u32) -> String {
    let shown = shown(&header.axes, at);
    match header.repeat {
        1 => shown,
        repeat => format!("{shown} (repeat {repetition} of {repeat})"),
    }
}

/// Returns the values of all cells on the axes, the last axis fastest.
pub fn cells(axes: &[Axis]) -> Vec<Vec<String>> {
    let mut cells: Vec<Vec<String>> = vec![Vec::new()];
    for axis in axes {
        let with =
            |cell: &Vec<String>, value: &String| [&cell[..], std::slice::from_ref(value)].concat();
        cells = cells
            .iter()
            .flat_map(|cell| axis.values.iter().map(move |value| with(cell, value)))
            .collect();
    }
    cells
}

/// Returns the runs of so many cells in their order: each cell once, as they are or as the seed
/// shuffles them, and then once more.
pub fn turns(cells: usize, header: &Header) -> Vec<Turn> {
    let mut rng = header.seed.map(fastrand::Rng::with_seed);
    let rounds = (1..=header.repeat).flat_map(|repetition| {
        let mut round: Vec<usize> = (0..cells).collect();
        if let Some(rng) = &mut rng {
            rng.shuffle(&mut round);
        }
        round.into_iter().map(move |cell| Turn { cell, repetition })
    });
    rounds.collect()
}

/// Returns the job of a cell: the axes' values hold for each of its jobs, in place of what these
/// say themselves.
///
/// # Errors
/// A value that no job file can have.
pub fn job(text: &JobText, axes: &[Axis], at: &[String]) -> Result<JobText> {
    let options = axes.iter().zip(at).filter(|(axis, _)| !is_of_guest(&axis.name));
    let options: Vec<String> =
        options.map(|(axis, value)| format!("{}={value}", axis.name)).collect();
    text.overlaid(&options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(seed: Option<u64>, repeat: u32) -> Header {
        let axis = |name: &str, values: &[&str]| Axis {
            name: name.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        Header {
            axes: vec![axis("bs", &["4k", "8k"]), axis("iodepth", &["1", "2", "4"])],
            repeat,
            seed,
            job: String::new(),
            kernel: String::new(),
            guest: Vec::new(),
        }
    }

    #[test]
    fn the_last_axis_is_the_fastest() {
        let header = header(None, 2);
        let cells = cells(&header.axes);
        let shown = |turn: &Turn| shown_run(&header, &cells[turn.cell], turn.repetition);
        let shown: Vec<String> = turns(cells.len(), &header).iter().map(shown).collect();
        assert_eq!(shown.len(), 12);
        assert_eq!(shown[1], "bs=4k iodepth=2 (repeat 1 of 2)");
        assert_eq!(shown[3], "bs=8k iodepth=1 (repeat 1 of 2)");
        assert_eq!(shown[6], "bs=4k iodepth=1 (repeat 2 of 2)");
    }

    #[test]
    fn a_seed_shuffles_the_same_cells() {
        let order = |seed, repeat| {
            let turns = turns(6, &header(seed, repeat));
            turns.iter().map(|turn| turn.cell).collect::<Vec<_>>()
        };
        let sorted = |seed| {
            let mut all = order(seed, 1);
            all.sort_unstable();
            all
        };
        assert_eq!(order(Some(5), 2), order(Some(5), 2));
        assert_ne!(order(Some(5), 1), order(Some(6), 1));
        assert_ne!(order(Some(5), 1), order(None, 1));
        assert_eq!(sorted(Some(5)), sorted(None));
    }

    #[test]
    fn a_value_is_in_place_of_the_jobs_own() {
        let text = "[global]\nblocksize = 1m ; large\nrw=read\n[a]\n  bs=2m\n[b]\niodepth=9 # x\n";
        let header = header(None, 1);
        let mut given = JobText::new("x");
        text.lines().for_each(|line| given.push_line(line));
        let text = job(&given, &header.axes, &["8k".to_owned(), "4".to_owned()]).unwrap();
        let text = text.as_str();
        let jobs = fio_job::parse_file(text).unwrap();
        assert_eq!(jobs.len(), 2);
        assert!(jobs.iter().all(|job| (job.bs_bytes, job.iodepth) == (8192, 4)), "{text}");
        assert!(text.contains("rw=read\n[a]\n[b]\n"), "{text}");
        for value in ["8k\nrw=write", "8k;", "8k #"] {
            assert!(job(&JobText::new("x"), &header.axes, &[value.to_owned()]).is_err(), "{value}");
        }
    }
}
