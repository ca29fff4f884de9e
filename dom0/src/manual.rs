//! `completion` and `man`: what shells and man(1) know of the command line.

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::exit::Exit;
use crate::stdout;

/// Exit codes, and what they mean.
const EXIT_CODES: [(&str, &str); 6] = [
    ("0", "success"),
    ("1", "the run failed"),
    ("2", "the command line or the job file is wrong"),
    ("3", "interrupted, with a result"),
    ("4", "the guest took too long"),
    ("5", "the result could not be written where it was to go"),
];

const EXAMPLES: [(&str, &str); 5] = [
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
    ("ringmark options bs iodepth", "tells what two options of a job may be."),
    ("ringmark report out.json -o report.html", "draws the saved figures."),
];

const FILES: [(&str, &str); 2] = [
    ("/usr/local/lib/ringmark/ringmark", "is the guest's kernel, unless --kernel names another."),
    (
        ".ringmark-*",
        "beside an output file is what has been written so far; it is renamed when it is whole.",
    ),
];

/// Returns the exit codes as `--help` shows them.
pub fn exit_codes() -> String {
    let lines = EXIT_CODES.map(|(code, meaning)| format!("\n  {code}  {meaning}"));
    format!("Exit codes:{}", lines.concat())
}

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
    section(&mut sections, "EXIT STATUS", &EXIT_CODES);
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

/// Adds a section of terms and their explanations.
fn section(page: &mut Roff, title: &str, terms: &[(&str, &str)]) {
    page.control("SH", [title]);
    for (term, meaning) in terms {
        page.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
    }
}
