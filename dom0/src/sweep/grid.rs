//! The cells of a grid, the order of their runs, and the job of each.

use anyhow::Result;
use fio_job::find_option;

use super::axis::is_of_guest;
use super::file::{Axis, Header};
use crate::job;

/// A run of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Value on each axis.
    pub at: Vec<String>,
    /// Number of the run of this cell, from 1.
    pub repetition: u32,
}

impl Place {
    /// Returns it as text: `bs=4k iodepth=8`.
    pub fn shown(&self, header: &Header) -> String {
        let values = header.axes.iter().zip(&self.at);
        let mut shown: Vec<String> =
            values.map(|(axis, value)| format!("{}={value}", axis.name)).collect();
        if header.repeat > 1 {
            shown.push(format!("(run {} of {})", self.repetition, header.repeat));
        }
        shown.join(" ")
    }
}

/// Returns all runs in their order: each cell once, the last axis fastest or as the seed shuffles
/// them, and then once more.
pub fn places(header: &Header) -> Vec<Place> {
    let mut cells: Vec<Vec<String>> = vec![Vec::new()];
    for axis in &header.axes {
        let with =
            |cell: &Vec<String>, value: &String| [&cell[..], std::slice::from_ref(value)].concat();
        cells = cells
            .iter()
            .flat_map(|cell| axis.values.iter().map(move |value| with(cell, value)))
            .collect();
    }
    let mut state = header.seed;
    let rounds = (1..=header.repeat).flat_map(|repetition| {
        let mut round = cells.clone();
        if let Some(state) = &mut state {
            shuffle(&mut round, state);
        }
        round.into_iter().map(move |at| Place { at, repetition })
    });
    rounds.collect()
}

/// Shuffles as Fisher and Yates, with numbers of SplitMix64.
fn shuffle<T>(items: &mut [T], state: &mut u64) {
    for last in (1..items.len()).rev() {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        items.swap(last, ((mixed ^ mixed >> 31) % (last as u64 + 1)) as usize);
    }
}

/// Returns the job of a cell: the axes' values hold for each of its jobs, in place of what these
/// say themselves.
///
/// # Errors
/// A value that no job file can have.
pub fn job(text: &str, axes: &[Axis], at: &[String]) -> Result<String> {
    let options = axes.iter().zip(at).filter(|(axis, _)| !is_of_guest(&axis.name));
    let options: Vec<String> =
        options.map(|(axis, value)| format!("{}={value}", axis.name)).collect();
    let mut job = job::defaults(&options)?;
    for line in text.lines() {
        let code = line.split([';', '#']).next().unwrap_or_default().trim();
        let name = code.split('=').next().unwrap_or_default().trim_end();
        let name = find_option(name).ok().flatten().and_then(|doc| doc.names.first().copied());
        if !axes.iter().any(|axis| Some(axis.name.as_str()) == name) {
            job.push_str(line);
            job.push('\n');
        }
    }
    Ok(job)
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
        let shown: Vec<String> = places(&header).iter().map(|place| place.shown(&header)).collect();
        assert_eq!(shown.len(), 12);
        assert_eq!(shown[1], "bs=4k iodepth=2 (run 1 of 2)");
        assert_eq!(shown[3], "bs=8k iodepth=1 (run 1 of 2)");
        assert_eq!(shown[6], "bs=4k iodepth=1 (run 2 of 2)");
    }

    #[test]
    fn a_seed_shuffles_the_same_cells() {
        let sorted = |seed| {
            let mut all: Vec<String> =
                places(&header(seed, 1)).iter().map(|place| place.at.concat()).collect();
            all.sort();
            all
        };
        assert_eq!(places(&header(Some(5), 2)), places(&header(Some(5), 2)));
        assert_ne!(places(&header(Some(5), 1)), places(&header(Some(6), 1)));
        assert_ne!(places(&header(Some(5), 1)), places(&header(None, 1)));
        assert_eq!(sorted(Some(5)), sorted(None));
    }

    #[test]
    fn a_value_is_in_place_of_the_jobs_own() {
        let text = "[global]\nblocksize = 1m ; large\nrw=read\n[a]\n  bs=2m\n[b]\niodepth=9 # x\n";
        let header = header(None, 1);
        let text = job(text, &header.axes, &["8k".to_owned(), "4".to_owned()]).unwrap();
        let jobs = fio_job::parse_file(&text).unwrap();
        assert_eq!(jobs.len(), 2);
        assert!(jobs.iter().all(|job| (job.bs_bytes, job.iodepth) == (8192, 4)), "{text}");
        assert!(text.contains("rw=read\n[a]\n[b]\n"), "{text}");
        for value in ["8k\nrw=write", "8k;", "8k #"] {
            assert!(job("[a]\n", &header.axes, &[value.to_owned()]).is_err(), "{value}");
        }
    }
}
