//! The job on its way to the guest: a file, standard input, or the options after `--`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use fio_job::find_option;
use guest_protocol::command_line::COMMAND_LINE_BYTES_MAX;
use guest_protocol::job_node::{JOB_FILE_BYTES_MAX, JOB_NODE, PIECE_BYTES_MAX};

use crate::display;
use crate::exit::Exit;

/// Mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// Options whose value may be in quotation marks, which are then no part of it.
const QUOTABLE: [&str; 2] = ["name", "description"];

/// Reads a job file, or standard input for `-`, and puts options before it. As on fio's command
/// line these are defaults, which the file may override.
///
/// # Errors
/// [`Exit::Usage`]: it cannot be read, is too long or no text, or an option is not one.
pub fn read(path: &Path, options: &[String]) -> Result<String> {
    let mut text = defaults(options)?;
    let shown = display::path(label(path));
    let cannot = || Exit::Usage(format!("cannot read {shown}"));
    let file = match is_stdin(path) {
        true => bytes(io::stdin().lock()),
        false => File::open(path).and_then(bytes),
    };
    let file = file.with_context(cannot)?;
    let too_long = || {
        let most = format!("the most that the guest accepts are {JOB_FILE_BYTES_MAX} bytes");
        Exit::Usage(format!("{shown} is too long; {most}, options included"))
    };
    if file.len() > bytes_max() {
        return Err(too_long().into());
    }
    let no_text = || Exit::Usage(format!("{shown} is no text in UTF-8; save it as such"));
    let file = String::from_utf8(file).ok().filter(|file| !file.contains('\0'));
    let file = file.with_context(no_text)?;
    text += file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&file);
    if text.len() > JOB_FILE_BYTES_MAX { Err(too_long().into()) } else { Ok(text) }
}

/// Returns whether a job comes from standard input.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Returns the name of a job file for messages.
pub fn label(path: &Path) -> &Path {
    if is_stdin(path) { Path::new("standard input") } else { path }
}

const fn bytes_max() -> usize {
    JOB_FILE_BYTES_MAX + BYTE_ORDER_MARK.len_utf8()
}

/// Reads all bytes, or one more than a job file may have.
fn bytes(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(bytes_max() as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the options as a `[global]` section; nothing if there are none.
///
/// # Errors
/// [`Exit::Usage`]: a line of a job file cannot have one of them.
pub fn defaults(options: &[String]) -> Result<String> {
    let mut text = String::new();
    for option in options {
        let line = option.strip_prefix("--").unwrap_or(option);
        let name = line.split('=').next().unwrap_or_default();
        // A line of a job file begins a section or a comment with these.
        let is_option = !line.trim().is_empty()
            && !line.starts_with('[')
            && !line.contains(['\n', '\r', ';', '#'])
            && name.trim() != "name";
        if !is_option {
            let what = format!("{option:?} cannot be a default of the job file");
            return Err(Exit::Usage(format!("{what}; write it into the file")).into());
        }
        if text.is_empty() {
            text.push_str("[global]\n");
        }
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}

/// Returns a job file with options laid over it: they hold for each of its jobs, in place of what
/// these say themselves.
///
/// # Errors
/// [`Exit::Usage`]: an option that no job has; those of [`defaults`].
pub fn overlaid(text: &str, options: &[String]) -> Result<String> {
    let mut job = defaults(options)?;
    let names = options.iter().map(|option| {
        let name = name(option.strip_prefix("--").unwrap_or(option));
        let doc = find_option(name);
        let doc = doc.map_err(|error| Exit::Usage(display::text(&error.to_string())))?;
        Ok(doc.and_then(|doc| doc.names.first().copied()))
    });
    let names: Vec<Option<&str>> = names.collect::<Result<_>>()?;
    for line in text.lines() {
        let code = line.split([';', '#']).next().unwrap_or_default();
        let doc = find_option(name(code)).ok().flatten();
        let first = doc.and_then(|doc| doc.names.first().copied());
        if first.is_none() || !names.contains(&first) {
            job.push_str(line);
            job.push('\n');
        }
    }
    Ok(job)
}

/// Returns the name in a line or word `NAME=VALUE`.
fn name(text: &str) -> &str {
    text.split('=').next().unwrap_or_default().trim()
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
    let plain = option.strip_prefix("--").unwrap_or(option);
    let (name, value) = plain.split_once('=').unwrap_or((plain, ""));
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

/// Returns the jobs as a job file: that of `path` behind the options, or one job of these, which is
/// called `job`.
///
/// # Errors
/// [`Exit::Usage`]: those of [`read`] and [`defaults`]; there are neither.
pub fn whole(path: Option<&Path>, options: &[String]) -> Result<String> {
    match path {
        Some(path) => read(path, options),
        None if options.is_empty() => {
            let why = "nothing to do; name a job file, or options after --";
            Err(Exit::Usage(why.to_owned()).into())
        }
        None => Ok(defaults(options)? + "[job]\n"),
    }
}

/// Returns the nodes that hand a job file over to the domain of this number, which looks for it
/// there: each with its path, and its value as `xenstore-write` reads it.
pub fn nodes(id: u32, text: &str) -> Vec<(String, String)> {
    let path = format!("/local/domain/{id}/{JOB_NODE}");
    let pieces = pieces(text).into_iter().enumerate();
    let pieces = pieces.map(|(number, piece)| (format!("{path}/{number}"), piece));
    [(path.clone(), text.len().to_string())].into_iter().chain(pieces).collect()
}

/// The text in pieces, spelled as `xenstore-write` reads values: with escapes for what is not
/// printable.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES_MAX));
        pieces.push(escaped(piece));
        rest = after;
    }
    pieces
}

fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'\\' => value.push_str("\\\\"),
            b' '..=b'~' => value.push(char::from(byte)),
            _ => value.push_str(&format!("\\x{byte:02x}")),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use guest_protocol::CommandLine;

    #[test]
    fn options_are_defaults() {
        let options = ["--bs=4k", "time_based", "--buffer_pattern=\"a b\""].map(str::to_owned);
        let expected = "[global]\nbs=4k\ntime_based\nbuffer_pattern=\"a b\"\n";
        assert_eq!(defaults(&options).unwrap(), expected);
        assert_eq!(defaults(&[]).unwrap(), "");
        for option in [
            "--name=a",
            " name = a",
            "bs=4k\nrw=write",
            "[x]",
            "--[x]",
            "bs=4k;",
            "bs=4k # x",
            "",
            " ",
            "--",
        ] {
            assert!(defaults(&[option.to_owned()]).unwrap_err().is::<Exit>(), "{option}");
        }
    }

    /// Returns the name of the job that the guest makes of an option, or the error before that.
    fn name_of(option: String) -> Result<String, String> {
        let options = [option, "--bs=8k".to_owned()];
        let line = command_line(&options).map_err(|error| error.to_string())?;
        let line = CommandLine::parse(&line)?;
        assert_eq!(line, CommandLine { jobs: line.jobs.clone(), ..CommandLine::default() });
        let jobs = fio_job::parse(&line.jobs).map_err(|error| error.to_string())?;
        let [job] = &jobs[..] else { return Err(format!("{} jobs", jobs.len())) };
        assert_eq!(job.bs_bytes, 8192, "{line:?}");
        Ok(job.name.clone())
    }

    #[test]
    fn a_name_reaches_the_guest_as_it_is_or_not_at_all() {
        let letters = ["a", " ", "\t", "\"", ";", "=", "--bs=1m", "hold"];
        let mut taken = 0;
        for number in 0..letters.len().pow(4) {
            let places = (0..4).map(|place| number / letters.len().pow(place) % letters.len());
            let name: String = places.map(|place| letters[place]).collect();
            let Ok(found) = name_of(format!("--name={name}")) else { continue };
            let inside = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
            assert_eq!(found, inside.unwrap_or(&name));
            taken += 1;
        }
        // All without a tab or a quotation mark, and those within two of these.
        assert_eq!(taken, 6_usize.pow(4) + 6_usize.pow(2));
    }

    #[test]
    fn a_word_with_blanks_is_quoted_or_refused() {
        let line = |options: &[&str]| {
            let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            command_line(&options).map_err(|error| error.to_string())
        };
        for (options, expected) in [
            (&["--rw=read", "bs=4k"][..], "--rw=read bs=4k"),
            (&["--name=my job", "--rw=read"], "name=\"my job\" --rw=read"),
            (&["description=it's  mine; his"], "description=\"it's  mine; his\""),
            (&["--name=\"my job\""], "--name=\"my job\""),
            (&["verify_pattern=\"a b;\"%o"], "verify_pattern=\"a b;\"%o"),
            (&["rw=read", ";", "rw=write;", "hold"], "rw=read ; rw=write; hold"),
        ] {
            assert_eq!(line(options).as_deref(), Ok(expected));
        }
        for (option, why) in [
            ("rw=read bs=4k", "has blanks"),
            ("rw=read; rw=write", "has blanks"),
            ("filename=xvda:/my file", "has blanks"),
            ("verify_pattern=0xff 1", "has blanks"),
            ("name=\"a b\" c", "has blanks"),
            ("--name=a\"", "a quotation mark"),
            ("", "is no option"),
        ] {
            let error = line(&[option, "--bs=8k"]).unwrap_err();
            assert!(error.starts_with(&format!("{option:?} ")) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_line_is_as_long_as_the_guest_takes() {
        let line = |bytes: usize| command_line(&["bs=8k".to_owned(), "a".repeat(bytes - 6)]);
        assert_eq!(line(COMMAND_LINE_BYTES_MAX).unwrap().len(), 4096);
        let error = line(COMMAND_LINE_BYTES_MAX + 1).unwrap_err();
        assert!(error.is::<Exit>() && error.to_string().contains("use a job file"), "{error}");
    }

    #[test]
    fn pieces_fit_a_node_and_lose_nothing() {
        let text = "a\u{e4}".repeat(1500);
        let pieces = pieces(&text);
        assert_eq!(pieces.len(), 3);
        let plain = |piece: &String| piece.replace("\\xc3\\xa4", "\u{e4}");
        assert!(pieces.iter().all(|piece| plain(piece).len() <= PIECE_BYTES_MAX));
        assert_eq!(pieces.iter().map(plain).collect::<String>(), text);
    }

    #[test]
    fn escapes_are_those_of_xenstore_write() {
        assert_eq!(pieces("[a]\n\trw=x\\y\r\n"), ["[a]\\x0a\\x09rw=x\\\\y\\x0d\\x0a"]);
    }

    /// Returns what is read of a file with these bytes.
    fn read_bytes(name: &str, bytes: &[u8], options: &[&str]) -> Result<String, String> {
        let path = std::env::temp_dir().join(format!("ringmark-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let text = read(&path, &options);
        std::fs::remove_file(&path).unwrap();
        text.map_err(|error| {
            assert!(error.is::<Exit>());
            error.to_string()
        })
    }

    #[test]
    fn a_mark_before_the_text_is_no_part_of_it() {
        let text = read_bytes("mark", b"\xef\xbb\xbf[a]\r\nbs=8k\r\n", &["--rw=read"]).unwrap();
        assert_eq!(text, "[global]\nrw=read\n[a]\r\nbs=8k\r\n");
        assert_eq!(fio_job::parse_file(&text).unwrap()[0].bs_bytes, 8192);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for bytes in [&b"\xff\xfe[\0a\0]\0"[..], b"[a]\n# \xe4", b"[a]\n#\0\n[b]\n"] {
            let error = read_bytes("no-text", bytes, &[]).unwrap_err();
            assert!(error.ends_with("is no text in UTF-8; save it as such"), "{error}");
        }
    }

    #[test]
    fn a_long_file_is_refused() {
        let longest = vec![b'#'; JOB_FILE_BYTES_MAX];
        let marked = [b"\xef\xbb\xbf", &longest[..]].concat();
        assert_eq!(read_bytes("longest", &marked, &[]).unwrap().len(), JOB_FILE_BYTES_MAX);
        for (bytes, options) in [
            ([&marked[..], b"#"].concat(), &[][..]),
            ([&longest[..], b"#"].concat(), &[]),
            (longest, &["--rw=read"]),
        ] {
            let error = read_bytes("long", &bytes, options).unwrap_err();
            assert!(error.contains("is too long; the most"), "{error}");
        }
        let error = read(Path::new("/dev/zero"), &[]).unwrap_err();
        assert!(error.is::<Exit>() && error.to_string().contains("65536 bytes"), "{error}");
        assert!(read(Path::new("/no/such/file"), &[]).unwrap_err().is::<Exit>());
    }
}
