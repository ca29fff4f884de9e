//! Origin of a run in two lines, for people.

use std::fmt::{self, Write};

use results::{Origin, OriginDisk, OriginDomain, OriginHost};

/// Most disks that are told.
const DISKS_MAX: usize = 8;

/// Writes what is known of a run's origin: two lines at most.
pub fn write_origin(text: &mut String, origin: &Origin) -> fmt::Result {
    let host = origin.host.iter().flat_map(host);
    let places = host.chain(origin.domain.iter().flat_map(domain));
    let places = places.chain(origin.disks.iter().take(DISKS_MAX).filter_map(disk));
    let more = origin.disks.len().saturating_sub(DISKS_MAX);
    let places = places.chain((more != 0).then(|| format!("and {more} more disks")));
    for facts in [run(origin), places.collect()] {
        if !facts.is_empty() {
            writeln!(text, "ringmark: {}", facts.join(", "))?;
        }
    }
    Ok(())
}

fn run(origin: &Origin) -> Vec<String> {
    let named = |name: &str, value: &Option<String>| Some(format!("{name} {}", value.as_ref()?));
    let repetition = origin.repetition.map(|number| match origin.repetitions {
        Some(of) => format!("run {number} of {of}"),
        None => format!("run {number}"),
    });
    let facts = [
        origin.label.clone(),
        origin.date.clone(),
        repetition,
        named("tool", &origin.tool),
        named("guest", &origin.guest),
    ];
    facts.into_iter().flatten().collect()
}

fn host(host: &OriginHost) -> Vec<String> {
    let cpus = match (host.cpus.map(|count| counted(count, "CPU")), &host.cpu) {
        (Some(cpus), Some(cpu)) => Some(format!("{cpus} ({cpu})")),
        (cpus, cpu) => cpus.or_else(|| cpu.clone()),
    };
    let facts = [
        host.name.as_ref().map(|name| format!("host {name}")),
        host.xen.as_ref().map(|version| format!("Xen {version}")),
        host.kernel.clone(),
        cpus,
        host.dom0_vcpus.map(|count| counted(count, "vCPU") + " in dom0"),
    ];
    facts.into_iter().flatten().collect()
}

fn counted(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn domain(domain: &OriginDomain) -> Vec<String> {
    let mut affinity = domain.affinity.clone();
    affinity.dedup();
    let on = match affinity.is_empty() {
        true => domain.cpus.clone(),
        false => Some(affinity.join(" ")),
    };
    let vcpus = domain.vcpus.map(|count| match &on {
        Some(on) => format!("{} on {on}", counted(count, "vCPU")),
        None => counted(count, "vCPU"),
    });
    let facts = [
        domain.name.as_ref().map(|name| format!("domain {name}")),
        domain.memory_mib.map(|mib| format!("{mib} MiB")),
        vcpus,
    ];
    facts.into_iter().flatten().collect()
}

fn disk(disk: &OriginDisk) -> Option<String> {
    let facts = [&disk.vdev, &disk.target, &disk.backend].into_iter().flatten().cloned();
    let read_only = (disk.read_only == Some(true)).then(|| "read-only".to_owned());
    let facts: Vec<String> = facts.chain(read_only).collect();
    (!facts.is_empty()).then(|| facts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(origin: &Origin) -> String {
        let mut text = String::new();
        write_origin(&mut text, origin).unwrap();
        text
    }

    #[test]
    fn what_is_known_is_told_in_two_lines() {
        let text = |text: &str| Some(text.to_owned());
        let origin = Origin {
            tool: text("0.1.0"),
            guest: text("ringmark-0.1.0"),
            label: text("new firmware"),
            date: text("2026-11-28T23:00:00Z"),
            repetition: Some(2),
            repetitions: Some(5),
            job: vec!["[a]".into()],
            domain: Some(OriginDomain {
                name: text("ringmark"),
                memory_mib: Some(64),
                vcpus: Some(2),
                cpus: text("2-3"),
                affinity: vec!["2-3".into(), "2-3".into()],
            }),
            disks: vec![
                OriginDisk {
                    vdev: text("xvda"),
                    target: text("/dev/vg0/test"),
                    backend: text("vbd"),
                    read_only: Some(false),
                    ..OriginDisk::default()
                },
                OriginDisk { vdev: text("xvdb"), read_only: Some(true), ..OriginDisk::default() },
            ],
            host: Some(OriginHost {
                name: text("db1"),
                xen: text("4.17.5"),
                kernel: text("Linux 6.1.0"),
                cpu: text("EPYC"),
                cpus: Some(32),
                dom0_vcpus: Some(4),
                ..OriginHost::default()
            }),
            ..Origin::default()
        };
        let expected = "\
ringmark: new firmware, 2026-11-28T23:00:00Z, run 2 of 5, tool 0.1.0, guest ringmark-0.1.0
ringmark: host db1, Xen 4.17.5, Linux 6.1.0, 32 CPUs (EPYC), 4 vCPUs in dom0, domain ringmark, \
64 MiB, 2 vCPUs on 2-3, xvda /dev/vg0/test vbd, xvdb read-only
";
        assert_eq!(lines(&origin), expected);
    }

    #[test]
    fn many_disks_are_counted() {
        let disk =
            |number| OriginDisk { vdev: Some(format!("d{number}")), ..OriginDisk::default() };
        let origin = Origin { disks: (1..=10).map(disk).collect(), ..Origin::default() };
        let expected = "ringmark: d1, d2, d3, d4, d5, d6, d7, d8, and 2 more disks\n";
        assert_eq!(lines(&origin), expected);
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        assert_eq!(lines(&Origin::default()), "");
        let host = OriginHost { cpu: Some("EPYC".into()), ..OriginHost::default() };
        let domain = OriginDomain { vcpus: Some(1), ..OriginDomain::default() };
        let origin = Origin {
            repetition: Some(1),
            host: Some(host),
            domain: Some(domain),
            disks: vec![OriginDisk::default()],
            ..Origin::default()
        };
        assert_eq!(lines(&origin), "ringmark: run 1\nringmark: EPYC, 1 vCPU\n");
    }
}
