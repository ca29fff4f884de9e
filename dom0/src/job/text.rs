//! The text of a job file as the guest is to read it, and where each line comes from.

use std::fmt;

use fio_job::{JobError, find_option};

use super::words::{defaults, name};
use crate::display;
use crate::exit::Exit;
use crate::plan::Plan;

/// Part of a job file that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The file itself, before anybody knows its lines.
    File,
    /// A line, by its number from 1.
    Line(usize),
    /// Something that is in no line alone.
    Jobs,
}

/// Something that is wrong with a job file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Name of the file, as it is shown.
    pub file: String,
    /// Part that is wrong.
    pub at: At,
    /// Fault of that.
    pub what: String,
}

impl Fault {
    /// Returns it as compilers write it: `FILE:LINE: KIND: what`.
    pub fn with_kind(&self, kind: &str) -> String {
        let line = if let At::Line(line) = self.at { format!(":{line}") } else { String::new() };
        format!("{}{line}: {kind}: {}", self.file, self.what)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At::File => write!(f, "{} {}", self.file, self.what),
            At::Line(line) => write!(f, "{}: line {line}: {}", self.file, self.what),
            At::Jobs => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

impl From<Fault> for Exit {
    fn from(fault: Fault) -> Self {
        Self::Usage(fault.to_string())
    }
}

/// Origin of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of its file.
    pub file: usize,
    /// Number of the line there, from 1; `None` for what is in no file.
    pub line: Option<usize>,
}

/// A job file with nothing in it that only dom0 knows: no `include`, no variable.
#[derive(Clone, Debug)]
pub struct JobText {
    text: String,
    /// Origins of its lines.
    places: Vec<Place>,
    /// Names of its files, as they are shown; the first is that which was asked for.
    files: Vec<String>,
    /// Flag: it has figures of the guest (`$ncpus`, `$mb_memory`).
    has_machine: bool,
    /// Flag: it differs from its file.
    is_changed: bool,
}

impl JobText {
    /// A text without lines, of a file of this name.
    pub fn new(file: &str) -> Self {
        let files = vec![file.to_owned()];
        let (places, has_machine) = (Vec::new(), false);
        Self { text: String::new(), places, files, has_machine, is_changed: false }
    }

    /// Adds a file, and returns its index.
    pub fn add_file(&mut self, file: &str) -> usize {
        self.files.push(file.to_owned());
        self.files.len() - 1
    }

    /// Adds a line; one that does not end goes on with the next.
    pub fn push(&mut self, line: &str, place: Place) {
        self.text.push_str(line);
        self.places.push(place);
    }

    /// Adds a line that no file has like this.
    pub fn push_changed(&mut self, line: &str, place: Place) {
        self.push(line, place);
        self.text.push('\n');
        self.is_changed = true;
    }

    /// Adds a line that is in no file.
    pub fn push_line(&mut self, line: &str) {
        self.push_changed(line, Place { file: 0, line: None });
    }

    /// Marks that a line of the file is left out, or has figures of the guest.
    pub fn mark(&mut self, has_machine: bool) {
        self.is_changed = true;
        self.has_machine |= has_machine;
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the guest can read the file itself instead.
    pub fn is_its_file(&self) -> bool {
        !self.is_changed
    }

    /// Returns whether it would be another in a guest with other vCPUs or memory.
    pub fn has_machine(&self) -> bool {
        self.has_machine
    }

    /// Returns what is wrong at a place.
    pub fn fault(&self, place: Place, what: String) -> Fault {
        let file = self.files.get(place.file).or(self.files.first());
        let at = place.line.map_or(At::Jobs, At::Line);
        Fault { file: file.cloned().unwrap_or_default(), at, what }
    }

    /// Returns where an error of the text is in its files.
    pub fn fault_of(&self, error: &JobError) -> Fault {
        match error {
            JobError::Line { number, cause } => self.fault_at(*number, &cause.to_string()),
            error => self.fault_at(0, &error.to_string()),
        }
    }

    /// Returns where what is wrong in a line of this number is in its files; 0 is no line.
    pub fn fault_at(&self, number: usize, what: &str) -> Fault {
        let place = number.checked_sub(1).and_then(|index| self.places.get(index));
        let place = place.copied().unwrap_or(Place { file: 0, line: None });
        self.fault(place, display::text(what))
    }

    /// Returns its jobs.
    ///
    /// # Errors
    /// [`Exit::Usage`]: the first thing that is wrong with it.
    pub fn plan(&self) -> Result<Plan, Exit> {
        Plan::of_text(&self.text).map_err(|error| self.fault_of(&error).into())
    }

    /// Returns it with options laid over it: they hold for each of its jobs, in place of what
    /// these say themselves.
    ///
    /// # Errors
    /// [`Exit::Usage`]: an option that no job has, or a job file can't have.
    pub fn overlaid(&self, options: &[String]) -> anyhow::Result<Self> {
        let mut job = Self { text: String::new(), places: Vec::new(), ..self.clone() };
        defaults(options)?.lines().for_each(|line| job.push_line(line));
        let names = options.iter().map(|option| {
            let doc = find_option(name(option));
            let doc = doc.map_err(|error| Exit::Usage(display::text(&error.to_string())))?;
            Ok(doc.and_then(|doc| doc.names.first().copied()))
        });
        let names: Vec<Option<&str>> = names.collect::<anyhow::Result<_>>()?;
        for (line, place) in self.text.lines().zip(&self.places) {
            let code = line.split([';', '#']).next().unwrap_or_default();
            let doc = find_option(name(code)).ok().flatten();
            let first = doc.and_then(|doc| doc.names.first().copied());
            if first.is_none() || !names.contains(&first) {
                job.push_changed(line, *place);
            }
        }
        Ok(job)
    }
}
