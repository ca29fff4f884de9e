//! Report in the form of fio's normal output, from the first job's figures on (stat.c).

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use results::{Extra, Group, JobReport as Job, Latency, Pairs, Report, Side, SteadyReport};

use crate::number::{both, short};
use crate::origin::write_origin;

/// Returns the jobs, the totals of each group, and the run's origin if the report tells it.
pub fn normal(report: &Report) -> String {
    let mut text = String::from("\n");
    write_report(&mut text, report).expect("a String takes all");
    text
}

fn write_report(text: &mut String, report: &Report) -> fmt::Result {
    let time = report.time.as_deref().unwrap_or_default();
    for job in report.jobs.iter().filter(|job| job.sides().iter().any(|(_, s)| s.total_ios > 0)) {
        write_job(text, job, time)?;
    }
    let groups: BTreeSet<u64> = report.jobs.iter().map(|job| job.groupid).collect();
    for groupid in groups {
        writeln!(text, "\nRun status group {groupid} (all jobs):")?;
        for (index, name) in ["   READ", "  WRITE", "   TRIM"].into_iter().enumerate() {
            let jobs = report.jobs.iter().filter(|job| job.groupid == groupid);
            let sides = jobs.flat_map(|job| job.sides().into_iter().nth(index));
            write_group(text, name, &sides.map(|(_, side)| side.into()).collect())?;
        }
    }
    let Some(origin) = report.ringmark.as_ref().and_then(|run| run.origin.as_ref()) else {
        return Ok(());
    };
    text.push('\n');
    write_origin(text, origin)
}

fn write_job(text: &mut String, job: &Job, time: &str) -> fmt::Result {
    let Job { jobname, groupid, error, .. } = job;
    let members = job.ringmark.as_ref().map_or(1, |extra| extra.members);
    write!(text, "{jobname}: (groupid={groupid}, jobs={members}): err={error:2}")?;
    if *error != 0 {
        write!(text, " ({})", name_of(*error))?;
    }
    // There are no processes.
    writeln!(text, ": pid=0: {time}")?;
    if let Some(description) = &job.desc {
        writeln!(text, "  Description  : [{description}]")?;
    }
    for (name, side) in job.sides() {
        if side.io_bytes > 0 && side.runtime > 0 {
            write_side(text, name, side)?;
        }
    }
    write_classes(text, "nsec", &job.latency_ns)?;
    write_classes(text, "usec", &job.latency_us)?;
    write_classes(text, "msec", &job.latency_ms)?;
    if job.sync.lat_ns.count > 0 {
        writeln!(text, "  fsync/fdatasync/sync_file_range:")?;
        write_latency(text, "sync", &job.sync.lat_ns)?;
        write_percentiles(text, "sync", &job.sync.lat_ns.percentile)?;
    }
    let Job { usr_cpu, sys_cpu, ctx, majf, minf, .. } = job;
    writeln!(
        text,
        "  cpu          : usr={usr_cpu:.2}%, sys={sys_cpu:.2}%, ctx={ctx}, majf={majf}, minf={minf}"
    )?;
    if let Some(extra) = &job.ringmark {
        write_extra(text, extra)?;
    }
    write_shares(text, "  IO depths    : ", &job.iodepth_level)?;
    write_shares(text, "     submit    : ", &job.iodepth_submit)?;
    write_shares(text, "     complete  : ", &job.iodepth_complete)?;
    let (r, w, t) = (&job.read, &job.write, &job.trim);
    writeln!(
        text,
        "     issued rwts: total={},{},{},{} short={},{},{},0 dropped={},{},{},0",
        r.total_ios,
        w.total_ios,
        t.total_ios,
        job.sync.total_ios,
        r.short_ios,
        w.short_ios,
        t.short_ios,
        r.drop_ios,
        w.drop_ios,
        t.drop_ios,
    )?;
    if let (Some(total), Some(first)) = (job.total_err, job.first_error) {
        let name = name_of(first);
        writeln!(text, "     errors    : total={total}, first_error={first}/<{name}>")?;
    }
    let Job { latency_depth, latency_target, latency_percentile, latency_window, .. } = job;
    if *latency_depth > 0 {
        writeln!(
            text,
            "     latency   : target={latency_target}, window={latency_window}, \
             percentile={latency_percentile:.2}%, depth={latency_depth}"
        )?;
    }
    job.steadystate.as_ref().map_or(Ok(()), |steady| write_steady(text, steady))
}

/// Writes what came of fio's `steadystate=`.
fn write_steady(text: &mut String, steady: &SteadyReport) -> fmt::Result {
    let attained = if steady.attained != 0 { "yes" } else { "no" };
    // fio prints KiB per second as if they were kB per second.
    let kib = steady.data.bw_mean / 1024;
    let bw = short(kib.saturating_mul(1024), 4, 1024, "B/s");
    let alt = short(kib.saturating_mul(1000), 4, 1000, "B/s");
    let iops = short(steady.data.iops_mean, 4, 1000, "");
    let figure = steady.ss.split(':').next().unwrap_or_default();
    let (figure, kind) = match figure.strip_suffix("_slope") {
        Some(figure) => (figure, "slope"),
        None => (figure, "mean dev"),
    };
    let (value, unit) = match steady.criterion.strip_suffix('%') {
        Some(value) => (value, "%"),
        None => (&*steady.criterion, ""),
    };
    let value: f64 = value.parse().unwrap_or(f64::NAN);
    writeln!(
        text,
        "  steadystate  : attained={attained}, bw={bw} ({alt}), iops={iops}, \
         {figure} {kind}={value:.3}{unit}"
    )
}

/// Writes facts that fio does not have and a reader of the figures must know.
fn write_extra(text: &mut String, extra: &Extra) -> fmt::Result {
    let kept = extra.backend_pages_kept.zip(extra.pages_used);
    let kept = kept.map(|(kept, used)| format!("pages kept={kept}/{used}"));
    let stolen = extra.stolen_percent.map(|percent| format!("stolen={percent:.2}%"));
    let known: Vec<String> = stolen.into_iter().chain(kept).collect();
    if !known.is_empty() {
        writeln!(text, "  ringmark     : {}", known.join(", "))?;
    }
    if let Some(steadiness) = &extra.steadiness {
        writeln!(text, "     rate      : {}", steadiness.summary())?;
    }
    extra.marks().iter().try_for_each(|mark| writeln!(text, "     mark      : {mark}"))
}

fn write_side(text: &mut String, name: &str, side: &Side) -> fmt::Result {
    let iops = side.total_ios.saturating_mul(1_000).checked_div(side.runtime).unwrap_or(0);
    let iops = short(iops, 4, 1000, "");
    let (bw, io) = (both(side.bw_bytes, "B/s"), short(side.io_bytes, 4, 1024, "B"));
    // There are no zones; fio says so for any disk.
    let zones = if name == "write" { "; 0 zone resets" } else { "" };
    writeln!(text, "  {name}: IOPS={iops}, BW={bw}({io}/{}msec){zones}", side.runtime)?;
    let latencies = [("slat", &side.slat_ns), ("clat", &side.clat_ns), ("lat", &side.lat_ns)];
    for (name, latency) in latencies {
        let name = if name == "lat" { " lat" } else { name };
        write_latency(text, name, latency)?;
    }
    for (name, latency) in latencies {
        write_percentiles(text, name, &latency.percentile)?;
    }
    if side.bw_samples > 0 {
        let (divisor, unit) =
            if side.bw_mean > 1024.0 * 1024.0 { (1024, "MiB") } else { (1, "KiB") };
        writeln!(
            text,
            "   bw ({unit:>5}/s): min={:5}, max={:5}, per={:.2}%, avg={:5.2}, stdev={:5.2}, \
             samples={}",
            side.bw_min / divisor,
            side.bw_max / divisor,
            side.bw_agg,
            side.bw_mean / divisor as f64,
            side.bw_dev / divisor as f64,
            side.bw_samples,
        )?;
    }
    if side.iops_samples > 0 {
        writeln!(
            text,
            "   iops        : min={:5}, max={:5}, avg={:5.2}, stdev={:5.2}, samples={}",
            side.iops_min, side.iops_max, side.iops_mean, side.iops_stddev, side.iops_samples,
        )?;
    }
    Ok(())
}

fn write_latency(text: &mut String, name: &str, latency: &Latency) -> fmt::Result {
    let Latency { min, max, mean, stddev, count, .. } = *latency;
    if count == 0 {
        return Ok(());
    }
    let (divisor, unit) = match () {
        () if min > 2_000_000 && max > 99_999_999 && stddev > 1e6 => (1_000_000, "msec"),
        () if min > 2_000 && max > 99_999 && stddev > 1e3 => (1_000, "usec"),
        () => (1, "nsec"),
    };
    let [min, max] = [min, max].map(|value| short(value / divisor, 6, 1000, ""));
    let [mean, stddev] = [mean, stddev].map(|value| value / divisor as f64);
    writeln!(text, "    {name} ({unit}): min={min}, max={max}, avg={mean:5.2}, stdev={stddev:5.2}")
}

fn write_percentiles(text: &mut String, name: &str, list: &Pairs<String, u64>) -> fmt::Result {
    let least = list.iter().map(|&(_, ns)| ns).min().unwrap_or(0);
    let most = list.iter().map(|&(_, ns)| ns).max().unwrap_or(0);
    if list.is_empty() {
        return Ok(());
    }
    let (divisor, unit) = match () {
        () if least > 2_000_000 && most > 99_999_999 => (1_000_000, "msec"),
        () if least > 2_000 && most > 99_999 => (1_000, "usec"),
        () => (1, "nsec"),
    };
    let width = (most / divisor).checked_ilog10().map_or(1, |power| power as usize + 1).max(5);
    // As many decimals as any of them needs.
    let decimals =
        |key: &str| key.trim_end_matches('0').split_once('.').map_or(0, |(_, d)| d.len());
    let precision = list.iter().map(|(key, _)| decimals(key)).max().unwrap_or(0).min(6);
    let per_line = (80 - 7) / (precision + 10 + width);
    write!(text, "    {name} percentiles ({unit}):")?;
    for (number, (percent, ns)) in list.iter().enumerate() {
        text.push_str(match number {
            0 => "\n     |",
            _ if number % per_line == 0 => ",\n     |",
            _ => ",",
        });
        let percent: f64 = percent.parse().unwrap_or_default();
        let value = ns.div_ceil(divisor);
        let percent_width = precision + 3;
        write!(text, " {percent:percent_width$.precision$}th=[{value:width$}]")?;
    }
    text.push('\n');
    Ok(())
}

/// Writes the classes of latencies, five to a line, without the empty ones.
fn write_classes(text: &mut String, unit: &str, classes: &Pairs<String, f64>) -> fmt::Result {
    let seen = classes.iter().filter(|(_, percent)| *percent > 0.0);
    for (number, (below, percent)) in seen.clone().enumerate() {
        match number {
            0 => write!(text, "  lat ({unit})   : ")?,
            _ if number % 5 == 0 => write!(text, "\n  lat ({unit})   : ")?,
            _ => text.push_str(", "),
        }
        write!(text, "{below}={percent:.2}%")?;
    }
    if seen.count() > 0 {
        text.push('\n');
    }
    Ok(())
}

fn write_shares(text: &mut String, title: &str, shares: &Pairs<String, f64>) -> fmt::Result {
    text.push_str(title);
    for (number, (from, percent)) in shares.iter().enumerate() {
        let comma = if number == 0 { "" } else { ", " };
        write!(text, "{comma}{from}={percent:.1}%")?;
    }
    text.push('\n');
    Ok(())
}

fn write_group(text: &mut String, name: &str, group: &Group) -> fmt::Result {
    let ((shortest, longest), (slowest, fastest)) = (group.runtime, group.bw_bytes);
    if longest == 0 {
        return Ok(());
    }
    let bw = |thousand| [slowest, fastest].map(|bw| short(bw, 4, thousand, "B/s")).join("-");
    writeln!(
        text,
        "{name}: bw={}, {} ({}), io={}, run={shortest}-{longest}msec",
        both(group.bw_together(), "B/s"),
        bw(1024),
        bw(1000),
        both(group.io_bytes, "B"),
    )
}

/// Returns strerror(3)'s text for the errors that a job can have.
fn name_of(errno: i32) -> &'static str {
    match errno {
        0 => "Success",
        5 => "Input/output error",
        _ => "unknown error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::{Origin, Run};

    #[test]
    fn the_origin_comes_last() {
        let mut report = Report { jobs: Vec::from([Job::default()]), ..Report::default() };
        let fios = normal(&report);
        report.ringmark = Some(Run { ok: true, ..Run::default() });
        assert_eq!(normal(&report), fios);
        let origin = Origin { label: Some("a label".into()), ..Origin::default() };
        report.ringmark = Some(Run { ok: true, origin: Some(origin), ..Run::default() });
        assert_eq!(normal(&report), format!("{fios}\nringmark: a label\n"));
    }

    #[test]
    fn what_fio_does_not_know_is_told_of_our_jobs_only() {
        let mut job = Job { jobname: "a".into(), ..Job::default() };
        job.read = Side { total_ios: 1, ..Side::default() };
        let mut report = Report { jobs: Vec::from([job]), ..Report::default() };
        let fios = normal(&report);
        let mut extra = Extra { members: 1, ..Extra::default() };
        report.jobs[0].ringmark = Some(extra.clone());
        assert_eq!(normal(&report), fios);
        (extra.backend_pages_kept, extra.pages_used) = (Some(8), Some(32));
        (extra.stolen_ns, extra.stolen_percent) = (Some(0), Some(0.0));
        report.jobs[0].ringmark = Some(extra);
        let ours = normal(&report);
        let marked = "\n  ringmark     : stolen=0.00%, pages kept=8/32\n     mark      : the backend keeps 8";
        assert!(ours.contains(marked), "{ours}");
        assert_eq!(ours.lines().count(), fios.lines().count() + 2);
    }
}
