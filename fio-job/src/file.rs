//! Reader of job files: fio's INI form.
//!
//! ```text
//! ; what follows a ; or a # is a comment
//! [global]
//! bs=4k                    defaults for the jobs below
//! [reads]
//! rw=randread              a job; an option alone on its line is a flag that is on
//! ```
//!
//! A `[global]` applies only to the jobs after it, and there may be several. Blanks around a line,
//! a name and a value are ignored; blanks inside them count. So is the mark that some editors put
//! before UTF-8. `include` and variables (`${BS}`, `$ncpus`) are refused: a guest has no files and
//! no environment. The tool for dom0 puts in what they stand for.

use crate::error::JobError;
use crate::job::Job;
use crate::parse::Reader;
use crate::warning::{Checked, jobs_only};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Variables that fio makes itself, in the order in which it replaces them: bytes of a page,
/// megabytes of memory, number of processors.
pub const KEYWORDS: [&str; 3] = ["$pagesize", "$mb_memory", "$ncpus"];

/// Reads the jobs of a job file; options and values are those of [`parse`](super::parse()).
///
/// # Errors
/// The first error, with its line; also if the file has no job.
pub fn parse_file(text: &str) -> Result<Vec<Job>, JobError> {
    jobs_only(check_file(text))
}

/// Reads the jobs of a job file as [`parse_file`] does, and the warnings about them, with lines.
///
/// # Errors
/// The first error, with its line; also if the file has no job.
pub fn check_file(text: &str) -> Result<Checked, JobError> {
    let mut reader = Reader::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let in_line = |cause| match cause {
            // The error of a whole job has the line in which that began.
            JobError::Line { .. } => cause,
            cause => JobError::Line { number: index + 1, cause: Box::new(cause) },
        };
        let code = line.split([';', '#']).next().unwrap_or_default().trim();
        reader.at_line(index + 1);
        read_line(&mut reader, code).map_err(in_line)?;
    }
    let checked = reader.finish()?;
    if checked.jobs.is_empty() { Err(JobError::NoJob) } else { Ok(checked) }
}

fn read_line(reader: &mut Reader, line: &str) -> Result<(), JobError> {
    if line.is_empty() {
        return Ok(());
    }
    if let Some(section) = line.strip_prefix('[') {
        let name = section.strip_suffix(']').ok_or(JobError::OpenSection)?;
        return reader.start(name.trim());
    }
    if let Some(file) = included(line) {
        return Err(JobError::Include { file: file.to_owned() });
    }
    let word = line.split(['=', ' ', '\t']).next();
    if word == Some("include") {
        return Err(JobError::NoValue("include"));
    }
    if let Some(variable) = variable(line) {
        return Err(JobError::Variable { variable: variable.to_owned() });
    }
    let (option, value) = match line.split_once('=') {
        Some((option, value)) => (option.trim_end(), Some(value.trim_start())),
        None => (line, None),
    };
    if !reader.has_section() {
        return Err(JobError::NoSection);
    }
    reader.set(option, value)
}

/// Returns the name of the file that a line of a job file includes: `include FILE`.
pub fn included(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("include")?;
    let file = rest.strip_prefix(|c: char| c.is_ascii_whitespace() || c == '=')?.trim();
    (!file.is_empty()).then_some(file)
}

/// Returns the first variable in a line of a job file: one of the environment in braces, or one of
/// the three [`KEYWORDS`].
fn variable(line: &str) -> Option<&str> {
    let last_brace = line.rfind('}').unwrap_or(0);
    line.match_indices('$').find_map(|(at, _)| {
        let from = line.get(at..)?;
        let keyword = KEYWORDS.into_iter().find(|keyword| from.starts_with(keyword));
        let is_closed = from.starts_with("${") && at < last_brace;
        keyword.or_else(|| from.split_inclusive('}').next().filter(|_| is_closed))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{check_line, parse};
    use crate::warning::summary;
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// The same jobs as from a command line.
    #[track_caller]
    fn same(file: &str, command_line: &str) {
        let jobs = parse_file(file).unwrap_or_else(|error| panic!("{error}\n{file}"));
        assert_eq!(Ok(jobs), parse(command_line), "{file}");
    }

    #[test]
    fn sections_are_jobs_and_globals_count_from_their_place_on() {
        same(
            "[global]\nbs=8k\nfilename=/dev/xvda\n[a]\nrw=randread\n\n[global]\niodepth=4\n[b]\nbs=4k",
            "bs=8k filename=xvda --name=a --rw=randread --name=global --iodepth=4 --name=b --bs=4k",
        );
    }

    #[test]
    fn comments_and_blanks_do_not_count() {
        same(
            "# über\r\n; x\r\n\t[a] ; y\r\n  bs = 8k # z\r\n\truntime=5;time_based\r\ntime_based\r\n",
            "name=a bs=8k runtime=5 time_based",
        );
        same("\u{feff}[a]\r\nbs=8k\r\n", "name=a bs=8k");
    }

    #[test]
    fn an_option_name_names_the_job_anew() {
        same("[a]\nname=b", "name=b");
        same("[two words]", "name=\"two words\"");
    }

    /// Error of the second line.
    const NO_END: &str = "line 2: a section ends with ], which nothing follows but a comment, and \
                          has no ; or # within; write, for example, [job1]";

    #[test]
    fn errors_of_a_whole_job_name_the_line_that_begins_it() {
        for (file, message) in [
            ("[a]\n\n[b]\nrate=1m\nrate_iops=5\n[c]", "line 3: job b: rate= and rate_iops="),
            ("[a]\n[b]\nrate=1m\nrate_iops=5", "line 2: job b: rate= and rate_iops="),
            ("[a]\nnumjobs=512\n[b]\n", "line 3: job b: more than 512 jobs; leave some out"),
        ] {
            let error = parse_file(file).expect_err(file).to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn errors_name_the_line() {
        for (file, message) in [
            (
                "bs=4k",
                "line 1: an option comes before the first section; begin with [global] or [job1]",
            ),
            ("\n[a\n", NO_END),
            ("\n[a]x\n", NO_END),
            ("\n[a;b]\n", NO_END),
            ("[a]\ninclude", "line 2: include needs a value; write include=..."),
            ("[a]\ninclude=", "line 2: include needs a value; write include=..."),
            ("[a]\n\niodpeth=4", "line 3: unknown option \"iodpeth\"; did you mean iodepth?"),
            ("[a]\n--bs=4k", "line 2: unknown option \"--bs\"; see help for the supported options"),
            (
                "\n\u{feff}[a]\n",
                "line 2: an option comes before the first section; begin with [global] or [job1]",
            ),
            ("[a]\nbs", "line 2: bs needs a value; write bs=..."),
            ("[]\nbs=4k", "line 1: name needs a value; write name=..."),
            (
                "[a]\ninclude  b c.fio",
                "line 2: include b c.fio: a guest has no files; copy its lines here, or let \
                 `ringmark run` include it",
            ),
            (
                "[a]\ndescription=$x y$ncpus ${BS}k",
                "line 2: $ncpus: a guest has no environment; write the value, or let \
                 `ringmark run` put it in",
            ),
            (
                "[a]\ndescription=$ $pages ${BS}k ${y",
                "line 2: ${BS}: a guest has no environment; write the value, or let \
                 `ringmark run` put it in",
            ),
            ("[a]\nbs=${BS", "line 2: bs=${BS: not a whole number"),
            ("[a]\nname=\u{1b}", "line 2: '\\u{1b}' is not allowed; use printable ASCII only"),
            ("[a\u{7f}]", "line 1: '\\u{7f}' is not allowed; use printable ASCII only"),
            ("[a]\nverify_pattern=\"b\n", "line 2: a \" has no closing \"; add it"),
            ("", "the job file has no job; add a section, for example [job1]"),
            ("[global]\nbs=4k", "the job file has no job; add a section, for example [job1]"),
            (
                "[a]\n[b]\nrw=write\n[c]\n",
                "line 2: job b: a job that writes must name its disks; \
              add, for example, filename=/dev/xvda",
            ),
        ] {
            let error = parse_file(file).expect_err(file).to_string();
            assert_eq!(error, message, "{file}");
        }
    }

    #[test]
    fn warnings_name_the_line_and_are_few_in_a_summary() {
        let file = "[global]\nthread\n\n[a]\ntime_based\nnice=5\n[b]\nthread=1\n";
        let Checked { jobs, warnings } = check_file(file).expect(file);
        assert_eq!(Ok(jobs), parse_file(file));
        let lines: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let runs_out =
            "time_based without runtime= has no effect, as in fio; the job ends with its bytes";
        let expected = [
            "line 2: thread has no effect here".to_owned(),
            "line 6: nice has no effect here".to_owned(),
            format!("line 4: job a: {runs_out}"),
            "line 8: thread has no effect here".to_owned(),
        ];
        assert_eq!(lines, expected);
        let expected =
            ["taken without effect here: thread, nice".to_owned(), format!("job a: {runs_out}")];
        assert_eq!(summary(&warnings), expected);
        let checked = check_line("bs=4k thread; time_based").expect("jobs");
        let lines: Vec<String> = checked.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["thread has no effect here".to_owned(), format!("job job2: {runs_out}")]
        );
        assert_eq!(check_file("[a]\nruntime=5\ntime_based").map(|of| of.warnings), Ok(Vec::new()));
    }

    #[test]
    fn what_fio_changes_is_said() {
        for (line, said) in [
            ("gtod_reduce=1 mem=mmaphuge:/x", "taken without effect here: gtod_reduce, mem"),
            ("fill_fs=1 rw=randread", "taken without effect here: fill_device"),
            ("fill_fs=1 size=1m rw=randread offset=1m", "taken without effect here: fill_device"),
            ("thread=0 fixedbufs", "taken without effect here: thread, fixedbufs"),
            (
                "ioengine=pvsync2 iodepth=8",
                "job job1: a synchronous ioengine keeps one I/O in flight, whatever iodepth= says, \
                 as in fio",
            ),
            ("ioengine=pvsync2 iodepth=8 io_submit_mode=offload", ""),
            ("ioengine=posixaio iodepth=8", ""),
            (
                "rw=write filename=xvda verify=crc32c zero_buffers",
                "job job1: verify= determines the data, as in fio; options of buffers have no effect",
            ),
            (
                "rw=write filename=xvda zero_buffers buffer_pattern=0xff",
                "job job1: buffer_pattern= wins over zero_buffers, as in fio",
            ),
            ("unified_rw_reporting=none log_offset=0 atomic=0 zonemode=none bwavgtime=500", ""),
            (
                "unified_rw_reporting=both",
                "unified_rw_reporting: reads and writes are reported each for itself here",
            ),
        ] {
            let checked = check_line(line).expect(line);
            assert_eq!(summary(&checked.warnings).join("\n"), said, "{line}");
            assert_eq!(checked.jobs.len(), 1);
        }
        for line in [
            "fill_device=1 rw=randread norandommap",
            "fill_device=1 rw=randread offset=1m",
            "fill_device=1 rw=read:4k",
        ] {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains("fill_device= without size="), "{error}");
        }
        for file in ["[a]\ndescription=\u{fc}ber 5\"", "[a]\nmem=mmaphuge:/x"] {
            assert_eq!(parse_file(file).map(|jobs| jobs.len()), Ok(1), "{file}");
        }
        for file in ["[a]\nmem=\u{1b}x", "[a]\nbs=\u{1b}x"] {
            let error = parse_file(file).expect_err(file).to_string();
            assert_eq!(error, "line 2: '\\u{1b}' is not allowed; use printable ASCII only");
        }
        let depth = |line: &str| parse(line).expect(line)[0].iodepth;
        assert_eq!(depth("ioengine=pvsync2 iodepth=8"), 1);
        assert_eq!(depth("ioengine=pvsync2 iodepth=8 io_submit_mode=offload"), 8);
        assert_eq!(depth("ioengine=posixaio iodepth=8"), 8);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s).*", lines in "([\\[\\]a-z=;#\" \t\r\n0-9]{0,40})") {
            let _ = (parse_file(&text), parse_file(&lines));
            let _ = parse_file(&(String::from("[a]\n") + &lines));
        }
    }
}
