//! Settings of xl.cfg(5) as the command line adds them (`--set`), read as far as needed to refuse
//! those that would undo what the tool itself sets.

use guest_protocol::CommandLine;

/// Takes settings, but none that would keep the domain from being found or destroyed, or have it
/// run other jobs than those that were read here.
///
/// # Errors
/// Advice what to do instead.
pub fn parse(text: &str) -> Result<String, &'static str> {
    let mut count = 0;
    for (key, value) in assignments(text) {
        count += 1;
        match key {
            "name" => return Err("use --name"),
            "type" => return Err("the guest is PVH; leave it out"),
            "ramdisk" => {
                return Err("the tool passes the job to the guest; name a job file instead");
            }
            "root" | "cmdline" => return Err("it sets the guest's command line; use extra"),
            "extra" => check_words(unquoted(value))?,
            _ if key.starts_with("on_") => {
                return Err("the domain is destroyed once its result has been read; leave it out");
            }
            _ => {}
        }
    }
    if count == 0 {
        return Err("write KEY=VALUE");
    }
    Ok(text.to_owned())
}

/// Returns whether this sets the guest's command line.
pub fn has_command_line(text: &str) -> bool {
    assignments(text).any(|(key, _)| key == "extra")
}

/// The keys and values in a text. Lines and semicolons separate them; a list may go on in the next
/// lines, of which the value here has none.
fn assignments(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let each = text.lines().flat_map(|line| line.split(outside_strings(';')));
    let pairs = each.filter_map(|one| one.split_once(outside_strings('=')));
    // `+=` adds to a value.
    pairs.map(|(key, value)| (key.trim_end_matches('+').trim(), value.trim()))
}

/// Finds a character outside of xl's strings. These have no escapes, and end within their line.
fn outside_strings(wanted: char) -> impl FnMut(char) -> bool {
    let mut string = None;
    move |letter| {
        match string {
            None if matches!(letter, '"' | '\'') => string = Some(letter),
            None => return letter == wanted,
            Some(mark) if letter == mark => string = None,
            Some(_) => {}
        }
        false
    }
}

/// Returns the contents of a string; any other value is returned as it is.
fn unquoted(value: &str) -> &str {
    let within = |mark| value.strip_prefix(mark)?.strip_suffix(mark);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

/// Checks that a command line has the guest's own words only.
fn check_words(line: &str) -> Result<(), &'static str> {
    if CommandLine::parse(line)?.jobs.is_empty() {
        return Ok(());
    }
    Err("it contains jobs; write them into a job file, or after --")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_stay_as_they_are() {
        for text in [
            "tsc_mode=\"native\"",
            "maxmem=99; tsc_mode = 'native';",
            "uuid=\"a ; name=b\"",
            "uuid='\"' ; maxmem=99",
            "vif=[\"mac=00:16:3e:00:00:01\",\n'bridge=a;b',\n]\nmaxmem=99",
            "extra=\"hypercall=page\"",
            "extra = 'hypercall=direct hold'",
            "extra+=\" hold\"",
            "extra=\"\"",
        ] {
            assert_eq!(parse(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_the_tool_sets_itself_is_refused() {
        for (text, expected) in [
            ("word", "write KEY=VALUE"),
            ("\"a=b\"", "write KEY=VALUE"),
            ("name=\"b\"", "use --name"),
            ("maxmem=99 ; name = \"b\"", "use --name"),
            ("uuid=\"'\" ; name=\"b\"", "use --name"),
            ("uuid=\"a\\\" ; name=\"b\"", "use --name"),
            ("a=1 # it's\nname=\"b\"", "use --name"),
            ("vif=[\"a\",\n\"b\"]\nname=\"b\"", "use --name"),
            ("name+=\"b\"", "use --name"),
            ("type=\"pv\"", "the guest is PVH"),
            ("on_crash=\"destroy\"", "the domain is destroyed"),
            ("ramdisk=\"other.fio\"", "name a job file"),
            ("root=\"bs=4k\"", "use extra"),
            ("cmdline=\"hold\"", "use extra"),
            ("extra=\"a ; b\"", "it contains jobs"),
            ("extra='hypercall=page --rw=write'", "it contains jobs"),
            ("extra=\"hold\"; extra+=\" bs=4k\"", "it contains jobs"),
            ("extra=\"hold\\x20\"", "it contains jobs"),
            ("extra=[\"bs=4k\",\n\"hold\"]", "it contains jobs"),
            ("extra=7", "it contains jobs"),
            ("extra=\"mode=x\"", "mode= must be"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_command_line_is_found_where_xl_finds_it() {
        assert!(has_command_line("maxmem=99; extra += \"hold\""));
        assert!(!has_command_line("uuid=\"; extra='hold'\""));
    }
}
