//! Options as words: on the guest's command line, before a job file, or as one.

use anyhow::Result;
use guest_protocol::command_line::COMMAND_LINE_BYTES_MAX;

use crate::exit::Exit;

/// Options whose value may be in quotation marks, which are then no part of it.
const QUOTABLE: [&str; 2] = ["name", "description"];

/// Returns an option without the dashes before it, of which there may be one or two.
pub fn plain(option: &str) -> &str {
    option.strip_prefix("--").or_else(|| option.strip_prefix('-')).unwrap_or(option)
}

/// Returns the name in a line or word `NAME=VALUE`.
pub fn name(option: &str) -> &str {
    plain(option).split('=').next().unwrap_or_default().trim()
}

/// Returns the options as a `[global]` section; nothing if there are none.
///
/// # Errors
/// [`Exit::Usage`]: a line of a job file cannot have one of them.
pub fn defaults(options: &[String]) -> Result<String> {
    let mut text = String::new();
    for option in options {
        let line = line(option).filter(|_| name(option) != "name");
        let wrong = || {
            let what = format!("{option:?} cannot be a default of the job file");
            Exit::Usage(format!("{what}; write it into the file"))
        };
        if text.is_empty() {
            text.push_str("[global]\n");
        }
        text.push_str(line.ok_or_else(wrong)?);
        text.push('\n');
    }
    Ok(text)
}

/// Returns the options as a job file: each `name=` begins a section, and without one there is one
/// job, which is called `job`.
///
/// # Errors
/// [`Exit::Usage`]: a job file cannot have one of them.
pub fn job_file(options: &[String]) -> Result<String> {
    let mut text = String::new();
    let mut has_job = false;
    for option in options {
        let wrong =
            || Exit::Usage(format!("{option:?} cannot be in a job file; write one without it"));
        let line = line(option).ok_or_else(wrong)?;
        if name(option) == "name" {
            let (_, name) = line.split_once('=').ok_or_else(wrong)?;
            text.push_str(&format!("[{name}]\n"));
            has_job = true;
            continue;
        }
        if text.is_empty() {
            text.push_str("[global]\n");
        }
        text.push_str(line);
        text.push('\n');
    }
    Ok(if has_job { text } else { text + "[job]\n" })
}

/// Returns an option as a line of a job file, if one can have it: a line begins a section or a
/// comment with some characters.
fn line(option: &str) -> Option<&str> {
    let line = plain(option);
    let is_one = !line.trim().is_empty()
        && !line.starts_with('[')
        && !line.contains(['\n', '\r', ';', '#'])
        && !line.starts_with("include ");
    is_one.then_some(line)
}

/// Returns the options as the guest's command line, in which each is a word of its own.
///
/// # Errors
/// [`Exit::Usage`]: no word means the same as one of them, or the line is too long.
pub fn command_line(options: &[String]) -> Result<String> {
    let words = options.iter().map(|option| word(option)).collect::<Result<Vec<_>>>()?;
    let line = words.join(" ");
    if line.len() > COMMAND_LINE_BYTES_MAX {
        let most = format!("{COMMAND_LINE_BYTES_MAX} bytes of options");
        return Err(Exit::Usage(format!("more than {most}; use a job file")).into());
    }
    Ok(line)
}

fn word(option: &str) -> Result<String> {
    let wrong = |why: &str| Err(Exit::Usage(format!("{option:?} {why}")).into());
    let (name, value) = plain(option).split_once('=').unwrap_or((plain(option), ""));
    let can_quote = QUOTABLE.contains(&name) && !value.contains('"');
    // As the guest's command line divides it: a blank in quotation marks is a part of the word.
    let mut is_quoted = false;
    let divides = |letter: &char| {
        is_quoted ^= *letter == '"';
        !is_quoted && (letter.is_ascii_whitespace() || (can_quote && *letter == ';'))
    };
    let is_divided = option.chars().filter(divides).count() != 0;
    match () {
        () if option.is_empty() => wrong("is no option; leave it out"),
        () if is_quoted => wrong("has a quotation mark without another; add it"),
        () if !is_divided => Ok(option.to_owned()),
        () if can_quote => Ok(format!("{name}=\"{value}\"")),
        () => wrong(
            "has blanks, at which the guest's command line divides it; write each option as an \
             argument of its own, or use a job file",
        ),
    }
}
