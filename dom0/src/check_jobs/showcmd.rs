//! Jobs as a command line of fio, as `fio --showcmd` prints one.

use fio_job::Job;

/// Marks options that fio does not have.
const OWN: &str = "ringmark_";

/// Returns the command line on which fio runs these jobs: what a guest does anyhow is said, and
/// what only a guest can do is a comment of the shell.
pub fn line(jobs: &[Job]) -> String {
    let mut line = "fio --direct=1".to_owned();
    if jobs.iter().any(|job| job.ioengine.is_none()) {
        line.push_str(" --ioengine=libaio");
    }
    let usual = Job::default().options();
    let mut own = Vec::new();
    for same in
        jobs.chunk_by(|one, other| one.name == other.name && one.options() == other.options())
    {
        let Some(job) = same.first() else { continue };
        line.push_str(&format!(" {}", quoted(&format!("--name={}", job.name))));
        for (name, value) in job.options() {
            if !is_own(name, &value) {
                line.push_str(&format!(" {}", quoted(&format!("--{name}={value}"))));
            } else if !usual.contains(&(name, value.clone())) {
                own.push(format!("{}: {name}={value}", job.name));
            }
        }
        if same.len() > 1 {
            line.push_str(&format!(" --numjobs={}", same.len()));
        }
    }
    if !own.is_empty() {
        line.push_str(&format!(" # not fio's: {}", own.join(", ")));
    }
    line
}

/// Returns whether fio does not have the option, or not with this value.
fn is_own(name: &str, value: &str) -> bool {
    name.starts_with(OWN)
        || ["grants", "latency_from"].contains(&name)
        || (name, value) == ("steadystate", "auto")
}

/// Returns a word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,%+=@".contains(c);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_a_command_line() {
        let shown = |line_of: &str| line(&fio_job::parse(line_of).unwrap());
        let jobs = "name=\"a 'b\" rw=read numjobs=2 filename=xvda randseed=1 grants=per-request \
                    --name=c randrepeat=0";
        assert_eq!(
            shown(jobs),
            "fio --direct=1 --ioengine=libaio '--name=a '\\''b' --rw=read --bs=4k --iodepth=1 \
             --filename=/dev/xvda --randseed=1 --numjobs=2 --name=c --rw=read --bs=4k --iodepth=1 \
             --randrepeat=0 # not fio's: a 'b: grants=per-request"
        );
        let shown = shown("ioengine=psync runtime=9h steadystate=auto");
        assert!(shown.starts_with("fio --direct=1 --name=job1 ") && !shown.contains("libaio"));
        assert!(shown.ends_with(" # not fio's: job1: steadystate=auto"), "{shown}");
    }

    #[test]
    fn what_is_shown_is_the_same_job() {
        let text = "name=x rw=randrw bs=4k,8k norandommap filename=xvda iodepth=7 size=10% \
                    verify_pattern=%o runtime=5 time_based";
        let text = text.replace(" verify_pattern=%o", "");
        let jobs = fio_job::parse(&text).unwrap();
        let shown = line(&jobs).replace(" --ioengine=libaio", "");
        assert_eq!(fio_job::parse(shown.trim_start_matches("fio ")).unwrap(), jobs);
    }
}
