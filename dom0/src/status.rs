//! Progress on standard error while a guest works. Never waited for: a pipe that nobody reads holds
//! nothing up.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use fio_job::number::parse_time_ns;
use serde::Serialize;

use crate::display;
use crate::event::Event;
use crate::wait::Wait;

/// Nanoseconds of a millisecond.
const NS_PER_MS: u64 = 1_000_000;
/// Time between status lines where output is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Longest wait for room for a line that is no progress.
const ROOM_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes that a pipe takes at once when it takes any (PIPE_BUF).
const PIECE_BYTES: usize = 4096;

/// Choice whether progress is shown (fio's `--eta`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Eta {
    /// On a terminal one line that is updated, elsewhere a line every five seconds.
    Auto,
    /// A line every five seconds.
    Always,
    /// Never.
    Never,
}

/// Form of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// The guest's status line.
    Text,
    /// A JSON object in each line, for each event and each status of the guest.
    Json,
}

/// Options of what is shown while a guest works; all of it goes to standard error.
#[derive(Args, Clone, Copy, Debug)]
pub struct StatusOptions {
    /// Progress display: when to show it
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    eta: Eta,
    /// Progress display: time between lines that stay, such as 30s; without it 5 s where output is
    /// not a terminal
    #[arg(long, value_name = "TIME", value_parser = parse_interval)]
    eta_newline: Option<Duration>,
    /// Progress display: its form
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    progress: Progress,
    /// Show neither progress nor remarks, only errors
    #[arg(long, short)]
    quiet: bool,
    /// Show each program that is run
    #[arg(long, short)]
    verbose: bool,
}

/// Reads the time between two lines, in seconds if it has no unit.
fn parse_interval(text: &str) -> Result<Duration, String> {
    let time_ns = parse_time_ns(text).map_err(|error| error.to_string())?;
    match time_ns {
        ..NS_PER_MS => Err("too short; use a millisecond or more".to_owned()),
        time_ns => Ok(Duration::from_nanos(time_ns)),
    }
}

/// Display of what a guest does while it works.
#[derive(Debug)]
pub struct Status {
    options: StatusOptions,
    /// Name of the domain.
    name: String,
    began: Instant,
    /// Whether one line is overwritten again and again.
    in_place: bool,
    /// Whether that line is not empty.
    dirty: bool,
    printed: Option<Instant>,
}

/// A line of `--progress=json`.
#[derive(Debug, Default, Serialize)]
struct Object<'a> {
    event: &'a str,
    guest: &'a str,
    /// Time since the session began, in milliseconds.
    elapsed_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    domid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

impl Status {
    /// Creates the display for a domain of this name.
    pub fn new(options: StatusOptions, name: &str) -> Self {
        let in_place = options.eta == Eta::Auto
            && options.progress == Progress::Text
            && io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let began = Instant::now();
        Self { options, name: name.to_owned(), began, in_place, dirty: false, printed: None }
    }

    /// Shows an event of the guest that it is for.
    pub fn show(&mut self, event: &Event) {
        let name = std::mem::take(&mut self.name);
        self.show_of(&name, event);
        self.name = name;
    }

    /// Shows an event of a guest of this name.
    pub fn show_of(&mut self, guest: &str, event: &Event) {
        if let (Event::Call(words), true) = (event, self.options.verbose) {
            self.print_line(&format!("+ {words}"));
        }
        if self.options.progress == Progress::Json && !self.options.quiet {
            self.show_object(guest, event);
            return;
        }
        match event {
            Event::Status(line) if !self.options.quiet => self.show_line(line),
            Event::Note(text) if !self.options.quiet => {
                self.print_line(&format!("ringmark: {text}"));
            }
            Event::Created(id) if self.options.verbose => {
                self.print_line(&format!("domain {guest} is created, id {id}"));
            }
            _ => {}
        }
    }

    fn show_object(&mut self, guest: &str, event: &Event) {
        let (event, domid, text) = match event {
            Event::Created(id) => ("created", Some(*id), None),
            Event::Started => ("started", None, None),
            Event::Status(_) if self.options.eta == Eta::Never => return,
            Event::Status(line) => ("status", None, Some(line.as_str())),
            Event::Note(text) => ("note", None, Some(text.as_str())),
            Event::Call(_)
            | Event::Prepared
            | Event::Ready(_)
            | Event::Result { .. }
            | Event::End { .. } => return,
        };
        let percent = text.and_then(percent);
        let elapsed_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let object = Object { event, guest, elapsed_ms, domid, percent, text };
        if let Ok(json) = serde_json::to_string(&object) {
            // Progress that finds no room is late; a remark is said once.
            let timeout = if event == "note" { ROOM_TIMEOUT } else { Duration::ZERO };
            write(&(json + "\n"), timeout);
        }
    }

    /// Shows the status line, if one is due.
    fn show_line(&mut self, line: &str) {
        if self.options.eta == Eta::Never {
            return;
        }
        if self.in_place {
            self.dirty = true;
            // Wrapping is off for this line, so the terminal cuts off what is too wide.
            write(&format!("\r\x1b[?7l{line}\x1b[K\x1b[?7h"), Duration::ZERO);
            let stays = self.options.eta_newline.is_some_and(|every| self.is_due(every));
            if stays && self.printed.replace(Instant::now()).is_some() {
                self.dirty = false;
                write("\n", Duration::ZERO);
            }
        } else if self.is_due(self.options.eta_newline.unwrap_or(LINE_EVERY)) {
            self.printed = Some(Instant::now());
            write(&format!("{line}\n"), Duration::ZERO);
        }
    }

    /// Returns whether no line has stayed for that long.
    fn is_due(&self, every: Duration) -> bool {
        self.printed.is_none_or(|printed| printed.elapsed() >= every)
    }

    /// Clears the line, if it was written in place.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.dirty) {
            write("\r\x1b[K", ROOM_TIMEOUT);
        }
    }

    /// Prints a line that is not overwritten.
    fn print_line(&mut self, line: &str) {
        self.clear();
        eprint_line(line);
    }

    /// Prints a remark, unless none are wanted.
    pub fn remark(&mut self, text: &str) {
        self.show(&Event::Note(text.to_owned()));
    }
}

/// Returns the share of the work that is done, from a status line: `[33.3%]`.
fn percent(line: &str) -> Option<f64> {
    let (before, _) = line.split_once("%]")?;
    before.rsplit_once('[')?.1.parse().ok().filter(|percent: &f64| percent.is_finite())
}

/// Prints a message on standard error, escaped and to an end; drops what a reader that has stopped
/// to read leaves no room for.
pub fn eprint_line(line: &str) {
    write(&(display::message(line) + "\n"), ROOM_TIMEOUT);
}

/// Prints warnings, each once.
pub fn warn<'a>(warnings: impl IntoIterator<Item = &'a String>) {
    let mut told = Vec::new();
    for warning in warnings {
        if !told.contains(&warning) {
            told.push(warning);
            eprint_line(&format!("ringmark: warning: {}", display::text(warning)));
        }
    }
}

/// Writes what finds room in that time. Errors are ignored: a closed pipe must not leave a domain
/// behind.
fn write(text: &str, timeout: Duration) {
    let mut stderr = io::stderr().lock();
    let deadline = Instant::now() + timeout;
    for piece in text.as_bytes().chunks(PIECE_BYTES) {
        let mut wait = Wait::default();
        wait.until(deadline);
        let stderr_too = io::stderr();
        wait.write(stderr_too.as_fd());
        if !wait.poll() || stderr.write_all(piece).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_done_is_found() {
        let line = "Jobs: 1 (f=1): [r(1)][33.3%][r=449MiB/s][r=115k IOPS][eta 00m:02s]";
        assert_eq!(percent(line), Some(33.3));
        for line in ["", "%]", "[-%]", "[inf%]", "Jobs: 1 (f=1): [r(1)][eta 00m:02s]"] {
            assert_eq!(percent(line), None, "{line}");
        }
    }
}
