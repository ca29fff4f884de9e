//! Order in which a job's I/Os go to its disks (`file_service_type=`, `openfiles=`).

use crate::error::JobError;
use crate::value::Value;
use alloc::string::String;
use alloc::vec::Vec;

/// Refusal of what is drawn by a law.
const SKEWED: &str = "several disks are not drawn by a law; use file_service_type=random, or a job \
                      for each disk with its share as rate=";

/// Order in which a job's I/Os go to its disks; by default each goes to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileService {
    /// Way in which the next disk is chosen.
    pub order: FileOrder,
    /// I/Os in a row to a disk before the next is chosen, at least 1.
    pub ios: u32,
    /// Most disks that are open at once, at least 1 (`openfiles=`): a disk is opened by its first
    /// I/O and closed once it is gone through. `None` is all.
    pub open: Option<u32>,
}

/// Way in which a job's next disk is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOrder {
    /// Turns.
    RoundRobin,
    /// Turn that ends only when the disk is gone through.
    Sequential,
    /// Draws of disks that are equally likely.
    Random,
    /// Draws by zipf's, pareto's or gauss's law: only of jobs with a single disk.
    Skewed,
}

impl Default for FileService {
    fn default() -> Self {
        Self { order: FileOrder::RoundRobin, ios: 1, open: None }
    }
}

impl FileService {
    /// Reads `roundrobin:4` and the like into the order and the I/Os in a row.
    pub(crate) fn read(&mut self, value: Value<'_>) -> Result<(), JobError> {
        let text = value.text()?;
        let (word, number) = text.split_once(':').map_or((text, None), |(w, n)| (w, Some(n)));
        self.order = match word {
            "roundrobin" => FileOrder::RoundRobin,
            "sequential" => FileOrder::Sequential,
            "random" => FileOrder::Random,
            "zipf" | "pareto" | "normal" | "gauss" => FileOrder::Skewed,
            _ => return Err(value.wrong("use roundrobin, sequential or random")),
        };
        self.ios = match (self.order, number) {
            (FileOrder::Skewed, _) | (_, None) => 1,
            // As in fio, none is counted down without end.
            (_, Some(number)) => match value.part(number).count()? {
                0 => u32::MAX,
                ios => u32::try_from(ios).map_err(|_| value.wrong("too many; use 1 to 1000"))?,
            },
        };
        Ok(())
    }

    /// Returns what of it matters for so many disks; 0 are all that there are.
    ///
    /// # Errors
    /// Returns a way to fix it.
    pub(crate) fn of_disks(self, disks: usize) -> Result<Self, &'static str> {
        let Self { order, ios, open } = self;
        match order {
            _ if disks == 1 => Ok(Self::default()),
            FileOrder::Skewed => Err(SKEWED),
            _ => Ok(Self {
                order,
                ios: if order == FileOrder::Sequential { 1 } else { ios },
                open: open.filter(|&open| open != 0 && (disks == 0 || (open as usize) < disks)),
            }),
        }
    }

    /// Returns whether each I/O goes to the next disk.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the options that give it.
    pub(crate) fn options(&self) -> Vec<(&'static str, String)> {
        let word = match self.order {
            FileOrder::RoundRobin => "roundrobin",
            FileOrder::Sequential => "sequential",
            FileOrder::Random => "random",
            FileOrder::Skewed => "zipf",
        };
        let order = match self.ios {
            1 => word.into(),
            u32::MAX => alloc::format!("{word}:0"),
            ios => alloc::format!("{word}:{ios}"),
        };
        let is_named = self.order != FileOrder::RoundRobin || self.ios != 1;
        let order = is_named.then_some(("file_service_type", order));
        let open = self.open.map(|open| ("openfiles", alloc::format!("{open}")));
        order.into_iter().chain(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use crate::parse_file;

    fn service(options: &str) -> FileService {
        let line = alloc::format!("filename=xvda:xvdb:xvdc {options}");
        parse(&line).expect(&line)[0].file_service
    }

    #[test]
    fn orders_are_fios() {
        use FileOrder::{Random, RoundRobin, Sequential};
        for (options, order, ios, open) in [
            ("", RoundRobin, 1, None),
            ("file_service_type=roundrobin", RoundRobin, 1, None),
            ("file_service_type=roundrobin:3", RoundRobin, 3, None),
            ("file_service_type=roundrobin:0", RoundRobin, u32::MAX, None),
            ("file_service_type=sequential:7", Sequential, 1, None),
            ("file_service_type=random:4 openfiles=2", Random, 4, Some(2)),
            ("openfiles=3", RoundRobin, 1, None),
            ("openfiles=0", RoundRobin, 1, None),
            ("openfiles=1", RoundRobin, 1, Some(1)),
        ] {
            assert_eq!(service(options), FileService { order, ios, open }, "{options}");
        }
    }

    #[test]
    fn a_single_disk_is_always_the_next() {
        for option in ["zipf:1.2", "pareto", "normal:3", "gauss", "random:5", "sequential"] {
            let line = alloc::format!("filename=xvda openfiles=1 file_service_type={option}");
            assert!(parse(&line).expect(&line)[0].file_service.is_plain(), "{line}");
        }
    }

    #[test]
    fn what_is_not_drawn_is_refused() {
        for (option, why) in [
            ("zipf:1.2", "not drawn by a law"),
            ("gauss", "not drawn by a law"),
            ("any", "use roundrobin"),
            ("random:-1", "number"),
            ("random:5000000000", "too many"),
            ("random:", "value"),
        ] {
            let line = alloc::format!("filename=xvda:xvdb file_service_type={option}");
            let error = alloc::format!("{}", parse(&line).expect_err(&line));
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    /// Rule of fio 3.33: in a section `filename=` comes first, and counts its files anew.
    #[test]
    fn the_first_disks_are_those_of_a_filename_before() {
        let disks = |jobs: Vec<crate::Job>| jobs[0].disks.len();
        for (line, count) in [
            ("--filename=xvda:xvdb:xvdc --nrfiles=1", 1),
            ("--nrfiles=1 --filename=xvda:xvdb:xvdc", 3),
            ("--filename=xvda:xvdb:xvdc --nr_files=2", 2),
            ("--filename=xvda:xvdb:xvdc --nrfiles=5", 3),
            ("--filename=xvda:xvdb:xvdc --name=a --nrfiles=2", 2),
        ] {
            assert_eq!(disks(parse(line).expect(line)), count, "{line}");
        }
        for (text, count) in [
            ("[global]\nfilename=xvda:xvdb:xvdc\n[a]\nnrfiles=1", 1),
            ("[global]\nfilename=xvda:xvdb:xvdc\n[global]\nnrfiles=1\n[a]", 1),
            ("[a]\nfilename=xvda:xvdb:xvdc\nnrfiles=1", 3),
            ("[a]\nnrfiles=1\nfilename=xvda:xvdb:xvdc", 3),
            ("[global]\nnrfiles=2\n[a]\nfilename=xvda:xvdb:xvdc", 3),
            ("[global]\nfilename=xvda:xvdb:xvdc\nnrfiles=1\n[a]", 3),
        ] {
            assert_eq!(disks(parse_file(text).expect(text)), count, "{text}");
        }
    }
}
