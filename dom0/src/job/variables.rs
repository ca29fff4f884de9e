//! Variables in a line of a job file: `${VAR}` of the environment, and fio's own `$pagesize`,
//! `$mb_memory` and `$ncpus`, which are those of the guest.

use std::ffi::OsString;

use fio_job::KEYWORDS;
use guest_protocol::job_node::JOB_FILE_BYTES_MAX;

use super::arithmetic::{calculated, is_arithmetic};
use super::read::too_long;
use crate::display;

/// Bytes of a page.
const PAGE_BYTES: u32 = 4096;

/// Keywords whose values guests differ in.
const OF_MACHINE: [&str; 2] = ["$mb_memory", "$ncpus"];

/// The guest, as far as a job may ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Number of its vCPUs: `$ncpus`.
    pub vcpus: u32,
    /// Its memory, in MiB: `$mb_memory`.
    pub memory_mib: u32,
}

impl Default for Machine {
    /// A guest as `ringmark run` makes it if nothing else is said.
    fn default() -> Self {
        Self { vcpus: 1, memory_mib: 64 }
    }
}

/// A line in which variables were replaced.
#[derive(Debug, PartialEq, Eq)]
pub struct Expanded {
    /// Its text now.
    pub line: String,
    /// Flag: it has figures of the guest.
    pub has_machine: bool,
}

/// Replaces all variables in a line without comments. As in fio what a variable of the environment
/// stands for is not looked at for more of those, and a keyword makes its value arithmetic.
///
/// # Errors
/// A variable that is not set (fio makes it nothing, and often another job), or with a value that
/// no line can have; arithmetic that has no value.
pub fn expanded(
    line: &str,
    machine: Machine,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Expanded, String> {
    let line = of_environment(line, environment)?;
    let has_keyword = KEYWORDS.iter().any(|keyword| line.contains(keyword));
    let has_machine = OF_MACHINE.iter().any(|keyword| line.contains(keyword));
    let values = [PAGE_BYTES, machine.memory_mib, machine.vcpus];
    let plain = KEYWORDS
        .iter()
        .zip(values)
        .fold(line, |line, (keyword, value)| line.replace(keyword, &value.to_string()));
    let line = match plain.split_once('=') {
        Some((name, value)) if has_keyword && is_arithmetic(value) => {
            let shown = display::text(value);
            let wrong = || {
                format!(
                    "{shown} is no arithmetic; write whole numbers with + - * / and ( ), \
                         without units"
                )
            };
            format!("{name}={}", calculated(value).ok_or_else(wrong)?)
        }
        _ => plain,
    };
    if line.trim().is_empty() {
        return Err("nothing is left of this line; leave it out".to_owned());
    }
    if line.trim_start().starts_with('[') {
        return Err("a variable cannot begin a section; write it out".to_owned());
    }
    Ok(Expanded { line, has_machine })
}

/// Replaces variables of the environment.
fn of_environment(
    line: &str,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<String, String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, from)) = rest.split_once("${") {
        let Some((name, after)) = from.split_once('}') else { break };
        text.push_str(before);
        text.push_str(&value(name, environment(name))?);
        rest = after;
        if text.len() > JOB_FILE_BYTES_MAX {
            return Err(format!("what this line stands for {}", too_long()));
        }
    }
    text.push_str(rest);
    Ok(text)
}

/// Returns the value of a variable, if a line can have it.
fn value(name: &str, value: Option<OsString>) -> Result<String, String> {
    let shown = display::text(name);
    let Some(value) = value else {
        return Err(unset(name));
    };
    let wrong = |why: &str| Err(format!("the value of ${{{shown}}} {why}"));
    match value.into_string() {
        Err(_) => wrong("is no text in UTF-8"),
        Ok(value) if value.contains(char::is_control) => {
            wrong("has a line break or a control character; a line of a job file cannot have one")
        }
        Ok(value) if value.contains([';', '#']) => {
            wrong("has a ; or a #, with which a comment begins; a job file cannot have it")
        }
        Ok(value) => Ok(value),
    }
}

/// Returns what is wrong with a variable that is not set, or is none.
fn unset(name: &str) -> String {
    let shown = display::text(name);
    let ends = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
    match name.split_once(ends) {
        Some((plain, _)) if !plain.is_empty() => format!(
            "${{{shown}}} is no variable: fio has no defaults and no other forms of a shell; write \
             ${{{plain}}}, and set {plain}"
        ),
        _ => format!("${{{shown}}} is not set; set it, as in {shown}=.. ringmark .."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    const MACHINE: Machine = Machine { vcpus: 4, memory_mib: 100 };

    fn environment(name: &str) -> Option<OsString> {
        let value = match name {
            "BS" => "8k",
            "EMPTY" => "",
            "OPTION" => "rw=read",
            "NESTED" => "${BS}",
            "CPUS" => "$ncpus",
            "QUOTE" => "\"",
            "BREAK" => "4k\n[evil]\nrw=write",
            "RETURN" => "4k\rrw=write",
            "COMMENT" => "4k;rw",
            "HASH" => "4k #",
            "SECTION" => " [evil]",
            "LONG" => return Some("x".repeat(40_000).into()),
            "BYTES" => return Some(OsString::from_vec(vec![0xff])),
            _ => return None,
        };
        Some(value.into())
    }

    fn line(text: &str) -> Result<String, String> {
        expanded(text, MACHINE, environment).map(|expanded| expanded.line)
    }

    #[test]
    fn variables_are_replaced_once() {
        for (text, expected) in [
            ("bs=${BS}", "bs=8k"),
            ("bs=${BS},4k,${BS}", "bs=8k,4k,8k"),
            ("${OPTION}", "rw=read"),
            ("name=a${EMPTY}b", "name=ab"),
            ("description=${NESTED} ${BS", "description=${BS} ${BS"),
            ("description=$BS $ {BS} $", "description=$BS $ {BS} $"),
            ("description=${QUOTE}", "description=\""),
            ("numjobs=$ncpus", "numjobs=4"),
            ("numjobs=${CPUS}*2", "numjobs=8"),
            ("bs=$pagesize", "bs=4096"),
            ("bs=$pagesizek", "bs=4096k"),
            ("size=$mb_memory*1024*1024/2", "size=52428800"),
            ("iodepth = ($ncpus + 1) * 2", "iodepth =10"),
            ("iodepth=$ncpus-5", "iodepth=-1"),
            ("bs=$pagesize,$pagesize", "bs=4096,4096"),
            ("bs=4k*2", "bs=4k*2"),
            ("filename=/dev/xvda", "filename=/dev/xvda"),
        ] {
            assert_eq!(line(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_no_line_can_have_is_refused() {
        for (text, told) in [
            ("bs=${NO}", "${NO} is not set; set it, as in NO=.. ringmark .."),
            ("bs=${}", "${} is not set"),
            ("bs=${U:-4k}", "${U:-4k} is no variable: fio has no defaults"),
            ("bs=${\u{1b}[2J}", "${\\u{1b}[2J} is not set"),
            ("bs=${BREAK}", "the value of ${BREAK} has a line break"),
            ("bs=${RETURN}", "the value of ${RETURN} has a line break"),
            ("bs=${COMMENT}", "the value of ${COMMENT} has a ; or a #"),
            ("bs=${HASH}", "the value of ${HASH} has a ; or a #"),
            ("bs=${BYTES}", "the value of ${BYTES} is no text"),
            ("${SECTION}", "a variable cannot begin a section"),
            ("description=${LONG}${LONG}${LONG}", "what this line stands for is too long"),
            ("${EMPTY}", "nothing is left of this line"),
            ("size=$mb_memory*2m", "100*2m is no arithmetic"),
            ("filename=/dev/xvd$ncpus", "/dev/xvd4 is no arithmetic"),
            ("size=$ncpus/0", "4/0 is no arithmetic"),
        ] {
            let error = line(text).expect_err(text);
            assert!(error.starts_with(told), "{text}: {error}");
        }
    }

    #[test]
    fn the_guests_figures_are_marked() {
        let marked = |text| expanded(text, MACHINE, environment).unwrap().has_machine;
        assert!(marked("numjobs=$ncpus") && marked("numjobs=${CPUS}"));
        assert!(marked("size=$mb_memory*2") && !marked("bs=$pagesize") && !marked("bs=${BS}"));
        assert!(!marked("description=$BS") && !marked("description=$NCPUS"));
    }
}
