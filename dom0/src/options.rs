//! `options`: what jobs may say, from the guest's own table. It needs no guest.

use anyhow::Result;
use clap::Args;
use fio_job::{JobError, OptionDoc, Values, find_option, option_docs, without_effect};
use guest_protocol::command_line::HELP;

use crate::exit::Exit;
use crate::stdout;

/// List the options of jobs, or show some in full
#[derive(Args, Debug)]
pub struct JobOptions {
    /// Names of options; without any, all are listed, each in a line
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl JobOptions {
    /// Prints the options.
    ///
    /// # Errors
    /// [`Exit::Usage`]: jobs cannot have one of them; [`Exit::Output`].
    pub fn run(&self) -> Result<()> {
        if self.names.is_empty() {
            return stdout::print(&list());
        }
        let pages = self.names.iter().map(|name| in_full(name)).collect::<Result<Vec<_>>>()?;
        stdout::print(&pages.join("\n"))
    }
}

/// Returns the answer to fio's requests for help among the words of a job, if there are any:
/// `--help`, `--cmdhelp`, `--cmdhelp=NAME`.
///
/// # Errors
/// [`Exit::Usage`]: jobs cannot have the option.
pub fn answer(words: &[String]) -> Result<Option<String>> {
    for word in words {
        match word.strip_prefix("--").unwrap_or(word) {
            "help" | "cmdhelp" | "cmdhelp=all" => return Ok(Some(list())),
            word => {
                if let Some(name) = word.strip_prefix("cmdhelp=") {
                    return in_full(name).map(Some);
                }
            }
        }
    }
    Ok(None)
}

/// Returns all options: six fields in each line, for grep(1) and awk(1).
fn list() -> String {
    let head = ["OPTION", "ALIASES", "VALUES", "DEFAULT", "MEANING", "UNLIKE FIO"];
    let mut text = line(head.map(str::to_owned));
    for doc in option_docs() {
        let aliases = doc.names.get(1..).unwrap_or_default().join(", ");
        let fields = [
            left_side(&doc),
            aliases,
            doc.values.to_string(),
            doc.default.to_string(),
            doc.help.to_owned(),
            doc.unlike_fio.to_owned(),
        ];
        text += &line(fields);
    }
    let ignored: Vec<&str> = without_effect().collect();
    text += &format!("\naccepted without effect: {}\n\n{}\n", ignored.join(", "), own_words());
    text
}

/// Returns the fields as a line; the first has a width, and one without text is `-`.
fn line([first, others @ ..]: [String; 6]) -> String {
    let others = others.map(|field| if field.is_empty() { "-".to_owned() } else { field });
    format!("{first:34} | {}\n", others.join(" | "))
}

fn left_side(doc: &OptionDoc) -> String {
    format!("{}={}", doc.names.first().unwrap_or(&""), doc.value)
}

/// Returns the help for the guest's own words.
fn own_words() -> &'static str {
    HELP.split_once("\n\n").map_or(HELP, |(_, own)| own)
}

/// Returns what there is to say of an option, or of a word of the guest's own.
fn in_full(name: &str) -> Result<String> {
    if let Some(own) = own_word(name) {
        return Ok(format!("{own}\n  a word of the guest's own, in extra= or after --\n"));
    }
    let doc = find_option(name).map_err(|error| {
        Exit::Usage(match error {
            JobError::Unknown { option, nearest: None } => {
                format!("unknown option {option:?}; `ringmark options` lists all")
            }
            error => error.to_string(),
        })
    })?;
    let Some(doc) = doc else {
        return Ok(format!(
            "{name}\n  accepted with any value, without effect: the guest has no Linux, no threads and \
             no files of fio's\n"
        ));
    };
    let units = match doc.values {
        Values::Numbers(numbers) | Values::NumbersOr(numbers, _) => numbers.units(),
        _ => "",
    };
    let mut text = left_side(&doc) + "\n";
    for (title, field) in [
        ("aliases", doc.names.get(1..).unwrap_or_default().join(", ")),
        ("meaning", doc.help.to_owned()),
        ("values", doc.values.to_string()),
        ("units", units.to_owned()),
        ("default", doc.default.to_string()),
        ("unlike fio", doc.unlike_fio.to_owned()),
    ] {
        if !field.is_empty() {
            text += &format!("  {title:11} {field}\n");
        }
    }
    Ok(text)
}

/// Returns the lines of help for a word of the guest's own.
fn own_word(name: &str) -> Option<String> {
    // A line that begins with blanks goes on with the one before it.
    let is_it = |line: &&str| !name.is_empty() && line.split(['=', ' ']).next() == Some(name);
    let mut lines = own_words().lines().filter_map(|line| line.strip_prefix("  "));
    let first = lines.find(is_it)?;
    let more = lines.take_while(|line| line.starts_with(' ')).map(|line| format!("\n  {line}"));
    Some(first.to_owned() + &more.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_a_line_of_six_fields() {
        let list = list();
        let rows: Vec<Vec<&str>> = list
            .lines()
            .take_while(|line| !line.is_empty())
            .map(|line| line.split(" | ").collect())
            .collect();
        assert_eq!(rows.len(), 1 + option_docs().count());
        assert!(rows.iter().all(|fields| fields.len() == 6), "{rows:#?}");
        let bs = rows.iter().find(|fields| fields[0].trim_end() == "bs=BYTES").unwrap();
        assert_eq!(bs[1..4], ["blocksize", "512 to 4294966784, multiples of 512", "4k"]);
        assert!(list.contains("\naccepted without effect: ") && list.contains("  hold "));
    }

    #[test]
    fn each_name_and_alias_is_explained() {
        for doc in option_docs() {
            for name in doc.names {
                assert!(in_full(name).unwrap().contains(doc.help));
            }
        }
        assert!(without_effect().all(|name| in_full(name).unwrap().contains("without effect")));
        for own in ["hypercall", "mode", "hold", "selftest"] {
            assert!(in_full(own).unwrap().contains("guest's own"), "{own}");
        }
        assert!(in_full("selftest").unwrap().contains("nested-fault"));
        assert!(!in_full("mode").unwrap().contains("selftest"));
        for (name, message) in [
            ("iodpeth", "did you mean iodepth?"),
            ("exec_prerun", "is not supported"),
            ("", "unknown option"),
            ("(=overflow,", "unknown option"),
        ] {
            let error = in_full(name).unwrap_err();
            assert!(error.is::<Exit>() && error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn fios_requests_for_help_are_answered() {
        let answer = |words: &[&str]| {
            answer(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        for all in ["help", "--help", "--cmdhelp", "cmdhelp=all"] {
            assert_eq!(answer(&["--bs=4k", all]).unwrap(), Some(list()), "{all}");
        }
        assert_eq!(answer(&["--cmdhelp=rw"]).unwrap(), Some(in_full("rw").unwrap()));
        assert!(answer(&["cmdhelp=iodpeth"]).is_err());
        assert_eq!(answer(&["--bs=4k", "helper=1", "--name=help"]).unwrap(), None);
    }
}
