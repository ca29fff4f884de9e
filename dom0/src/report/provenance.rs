//! Provenance of a run, as its result tells it: for the page, and to tell runs apart.

use std::rc::Rc;

use results::{Origin, OriginBlkback, OriginDisk, OriginDomain, OriginHost};

use plots::axis::round;

use super::distinct::middle_cut;
use crate::figures::Facts;

/// Name of the words of whoever measured.
pub const LABEL: &str = "label";
/// Name of the host's name.
pub const HOST: &str = "host";
/// Name of all settings of the host together.
const SETTINGS: &str = "settings";
/// Name of the devices behind the disks.
pub const TARGET: &str = "target";

/// Characters of a fact: what has more is not for a reader.
const CHARS_MAX: usize = 300;
/// Lines of a job that are shown.
const JOB_LINES_MAX: usize = 200;

/// Returns what is told of a run, in order: names and values.
pub fn told(origin: &Origin) -> Vec<(&'static str, String)> {
    let host = origin.host.clone().unwrap_or_default();
    let OriginHost { name, xen, kernel, cpu, cpus, dom0_vcpus, .. } = host;
    let cpus = cpus.map(|count| format!("{count} CPUs"));
    let dom0 = dom0_vcpus.map(|count| format!("{count} vCPUs"));
    let facts = [
        (LABEL, origin.label.clone()),
        ("date", origin.date.clone()),
        (HOST, name),
        ("Xen", xen),
        ("dom0", joined([kernel, dom0])),
        ("processors", joined([cpu, cpus])),
        ("domain", origin.domain.as_ref().and_then(domain)),
        ("tool", origin.tool.clone()),
        (SETTINGS, shown(&settings(origin))),
    ];
    let facts = facts.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let disks = origin.disks.iter().filter_map(disk).map(|disk| ("disks", disk));
    facts.chain(disks).map(|(name, value)| (name, cut(&value))).collect()
}

/// Beginning of the names of facts about how a host is set up, which [`way`] has.
const SETTING: &str = "host: ";

/// Returns the name of a setting of a host, given that of a fact.
pub fn setting(name: &str) -> Option<&str> {
    name.strip_prefix(SETTING)
}

/// Returns how a host and the queues of its disks are set up, in order: names and values.
fn settings(origin: &Origin) -> Vec<(&'static str, String)> {
    let host = origin.host.clone().unwrap_or_default();
    let mut dom0 = host.dom0_affinity;
    dom0.dedup();
    let on = |is: bool| if is { "on" } else { "off" }.to_owned();
    let facts = [
        ("Xen changeset", host.xen_changeset),
        ("Xen options", host.xen_command_line),
        ("scheduler", host.scheduler),
        ("threads of a core", host.threads_per_core.map(|count| count.to_string())),
        ("dom0's CPUs", Some(dom0.join(" ")).filter(|cpus| !cpus.is_empty())),
        ("governor", host.governor),
        ("turbo", host.turbo.map(on)),
    ];
    let mut all: Vec<_> =
        facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    all.extend(host.blkback.iter().flat_map(parameters));
    let queues: Vec<String> = origin.disks.iter().filter_map(queue).collect();
    all.extend((!queues.is_empty()).then(|| ("disk queues", queues.join("; "))));
    all
}

fn parameters(of: &OriginBlkback) -> Vec<(&'static str, String)> {
    let flag = |value: Option<bool>| value.map(|is| if is { "Y" } else { "N" }.to_owned());
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    let unused = of.persistent_grant_unused_seconds;
    let all = [
        ("feature_persistent", flag(of.feature_persistent)),
        ("max_ring_page_order", number(of.max_ring_page_order)),
        ("max_queues", number(of.max_queues)),
        ("max_persistent_grants", number(of.max_persistent_grants)),
        ("persistent_grant_unused_seconds", number(unused)),
        ("log_stats", flag(of.log_stats)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Returns what a disk's queue in dom0 is: `xvda dm, none, write back`.
fn queue(disk: &OriginDisk) -> Option<String> {
    let direct = disk.direct_io.map(|is| if is { "direct I/O" } else { "page cache" }.to_owned());
    let turns = disk.rotational.filter(|is| *is).map(|_| "rotational".to_owned());
    let OriginDisk { vdev, device, scheduler, write_cache, .. } = disk.clone();
    let text = joined([device, scheduler, write_cache, direct, turns])?;
    Some(vdev.map_or(String::new(), |vdev| vdev + " ") + &text)
}

/// Returns the job text, if it is known.
pub fn job(origin: &Origin) -> Option<String> {
    let lines = origin.job.iter().take(JOB_LINES_MAX).map(|line| cut(line) + "\n");
    let mut text: String = lines.collect();
    if origin.job.len() > JOB_LINES_MAX {
        text.push_str("..\n");
    }
    (!text.is_empty()).then_some(text)
}

/// Returns the facts that may change the figures, other than the disks.
pub fn way(origin: &Origin) -> Facts {
    let is_way = |name: &str| !["date", "tool", "disks", "domain", SETTINGS].contains(&name);
    let mut way: Facts = told(origin)
        .into_iter()
        .filter(|(name, _)| is_way(name))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let settings = settings(origin).into_iter();
    way.extend(
        settings.map(|(name, value)| ((SETTING.to_owned() + name).into(), cut(&value).into())),
    );
    if let Some(domain) = &origin.domain {
        let facts = [
            ("memory", domain.memory_mib.map(|mib| format!("{mib} MiB"))),
            ("vcpus", domain.vcpus.map(|count| count.to_string())),
            ("cpus", pinned(domain)),
        ];
        let facts = facts.into_iter().filter_map(|(name, value)| Some((name, value?)));
        way.extend(facts.map(|(name, value)| (name.into(), cut(&value).into())));
    }
    way
}

/// Returns settings as a text.
fn shown(settings: &[(&str, String)]) -> Option<String> {
    let all = settings.iter().map(|(name, value)| format!("{name} {value}"));
    all.reduce(|all, one| all + ", " + &one)
}

/// Returns the devices behind the disks, with their backends.
pub fn target(origin: &Origin) -> Option<Rc<str>> {
    let targets = origin.disks.iter().filter_map(device).reduce(|all, one| all + " " + &one);
    targets.map(|targets| cut(&targets).into())
}

fn disk(disk: &OriginDisk) -> Option<String> {
    let size = disk.size_bytes.map(|bytes| bytes as f64 / f64::from(1 << 30));
    let size = size.map(|gib| format!("{} GiB", round(gib)));
    let sector = disk.sector_bytes.map(|bytes| format!("{bytes}-byte sectors"));
    let read_only = disk.read_only.filter(|is| *is).map(|_| "read-only".to_owned());
    let text = joined([device(disk), size, sector, read_only]);
    disk.vdev.clone().into_iter().chain(text).reduce(|vdev, text| vdev + " = " + &text)
}

/// Returns what is behind a disk: `phy:/dev/vg0/test, vbd`.
fn device(disk: &OriginDisk) -> Option<String> {
    let OriginDisk { target, backend, backend_domid, kind, .. } = disk.clone();
    let domain = backend_domid.filter(|domid| *domid != 0).map(|domid| format!("domain {domid}"));
    let target = kind.into_iter().chain(target).reduce(|kind, target| kind + ":" + &target);
    joined([target, backend, domain])
}

fn domain(domain: &OriginDomain) -> Option<String> {
    let OriginDomain { name, memory_mib, vcpus, .. } = domain.clone();
    let memory = memory_mib.map(|mib| format!("{mib} MiB"));
    let vcpus = vcpus.map(|count| format!("{count} vCPU{}", if count == 1 { "" } else { "s" }));
    joined([name, memory, vcpus, pinned(domain).map(|cpus| format!("on CPUs {cpus}"))])
}

/// Returns the host's CPUs that the vCPUs may run on, as Xen tells, or else as they were asked for.
fn pinned(domain: &OriginDomain) -> Option<String> {
    let told = (!domain.affinity.is_empty()).then(|| domain.affinity.join(" "));
    told.or_else(|| domain.cpus.clone())
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> Option<String> {
    parts.into_iter().flatten().reduce(|all, part| format!("{all}, {part}"))
}

fn cut(text: &str) -> String {
    middle_cut(text, CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn origin() -> Origin {
        let text = |text: &str| Some(text.to_owned());
        Origin {
            label: text("before"),
            date: text("2026-11-28T23:00:00Z"),
            job: vec!["[a]".to_owned(), "rw=read".to_owned()],
            domain: Some(OriginDomain {
                name: text("guest"),
                memory_mib: Some(64),
                vcpus: Some(1),
                cpus: text("2-3"),
                affinity: Vec::new(),
            }),
            disks: vec![OriginDisk {
                vdev: text("xvda"),
                target: text("/dev/vg0/test"),
                backend: text("vbd"),
                backend_domid: Some(0),
                kind: text("phy"),
                read_only: Some(true),
                size_bytes: Some(3 << 29),
                sector_bytes: Some(512),
                ..OriginDisk::default()
            }],
            host: Some(OriginHost {
                name: text("db1"),
                xen: text("4.17.5"),
                kernel: text("Linux 6.1"),
                cpu: text("Some CPU"),
                cpus: Some(32),
                dom0_vcpus: Some(4),
                ..OriginHost::default()
            }),
            ..Origin::default()
        }
    }

    #[test]
    fn all_that_is_known_is_told() {
        let expected = [
            (LABEL, "before"),
            ("date", "2026-11-28T23:00:00Z"),
            (HOST, "db1"),
            ("Xen", "4.17.5"),
            ("dom0", "Linux 6.1, 4 vCPUs"),
            ("processors", "Some CPU, 32 CPUs"),
            ("domain", "guest, 64 MiB, 1 vCPU, on CPUs 2-3"),
            ("disks", "xvda = phy:/dev/vg0/test, vbd, 1.5 GiB, 512-byte sectors, read-only"),
        ];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(told(&origin()), expected);
        assert_eq!(job(&origin()).as_deref(), Some("[a]\nrw=read\n"));
        assert_eq!(target(&origin()).as_deref(), Some("phy:/dev/vg0/test, vbd"));
        let empty = Origin::default();
        assert_eq!((told(&empty), job(&empty), target(&empty)), (Vec::new(), None, None));
    }

    #[test]
    fn only_what_may_change_the_figures_tells_runs_apart() {
        let mut other = origin();
        (other.date, other.tool) = (None, Some("9".to_owned()));
        (other.repetition, other.job) = (Some(2), Vec::new());
        assert_eq!(way(&other), way(&origin()));
        let changes: [fn(&mut Origin); 5] = [
            |origin| origin.label = None,
            |origin| origin.host.as_mut().unwrap().name = None,
            |origin| origin.host.as_mut().unwrap().kernel = None,
            |origin| origin.domain.as_mut().unwrap().memory_mib = Some(65),
            |origin| origin.domain.as_mut().unwrap().affinity = vec!["2".to_owned()],
        ];
        for change in changes {
            let mut other = origin();
            change(&mut other);
            assert_ne!(way(&other), way(&origin()));
        }
    }

    #[test]
    fn settings_of_a_host_tell_runs_apart() {
        let mut set = origin();
        let host = set.host.as_mut().unwrap();
        (host.scheduler, host.turbo) = (Some("credit2".to_owned()), Some(false));
        host.dom0_affinity = vec!["0-3".to_owned(); 4];
        host.blkback = Some(OriginBlkback { max_queues: Some(4), ..OriginBlkback::default() });
        set.disks[0].scheduler = Some("none".to_owned());
        let told = told(&set);
        let shown = told.iter().find(|(name, _)| *name == SETTINGS).map(|(_, value)| &**value);
        let expected = "scheduler credit2, dom0's CPUs 0-3, turbo off, max_queues 4, \
                        disk queues xvda none";
        assert_eq!(shown, Some(expected));
        let names = |origin: &Origin| {
            way(origin)
                .keys()
                .filter_map(|name| setting(name))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let expected = ["disk queues", "dom0's CPUs", "max_queues", "scheduler", "turbo"];
        assert_eq!((names(&set), names(&origin())), (expected.map(str::to_owned).into(), vec![]));
    }

    #[test]
    fn facts_have_an_end() {
        let long = "x".repeat(1 << 20);
        let mut origin = origin();
        (origin.label, origin.job) = (Some(long.clone()), vec![long.clone(); 1000]);
        origin.disks[0].target = Some(long);
        let told: usize = told(&origin).iter().map(|(_, value)| value.len()).sum();
        assert!(told < 1000, "{told}");
        assert!(job(&origin).unwrap().len() < 70_000 && target(&origin).unwrap().len() <= 300);
    }
}
