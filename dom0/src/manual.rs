//! `completion` and `man`: what shells and man(1) know of the command line.

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::exit::{self, Codes, Exit};
use crate::stdout;

const EXAMPLES: [(&str, &str); 12] = [
    (
        "ringmark doctor --disk phy:/dev/vg0/test",
        "tells what of this host and of a disk would spoil a measurement.",
    ),
    (
        "ringmark run job.fio --disk phy:/dev/vg0/test",
        "runs a job file of fio and prints what fio would.",
    ),
    (
        "ringmark run --disk phy:/dev/vg0/test -- --rw=randread --bs=4k --iodepth=32 --runtime=30 \
         --time_based",
        "runs a job that the command line describes.",
    ),
    (
        "ringmark run - --disk phy:/dev/vg0/test --output-format=json+ --output=out.json < job.fio",
        "reads the job from standard input and saves all figures.",
    ),
    (
        "ringmark sweep job.fio --disk phy:/dev/vg0/test --vary bs=4k,64k --vary iodepth=1..64*2",
        "runs the job with each block size at each iodepth, for ringmark report sweep.json.",
    ),
    (
        "ringmark curve job.fio --disk phy:/dev/vg0/test --plot curve.html",
        "measures latency at 10 to 95 % of what the disk can do, and finds the knee.",
    ),
    (
        "ringmark fleet -n 8 --disk phy:/dev/vg0/test{n} job.fio",
        "runs the job in eight guests at once, each on a disk of its own, and sums up.",
    ),
    (
        "BS=4k ringmark check jobs/*.fio",
        "says whether a guest takes these job files, and what it would run, without one.",
    ),
    ("ringmark options bs iodepth", "tells what two options of a job may be."),
    ("ringmark report out.json -o report.html", "draws the saved figures."),
    (
        "ringmark diff before.json after.json --gate 5",
        "fails if a job has lost more than 5 % of its IOPS.",
    ),
    (
        "ringmark project --guests 1..15 --cpus 24 --dom0-vcpus 4",
        "computes what such a host would do with 1 to 15 guests.",
    ),
];

const FILES: [(&str, &str); 2] = [
    (
        "../lib/ringmark/ringmark",
        "beside the directory of the program, or else /usr/local/lib/ringmark/ringmark, is the \
         guest's kernel, unless --kernel names another.",
    ),
    (
        ".ringmark-*",
        "beside an output file is what has been written so far; it is renamed when it is whole.",
    ),
];

/// Print a script that completes command lines in a shell
#[derive(Args, Debug)]
pub struct Completion {
    /// Shell that is to complete them
    shell: Shell,
}

impl Completion {
    /// Prints the script for this command line.
    ///
    /// # Errors
    /// [`Exit::Output`].
    pub fn run(&self, mut command: Command) -> Result<()> {
        let mut script = Vec::new();
        let name = command.get_name().to_owned();
        generate(self.shell, &mut command, name, &mut script);
        stdout::print(&String::from_utf8(script)?)
    }
}

/// Print a manual page for man(1)
#[derive(Args, Debug)]
pub struct Manual {
    /// Command that has the page; without one it is about all of them
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

impl Manual {
    /// Prints a page about this command line.
    ///
    /// # Errors
    /// [`Exit::Usage`]: there is no such command; [`Exit::Output`].
    pub fn run(&self, command: Command) -> Result<()> {
        stdout::print(&page_of(command, self.command.as_deref())?)
    }
}

fn page_of(command: Command, part: Option<&str>) -> Result<String> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let version = command.get_version().unwrap_or_default();
    let source = format!("{} {version}", command.get_name());
    let shown = match part {
        None => &command,
        Some(part) => command.find_subcommand(part).with_context(|| {
            Exit::Usage(format!("no command {part:?}; ringmark --help lists them"))
        })?,
    };
    let manual = Man::new(shown.clone()).source(source).manual("Xen");
    let mut text = Vec::new();
    manual.render_title(&mut text)?;
    manual.render_name_section(&mut text)?;
    manual.render_synopsis_section(&mut text)?;
    manual.render_description_section(&mut text)?;
    manual.render_options_section(&mut text)?;
    let mut sections = Roff::new();
    section(&mut sections, "EXIT STATUS", exit_codes(part));
    if part.is_none() {
        manual.render_subcommands_section(&mut text)?;
        section(&mut sections, "EXAMPLES", &EXAMPLES);
        section(&mut sections, "FILES", &FILES);
        sections.control("SH", ["SEE ALSO"]).text([
            bold("fio"),
            roman("(1), "),
            bold("xl"),
            roman("(1)"),
        ]);
    }
    sections.to_writer(&mut text)?;
    Ok(String::from_utf8(text)?)
}

/// Returns the exit codes of a command, or those of the whole.
fn exit_codes(command: Option<&str>) -> Codes {
    match command {
        None | Some("run" | "ab" | "compare" | "curve") => exit::RUN,
        Some("sweep") => exit::SWEEP,
        Some("fleet") => exit::FLEET,
        Some("report") => exit::REPORT,
        Some("diff") => exit::DIFF,
        Some("doctor") => exit::DOCTOR,
        Some("project") => exit::PROJECT,
        Some(_) => exit::PRINT,
    }
}

/// Adds a section of terms and their explanations.
fn section(page: &mut Roff, title: &str, terms: &[(&str, &str)]) {
    page.control("SH", [title]);
    for (term, meaning) in terms {
        page.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
    }
}
