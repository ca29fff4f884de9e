//! `--dry-run`: what a run would do, in words that xl and fio read.

use anyhow::Result;
use fio_job::Job;

use crate::memory;
use crate::plan::Plan;
use crate::session::Order;

/// Returns xl's configuration, the jobs as they are understood, and the limits of a run.
///
/// # Errors
/// A configuration that `xl` cannot read.
pub fn text(order: &Order<'_>, plan: &Plan) -> Result<String> {
    let guest = format!("# configuration of the guest, for xl create\n{}", order.config.text()?);
    let calls = format!("# each call of xl: {} s\n", order.call_limit.as_secs());
    Ok(about(&guest, order, plan) + &calls)
}

/// Returns the command line that runs the guest instead of `xl`, and the same of the rest.
pub fn text_of_command(command: &str, order: &Order<'_>, plan: &Plan) -> String {
    let place = if order.job.is_some() { "; JOB is a file with the jobs" } else { "" };
    about(&format!("# command that runs the guest{place}\n{command}\n"), order, plan)
}

fn about(guest: &str, order: &Order<'_>, plan: &Plan) -> String {
    let limit = match order.limit {
        Some(limit) => format!("{} s, then the guest is destroyed", limit.as_secs()),
        None => "none, as a job ends with its last byte; --timeout=SECONDS sets one".to_owned(),
    };
    format!(
        "{guest}\n\
         # jobs as they are understood, in fio's words\n{}\n\
         # limits\n\
         # time: {limit}\n\
         # memory: {}\n\
         # result: {} bytes\n",
        jobs(plan.jobs()),
        memory::line(order.config, plan.jobs()),
        plan.result_bytes_max(),
    )
}

/// Returns jobs as a job file. Equal jobs in a row stand there once.
pub fn jobs(jobs: &[Job]) -> String {
    let mut text = String::new();
    for same in
        jobs.chunk_by(|one, other| one.name == other.name && one.options() == other.options())
    {
        let Some(job) = same.first() else { continue };
        text.push_str(&format!("[{}]\n", job.name));
        for (name, value) in job.options() {
            text.push_str(&format!("{name}={value}\n"));
        }
        if same.len() > 1 {
            text.push_str(&format!("numjobs={}\n", same.len()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_understood_again() {
        let text = "[global]\nbs=8k\n[a]\nrw=randread\nnumjobs=3\n[b]\nrw=write\nfilename=xvda\nstonewall\n";
        let first = fio_job::parse_file(text).unwrap();
        let shown = jobs(&first);
        assert_eq!(shown.matches('[').count(), 2, "{shown}");
        assert_eq!(fio_job::parse_file(&shown).unwrap().len(), 4, "{shown}");
        assert_eq!(jobs(&fio_job::parse_file(&shown).unwrap()), shown);
    }
}
