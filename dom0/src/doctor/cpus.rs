//! Findings about the processors: who shares them, and what sets their clock.

use results::{Flag, OriginHost};

use super::finding::Finding;
use super::seen::{Others, Seen};
use crate::display;

/// Returns what there is to say of the processors.
pub fn findings(seen: &Seen) -> Vec<Finding> {
    let host = &seen.host;
    let mut findings = vec![linux(host, seen.info.is_ok())];
    findings.extend(count(host));
    if seen.info.is_ok() {
        findings.push(pinning(host, &seen.affinity));
        findings.push(others(&seen.others));
    }
    findings.extend(clock(host, &seen.power, seen.info.is_ok()));
    findings
}

/// Tells the kernel here, and what it runs on.
fn linux(host: &OriginHost, is_dom0: bool) -> Finding {
    let kernel = host.kernel.clone().unwrap_or_else(|| "an unknown kernel".to_owned());
    let what = if is_dom0 { "vCPUs" } else { "processors" };
    let vcpus = host.dom0_vcpus.map_or(String::new(), |count| format!(", {count} {what}"));
    let cpu = host.cpu.as_ref().map_or(String::new(), |model| format!(", {model}"));
    Finding::ok(if is_dom0 { "dom0" } else { "linux" }, kernel + &vcpus + &cpu)
}

fn count(host: &OriginHost) -> Vec<Finding> {
    let mut findings = Vec::new();
    if host.cpus == Some(1) {
        let text = "one CPU for guest and backend: they take turns, and each waits for the other";
        findings.push(Finding::warn("cpus", text, "measure on a host that has more"));
    }
    if let Some(threads) = host.threads_per_core.filter(|&threads| threads > 1) {
        let text = format!(
            "{threads} threads share a core: what runs on the other one slows a guest, and none \
             does on its own"
        );
        let advice = "give guest and dom0 different cores, or boot Xen with smt=0";
        findings.push(Finding::note("smt", text).with(advice));
    }
    findings
}

/// Looks at where dom0 runs.
fn pinning(host: &OriginHost, affinity: &Result<(), String>) -> Finding {
    let about = "dom0 vCPUs";
    if let Err(why) = affinity {
        return Finding::note(about, format!("where they may run cannot be seen: {why}"));
    }
    // With this scheduler each vCPU has a CPU of its own.
    let is_null = host.scheduler.as_deref() == Some("null");
    let free = host.dom0_affinity.iter().filter(|cpus| cpus.as_str() == "all").count();
    let mut cpus = host.dom0_affinity.clone();
    cpus.dedup();
    let cpus = display::text(&cpus.join(" "));
    match (host.dom0_affinity.len(), free) {
        (0, _) => Finding::note(about, "where they may run is not told"),
        (_, 0) => {
            Finding::ok(about, format!("run on {cpus}")).with("give the guest others, with --cpus")
        }
        _ if is_null => Finding::ok(about, "each has a CPU of its own"),
        (all, free) => {
            let text = format!(
                "{free} of {all} run on any CPU, that of the guest too: backend and guest take \
                 each other's time"
            );
            let advice = "xl vcpu-pin 0 all LIST, or boot Xen with dom0_max_vcpus=N \
                          dom0_vcpus_pin, and give the guest others, with --cpus";
            Finding::warn(about, text, advice)
        }
    }
}

/// Looks at other guests.
fn others(others: &Result<Others, String>) -> Finding {
    let about = "other guests";
    match others {
        Err(why) => Finding::note(about, format!("cannot be seen: {why}")),
        Ok(Others { count: 0, .. }) => Finding::ok(about, "none"),
        Ok(Others { count, took }) => {
            let used = 100.0 * took.cpu_seconds / took.seconds.max(f64::MIN_POSITIVE);
            match Flag::of_others(took.guests, took.cpu_seconds, took.seconds) {
                None => Finding::ok(about, format!("{count}, which took next to no CPU time")),
                Some(_) => {
                    let text = format!(
                        "{count}, which took {used:.0} % of a CPU: their work and their I/O are in \
                         the figures"
                    );
                    Finding::warn(about, text, "shut them down, or pause them (xl pause)")
                }
            }
        }
    }
}

/// Looks at the clock of the processors.
fn clock(host: &OriginHost, power: &Result<(), String>, is_xen: bool) -> Vec<Finding> {
    let about = "cpu clock";
    let mut findings = Vec::new();
    match (host.governor.as_deref(), power) {
        (Some("performance"), _) => findings.push(Finding::ok(about, "governor performance")),
        (Some(governor), _) => {
            let text =
                format!("governor {governor}: it changes while a job runs, and figures with it");
            let advice = match is_xen {
                true => "xenpm set-scaling-governor performance",
                false => "write performance to scaling_governor of each CPU",
            };
            findings.push(Finding::warn(about, text, advice));
        }
        (None, Err(why)) if is_xen => {
            findings.push(Finding::note(about, format!("what sets it cannot be seen: {why}")));
        }
        (None, _) => findings.push(Finding::note(about, "nothing here tells what sets it")),
    }
    match host.turbo {
        Some(true) => {
            let text = "is on: the clock depends on what other cores do, and on heat";
            let advice = match is_xen {
                true => "xenpm disable-turbo-mode",
                false => {
                    "write 0 to /sys/devices/system/cpu/cpufreq/boost, or 1 to \
                          intel_pstate/no_turbo there"
                }
            };
            findings.push(Finding::warn("turbo", text, advice));
        }
        Some(false) => findings.push(Finding::ok("turbo", "is off")),
        None => {}
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::OriginOthers;

    #[test]
    fn dom0_is_to_have_cpus_of_its_own() {
        let said = |affinity: &[&str], scheduler: &str| {
            let dom0_affinity = affinity.iter().map(|&cpus| cpus.to_owned()).collect();
            let scheduler = Some(scheduler.to_owned());
            let host = OriginHost { dom0_affinity, scheduler, ..OriginHost::default() };
            pinning(&host, &Ok(())).line()
        };
        assert!(said(&["0-1", "0-1"], "credit2").starts_with("ok    dom0 vCPUs: run on 0-1; give"));
        assert!(said(&["0", "1"], "credit2").contains("run on 0 1;"));
        assert!(said(&["all", "1"], "credit2").starts_with("warn  dom0 vCPUs: 1 of 2 run on any"));
        assert!(said(&["all", "all"], "null").starts_with("ok "));
        assert!(said(&[], "credit2").starts_with("note"));
        let unseen = pinning(&OriginHost::default(), &Err("no".to_owned()));
        assert!(unseen.line().ends_with("cannot be seen: no\n"));
    }

    #[test]
    fn guests_that_work_are_warned_of() {
        let said = |count, cpu_seconds| {
            let took = OriginOthers { guests: 1, cpu_seconds, seconds: 1.0 };
            others(&Ok(Others { count, took })).line()
        };
        assert!(said(0, 0.0).starts_with("ok    other guests: none"));
        assert!(said(2, 0.0).starts_with("ok    other guests: 2, which took next to no"));
        assert!(said(2, 0.5).starts_with("warn  other guests: 2, which took 50 % of a CPU"));
        let no_time =
            Others { count: 1, took: OriginOthers { seconds: 0.0, ..Default::default() } };
        assert!(!others(&Ok(no_time)).spoils());
    }

    #[test]
    fn a_clock_that_changes_is_warned_of() {
        let said = |governor: Option<&str>, turbo| {
            let governor = governor.map(str::to_owned);
            let host = OriginHost { governor, turbo, ..OriginHost::default() };
            clock(&host, &Ok(()), true).iter().map(Finding::line).collect::<String>()
        };
        assert_eq!(
            said(Some("performance"), Some(false)),
            "ok    cpu clock: governor performance\nok    turbo: is off\n"
        );
        let bad = said(Some("ondemand performance"), Some(true));
        assert!(bad.starts_with("warn  cpu clock: governor ondemand performance: it changes"));
        assert!(bad.contains("\nwarn  turbo: is on") && bad.contains("xenpm disable-turbo-mode"));
        assert!(said(None, None).starts_with("note  cpu clock: nothing here tells"));
    }

    #[test]
    fn few_cpus_and_shared_cores_are_told() {
        let spoils = |cpus, threads| {
            let host = OriginHost {
                cpus: Some(cpus),
                threads_per_core: Some(threads),
                ..Default::default()
            };
            count(&host).iter().map(Finding::spoils).collect::<Vec<_>>()
        };
        assert_eq!((spoils(1, 1), spoils(2, 1), spoils(8, 2)), (vec![true], vec![], vec![false]));
    }
}
