//! Tests of what becomes of a job on its way.

use super::nodes::pieces;
use super::words::{defaults, job_file};
use super::*;
use guest_protocol::CommandLine;
use guest_protocol::command_line::COMMAND_LINE_BYTES_MAX;
use guest_protocol::job_node::PIECE_BYTES_MAX;

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
    let text = of_file(&path, &options, Wanted::default());
    let text = text.map(|text| text.as_str().to_owned());
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
    let error = read_bytes("nul", b"[a]\n#\0\n[b]\n", &[]).unwrap_err();
    assert!(error.contains("has a NUL byte in line 2; save it as text"), "{error}");
    for bytes in [&b"\xff\xfe[\0a\0]\0"[..], b"[a]\n# \xe4"] {
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
    let error = of_file(Path::new("/dev/zero"), &[], Wanted::default()).unwrap_err();
    assert!(error.is::<Exit>() && error.to_string().contains("65536 bytes"), "{error}");
    assert!(of_file(Path::new("/no/such/file"), &[], Wanted::default()).unwrap_err().is::<Exit>());
}

#[test]
fn options_are_several_jobs() {
    let file = |options: &[&str]| {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        job_file(&options).map_err(|error| error.to_string())
    };
    for (options, expected) in [
        (&["--bs=4k", "-rw=read"][..], "[global]\nbs=4k\nrw=read\n[job]\n"),
        (
            &["--bs=4k", "--name=a", "--rw=read", "name=global", "bs=8k", "-name=\"b c\""],
            "[global]\nbs=4k\n[a]\nrw=read\n[global]\nbs=8k\n[\"b c\"]\n",
        ),
        (&["--name=a"], "[a]\n"),
    ] {
        assert_eq!(file(options).as_deref(), Ok(expected));
    }
    for option in ["name", "name=a;b", "name=a\nbs=4k", "[x]", "include x", "bs=4k;", ""] {
        let error = file(&["rw=read", option]).unwrap_err();
        assert!(error.ends_with("cannot be in a job file; write one without it"), "{error}");
    }
}

#[test]
fn an_option_before_the_file_is_at_fault_itself() {
    for (options, told) in [
        (&["--bs=8k", "--iodepth=2"][..], ": line 2: unknown option \"iodpeth\""),
        (&["--bs=8q"], "the options after --: bs=8q: "),
    ] {
        let path = std::env::temp_dir().join(format!("ringmark-{}-fault", std::process::id()));
        std::fs::write(&path, "[a]\niodpeth=4\n").unwrap();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let text = of_file(&path, &options, Wanted::default()).unwrap();
        std::fs::remove_file(&path).unwrap();
        let error = text.plan().unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
}
