//! Job files made flat: `include` and variables replaced by what they stand for, since a guest has
//! neither files nor an environment; and sections left out that are not asked for.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use fio_job::included;
use guest_protocol::job_node::JOB_FILE_BYTES_MAX;

use super::read::{file_text, too_long};
use super::text::{At, Fault, JobText, Place};
use super::variables::{Machine, expanded};
use crate::display;

/// Most files within each other.
const DEPTH_MAX: usize = 16;
/// Most files that a job includes, one after the other.
const INCLUDES_MAX: usize = 256;

/// Part of a job file that is wanted, and for whom.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Sections to take; none for all.
    pub sections: &'a [String],
    /// Guest that is to run it.
    pub machine: Machine,
}

/// Adds a job file to a text that has its name.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn add_file(job: JobText, path: &Path, wanted: Wanted<'_>) -> Result<JobText, Fault> {
    let text = file_text(path).map_err(|what| whole(&job, what))?;
    add(job, &text, path, wanted, &|name| env::var_os(name))
}

/// Returns what is wrong with the file that was asked for.
fn whole(job: &JobText, what: String) -> Fault {
    Fault { at: At::File, ..job.fault(Place { file: 0, line: None }, what) }
}

fn add(
    job: JobText,
    text: &str,
    path: &Path,
    wanted: Wanted<'_>,
    environment: Environment<'_>,
) -> Result<JobText, Fault> {
    let mut flat = Flat {
        job,
        wanted,
        environment,
        within: vec![path.to_owned()],
        included: 0,
        has_section: false,
        found: Vec::new(),
        is_left_out: false,
    };
    flat.file(text, 0)?;
    let missing = wanted.sections.iter().find(|section| !flat.found.contains(section));
    match missing {
        Some(section) => {
            let what = format!("has no section [{}]", display::text(section));
            Err(whole(&flat.job, what))
        }
        None => Ok(flat.job),
    }
}

/// Look-up of a variable.
type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A text in the making.
struct Flat<'a> {
    job: JobText,
    wanted: Wanted<'a>,
    environment: Environment<'a>,
    /// Files that are being read: each includes the next.
    within: Vec<PathBuf>,
    included: usize,
    has_section: bool,
    /// Sections of `wanted` that are there.
    found: Vec<&'a String>,
    is_left_out: bool,
}

impl<'a> Flat<'a> {
    /// Adds the lines of the innermost file, which has this index.
    fn file(&mut self, text: &str, file: usize) -> Result<(), Fault> {
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let place = Place { file, line: Some(index + 1) };
            self.line(line, place).map_err(|error| match error {
                Wrong::Here(what) => self.job.fault(place, what),
                Wrong::Elsewhere(fault) => fault,
            })?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str, place: Place) -> Result<(), Wrong> {
        let code = line.split([';', '#']).next().unwrap_or_default().trim();
        let is_included = self.within.len() > 1;
        if code.starts_with('[') {
            if is_included {
                let what = "an included file cannot have sections; move them to the job file";
                return Err(Wrong::Here(what.to_owned()));
            }
            self.section(code);
        }
        if self.is_left_out {
            self.job.mark(false);
        } else if code.is_empty() || code.starts_with('[') {
            match is_included {
                true => {}
                false => self.job.push(line, place),
            }
        } else if let Some(name) = included(code) {
            if !self.has_section {
                let what = "include comes before the first section; begin with [global]";
                return Err(Wrong::Here(what.to_owned()));
            }
            self.include(name).map_err(|error| match error {
                Wrong::Here(what) => {
                    Wrong::Here(format!("include {}: {what}", display::text(name)))
                }
                elsewhere => elsewhere,
            })?;
        } else {
            let replaced = expanded(code, self.wanted.machine, self.environment)?;
            if replaced.has_machine {
                self.job.mark(true);
            }
            match replaced.line == code && !is_included {
                true => self.job.push(line, place),
                false => self.job.push_changed(&replaced.line, place),
            }
        }
        if self.job.as_str().len() > JOB_FILE_BYTES_MAX {
            return Err(Wrong::Elsewhere(whole(&self.job, too_long())));
        }
        Ok(())
    }

    /// Begins a section, as its line has it.
    fn section(&mut self, code: &str) {
        self.has_section = true;
        let name = code.trim_start_matches('[').trim_end_matches(']').trim();
        let wanted = self.wanted.sections.iter().find(|wanted| *wanted == name);
        self.found.extend(wanted);
        let is_global = name.starts_with("global");
        self.is_left_out = !self.wanted.sections.is_empty() && wanted.is_none() && !is_global;
    }

    /// Adds a file that the innermost one includes.
    fn include(&mut self, name: &str) -> Result<(), Wrong> {
        let path = self.path_of(name);
        let real =
            fs::canonicalize(&path).map_err(|error| format!("it cannot be read: {error}"))?;
        let is_open = |open: &PathBuf| fs::canonicalize(open).is_ok_and(|open| open == real);
        self.included += 1;
        if self.within.iter().any(is_open) {
            return Err(Wrong::Here("the file includes itself".to_owned()));
        }
        if self.within.len() > DEPTH_MAX {
            return Err(Wrong::Here(format!("more than {DEPTH_MAX} files within each other")));
        }
        if self.included > INCLUDES_MAX {
            return Err(Wrong::Here(format!("more than {INCLUDES_MAX} files")));
        }
        let text = file_text(&path).map_err(|what| format!("it {what}"))?;
        let file = self.job.add_file(&display::path(&path));
        self.job.mark(false);
        self.within.push(path);
        self.file(&text, file).map_err(Wrong::Elsewhere)?;
        self.within.pop();
        Ok(())
    }

    /// Returns the path of an included file: as in fio it is sought from here, and then beside the
    /// file that includes it.
    fn path_of(&self, name: &str) -> PathBuf {
        let here = Path::new(".").join(name);
        let beside = self.within.last().and_then(|within| within.parent());
        let beside = beside.map(|parent| parent.join(name));
        match Path::new(name).exists() {
            true if name == "-" => here,
            true => PathBuf::from(name),
            false => beside.unwrap_or(here),
        }
    }
}

/// Fault of a line.
enum Wrong {
    /// Text about this line.
    Here(String),
    /// Fault in a file that it includes.
    Elsewhere(Fault),
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self::Here(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of files.
    struct Files(PathBuf);

    impl Files {
        fn new(test: &str, files: &[(&str, &str)]) -> Self {
            let place = env::temp_dir().join(format!("ringmark-{}-{test}", std::process::id()));
            let _ = fs::remove_dir_all(&place);
            fs::create_dir_all(place.join("sub")).unwrap();
            for (name, text) in files {
                fs::write(place.join(name), text).unwrap();
            }
            Self(place)
        }

        /// Returns the job of a file made flat, or what is wrong, without the directory's name.
        fn flat(&self, name: &str, sections: &[&str]) -> Result<JobText, String> {
            let path = self.0.join(name);
            let sections: Vec<String> = sections.iter().map(|name| (*name).to_owned()).collect();
            let wanted = Wanted { sections: &sections, ..Wanted::default() };
            let job = JobText::new(&display::path(&path));
            let text = file_text(&path).unwrap();
            let environment = |name: &str| (name == "BS").then(|| "8k".into());
            let flat = add(job, &text, &path, wanted, &environment);
            flat.map_err(|fault| self.without(&fault.to_string()))
        }

        fn without(&self, text: &str) -> String {
            text.replace(&format!("{}/", self.0.display()), "")
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_without_anything_of_dom0_stays_as_it_is() {
        let text = "; ${BS} include x\r\n[global] # a\n\n  bs = 8k ; $ncpus\n[a]\nname=$x";
        let files = Files::new("as-it-is", &[("a.fio", text)]);
        let flat = files.flat("a.fio", &[]).unwrap();
        assert_eq!((flat.as_str(), flat.is_its_file(), flat.has_machine()), (text, true, false));
    }

    #[test]
    fn included_files_and_variables_are_put_in() {
        let files = Files::new(
            "put-in",
            &[
                ("a.fio", "[global]\ninclude sub/b.inc ; x\nbs=${BS} # y\n[a]\nnumjobs=$ncpus\n"),
                ("sub/b.inc", "# c\n\n rw=read\ninclude=c.inc\niodepth=2"),
                ("sub/c.inc", "norandommap\n"),
            ],
        );
        let flat = files.flat("a.fio", &[]).unwrap();
        let expected = "[global]\nrw=read\nnorandommap\niodepth=2\nbs=8k\n[a]\nnumjobs=1\n";
        assert_eq!(
            (flat.as_str(), flat.is_its_file(), flat.has_machine()),
            (expected, false, true)
        );
        let places = (1..=8).map(|line| files.without(&flat.fault_at(line, "x").to_string()));
        let expected = [
            "a.fio: line 1",
            "sub/b.inc: line 3",
            "sub/c.inc: line 1",
            "sub/b.inc: line 5",
            "a.fio: line 3",
            "a.fio: line 4",
            "a.fio: line 5",
            "a.fio",
        ];
        assert_eq!(places.collect::<Vec<_>>(), expected.map(|place| format!("{place}: x")));
    }

    #[test]
    fn sections_are_chosen_with_the_globals_before_them() {
        let text = "[global]\nbs=4k\n[a]\nrw=read\nbs=${NO}\ninclude no\n[globals]\nrw=write\n[b]\n\
                    iodepth=2\n[a]\nnumjobs=2\n";
        let files = Files::new("sections", &[("a.fio", text)]);
        let flat = files.flat("a.fio", &["b"]).unwrap();
        assert_eq!(flat.as_str(), "[global]\nbs=4k\n[globals]\nrw=write\n[b]\niodepth=2\n");
        assert!(!flat.is_its_file());
        assert_eq!(files.without(&flat.fault_at(6, "x").to_string()), "a.fio: line 10: x");
        for (wanted, told) in [
            (&["b", "c"][..], "a.fio has no section [c]"),
            (&["a"], "a.fio: line 5: ${NO} is not set; set it, as in NO=.. ringmark .."),
        ] {
            assert_eq!(files.flat("a.fio", wanted).unwrap_err(), told);
        }
    }

    #[test]
    fn faults_are_told_where_they_are() {
        let files = Files::new(
            "faults",
            &[
                ("first", "include sub/x\n[a]\n"),
                ("missing", "[a]\n\ninclude sub/no\n"),
                ("self", "[a]\nbs=4k\ninclude self\n"),
                ("loop", "[a]\ninclude sub/loop.inc\n"),
                ("sub/loop.inc", "bs=4k\ninclude ../sub/loop.inc\n"),
                ("section", "[a]\ninclude sub/section.inc\n"),
                ("sub/section.inc", "bs=4k\n[b]\n"),
                ("unset", "[a]\ninclude sub/unset.inc\n"),
                ("sub/unset.inc", "\nbs=${NO}\n"),
                ("text", "[a]\ninclude sub\n"),
                ("many", &format!("[a]\n{}", "include sub/none.inc\n".repeat(257))),
                ("sub/none.inc", ""),
                ("long", &format!("[a]\n{}", "include sub/long.inc\n".repeat(40))),
                ("sub/long.inc", &"rw=read\n".repeat(300)),
            ],
        );
        for (name, told) in [
            ("first", "first: line 1: include comes before the first section; begin with [global]"),
            (
                "missing",
                "missing: line 3: include sub/no: it cannot be read: No such file or directory \
                 (os error 2)",
            ),
            ("self", "self: line 3: include self: the file includes itself"),
            ("loop", "sub/loop.inc: line 2: include ../sub/loop.inc: the file includes itself"),
            (
                "section",
                "sub/section.inc: line 2: an included file cannot have sections; move them to the \
                 job file",
            ),
            ("unset", "sub/unset.inc: line 2: ${NO} is not set; set it, as in NO=.. ringmark .."),
            ("text", "text: line 2: include sub: it cannot be read: Is a directory (os error 21)"),
            ("many", "many: line 258: include sub/none.inc: more than 256 files"),
            (
                "long",
                "long is too long; the most that the guest accepts are 65536 bytes, with options \
                 and included files",
            ),
        ] {
            assert_eq!(files.flat(name, &[]).unwrap_err(), told);
        }
    }

    #[test]
    fn files_within_each_other_have_an_end() {
        let text = |number: usize| format!("include {}.inc\n", number + 1);
        let mut files: Vec<(String, String)> =
            (1..40).map(|number| (format!("{number}.inc"), text(number))).collect();
        files.push(("a.fio".to_owned(), "[a]\ninclude 1.inc\n".to_owned()));
        let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
        let error = Files::new("deep", &files).flat("a.fio", &[]).unwrap_err();
        assert_eq!(error, "16.inc: line 1: include 17.inc: more than 16 files within each other");
    }
}
