//! Origin of a run: what the command line says of it before there is a guest, and what its result
//! says after.

use anyhow::Result;
use results::{Flag, Origin, OriginDomain, Report, Run};
use xl_config::Config;

use crate::date;
use crate::display::{fact, is_harmless};

/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 200;

/// Reads a label.
///
/// # Errors
/// One that is too long, or not printable.
pub fn parse_label(text: &str) -> Result<String, String> {
    if text.chars().count() > LABEL_CHARS_MAX {
        return Err(format!("longer than {LABEL_CHARS_MAX} characters"));
    }
    match text.chars().find(|&letter| !is_harmless(letter)) {
        Some(letter) => Err(format!("{letter:?} is not printable")),
        None => Ok(text.to_owned()),
    }
}

/// Returns the origin of runs of this job in guests of this configuration, as far as it is known
/// before the first of them.
pub fn given(config: &Config, job: &str, label: Option<&str>) -> Origin {
    let domain = OriginDomain {
        name: fact(&config.name),
        memory_mib: Some(config.memory_mib),
        vcpus: Some(config.vcpus),
        cpus: config.cpus.as_deref().and_then(fact),
        affinity: Vec::new(),
    };
    Origin {
        tool: Some(env!("CARGO_PKG_VERSION").to_owned()),
        label: label.map(str::to_owned),
        job: job.lines().map(printable).collect(),
        domain: Some(domain),
        ..Origin::default()
    }
}

/// Returns the origin of one of them, which begins now: its number from 1, and how many are asked
/// for.
pub fn begun(given: &Origin, number: u32, count: u32) -> Origin {
    let is_repeated = count > 1;
    Origin {
        date: Some(date::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        repetition: is_repeated.then_some(number),
        repetitions: is_repeated.then_some(count),
        ..given.clone()
    }
}

/// Puts an origin into the report of a run that has come to its end.
pub fn attach(report: &mut Report, origin: Origin) {
    let modes = report.jobs.iter().map(|job| job.ringmark.as_ref().map(|extra| &extra.grants));
    let mut modes = modes.collect::<Vec<_>>().into_iter();
    let first = modes.next().flatten();
    let grants = first.filter(|first| modes.all(|mode| mode == Some(first)));
    let guest = fact(&report.version);
    let origin = Origin { grants: grants.and_then(|mode| fact(mode)), guest, ..origin };
    let others = origin.others.as_ref();
    let flag = others.and_then(|of| Flag::of_others(of.guests, of.cpu_seconds, of.seconds));
    let qemu = origin.qemu.as_ref().map(|_| Flag::QemuXen);
    for extra in report.jobs.iter_mut().filter_map(|job| job.ringmark.as_mut()) {
        // A guest does not know, and is not believed.
        extra.flags.retain(|flag| !matches!(flag, Flag::OtherGuests { .. } | Flag::QemuXen));
        extra.flags.extend(flag.into_iter().chain(qemu));
    }
    // fio's reports say nothing of the run: there is one only if all went well.
    let run = report.ringmark.get_or_insert_with(|| Run { ok: true, ..Run::default() });
    run.origin = Some(origin);
}

/// Returns a line of a job file without control characters; a tab is a blank to fio.
pub fn printable(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for letter in line.chars() {
        match letter {
            '\t' => text.push(' '),
            _ if is_harmless(letter) => text.push(letter),
            _ => text.extend(letter.escape_default()),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use crate::printable::check;
    use results::OriginOthers;

    fn config() -> Config {
        Config {
            name: "mark".to_owned(),
            memory_mib: 64,
            vcpus: 2,
            cpus: Some("2-3".to_owned()),
            ..Config::default()
        }
    }

    #[test]
    fn labels_are_printable_and_bounded() {
        for label in ["", "new firmware, 2 % \u{e4}", &"x".repeat(LABEL_CHARS_MAX)] {
            assert_eq!(parse_label(label).as_deref(), Ok(label));
        }
        for label in ["a\nb", "\u{1b}[2J", "\u{202e}", &"x".repeat(LABEL_CHARS_MAX + 1)] {
            let error = parse_label(label).unwrap_err();
            assert!(error.chars().all(is_harmless), "{error}");
        }
    }

    #[test]
    fn the_job_is_as_it_was_given_and_printable() {
        let origin = given(&config(), "[global]\nbs=4k\n[a]\r\n\trw=read \u{1b}\u{202e}\n", None);
        let expected = ["[global]", "bs=4k", "[a]", " rw=read \\u{1b}\\u{202e}"];
        assert_eq!(origin.job, expected);
        let mut report = sample("a", Some("persistent"), 1.0);
        attach(&mut report, origin);
        check(&fio_output::json_plus(&report)).unwrap();
    }

    #[test]
    fn runs_are_numbered_where_there_are_several() {
        let given = given(&config(), "", Some("a label"));
        let one = begun(&given, 1, 1);
        assert_eq!((one.repetition, one.repetitions), (None, None));
        let second = begun(&given, 2, 3);
        assert_eq!((second.repetition, second.repetitions), (Some(2), Some(3)));
        let date = second.date.unwrap();
        assert!(date.starts_with("20") && date.ends_with('Z') && date.len() == 20, "{date}");
        assert_eq!((second.label.as_deref(), second.domain), (Some("a label"), given.domain));
    }

    #[test]
    fn other_guests_are_flagged_in_every_job() {
        let flags = |cpu_seconds| {
            let others = Some(OriginOthers { guests: 2, cpu_seconds, seconds: 10.0 });
            let mut report = sample("a", Some("persistent"), 1.0);
            let lie = Flag::OtherGuests { guests: 9, cpu_percent: 99.0 };
            report.jobs[0].ringmark.as_mut().unwrap().flags.push(lie);
            attach(&mut report, Origin { others, ..Origin::default() });
            report.jobs[0].ringmark.as_ref().unwrap().all_flags()
        };
        assert_eq!(flags(0.5), []);
        assert_eq!(flags(0.6), [Flag::OtherGuests { guests: 2, cpu_percent: 6.0 }]);
    }

    #[test]
    fn a_figure_of_qemus_xen_is_flagged_whatever_the_guest_says() {
        let flags = |qemu: Option<&str>| {
            let mut report = sample("a", Some("persistent"), 1.0);
            report.jobs[0].ringmark.as_mut().unwrap().flags.push(Flag::QemuXen);
            attach(&mut report, Origin { qemu: qemu.map(str::to_owned), ..Origin::default() });
            report.jobs[0].ringmark.as_ref().unwrap().all_flags()
        };
        assert_eq!((flags(None), flags(Some("10.0.11"))), (vec![], vec![Flag::QemuXen]));
    }

    #[test]
    fn grants_are_told_where_all_jobs_have_the_same() {
        let grants = |jobs: &[Option<&str>]| {
            let mut report = sample("a", None, 1.0);
            report.jobs.clear();
            report.jobs.extend(jobs.iter().flat_map(|&mode| sample("a", mode, 1.0).jobs));
            attach(&mut report, Origin::default());
            let origin = report.ringmark.unwrap().origin.unwrap();
            assert_eq!(origin.guest.as_deref(), Some("fio-3.33"));
            origin.grants
        };
        let (kept, copied) = (Some("persistent"), Some("persistent-copy"));
        assert_eq!(grants(&[kept, kept]).as_deref(), kept);
        for jobs in [&[kept, copied][..], &[kept, None], &[None, kept], &[None], &[]] {
            assert_eq!(grants(jobs), None);
        }
    }
}
