//! Origin of a run: what measured, where, when, and with which job.
//!
//! The tool in dom0 fills it in. A guest does not know these facts, so what it says of them is not
//! believed. Every fact may be missing.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::list::at_most;

/// Most lines of a job that are read: a job file has at most so many bytes.
const LINES_MAX: usize = 64 << 10;
/// Most disks that are read.
const DISKS_MAX: usize = 26 * 16;
/// Most vCPUs that are read: Xen gives a guest at most so many.
const VCPUS_MAX: usize = 512;

/// Facts about a run that make its figures comparable with others'.
///
/// All texts are printable and bounded; whoever fills it in sees to that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// Version of the tool in dom0, such as `0.1.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Version that the guest reports, such as `ringmark-0.1.0`; for a Linux guest that of its fio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    /// User's own words about the run (`--label`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Start of the run in UTC, in the form `2026-11-28T23:00:00Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Number of the run among those of `--repeat` or of a comparison, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition: Option<u32>,
    /// Number of these runs that were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetitions: Option<u32>,
    /// Lines of the job text that the guest was given, without their ends: the job file with the
    /// command line's defaults before it, or the command line. Tabs are blanks, and control
    /// characters are escaped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "at_most::<LINES_MAX, _, _>")]
    pub job: Vec<String>,
    /// Grant mode of the jobs (`grants=`), if all have the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<String>,
    /// Guest that measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<OriginDomain>,
    /// Disks of the guest, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "at_most::<DISKS_MAX, _, _>")]
    pub disks: Vec<OriginDisk>,
    /// Host that it ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<OriginHost>,
    /// Version of the QEMU whose own Xen the guest ran on, under KVM, such as `10.0.11`; there is
    /// no Xen host then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qemu: Option<String>,
    /// Other guests meanwhile; `None` if nobody looked, as where several guests measure at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<OriginOthers>,
}

/// CPU time of guests besides dom0 and the one that measured, while that was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OriginOthers {
    /// Number of those that took any.
    pub guests: u64,
    /// CPU time of all of them, in seconds, to a tenth for each.
    pub cpu_seconds: f64,
    /// Time between both looks, in seconds.
    pub seconds: f64,
}

/// Guest of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OriginDomain {
    /// Name of the domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Memory in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    /// Number of vCPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<u32>,
    /// Host CPUs that the vCPUs may run on, as asked for (`--cpus`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<String>,
    /// Host CPUs that each vCPU may run on, as Xen reports them: `all`, `2-3`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "at_most::<VCPUS_MAX, _, _>")]
    pub affinity: Vec<String>,
}

/// Disk of a guest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OriginDisk {
    /// Name in the guest, such as `xvda`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vdev: Option<String>,
    /// Device or file behind it, in the domain of the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Backend's directory in xenstore, which tells its driver: `vbd` for Linux's xen-blkback,
    /// `qdisk` for QEMU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Domid of the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_domid: Option<u32>,
    /// Kind of target, as the tool stack calls it: `phy`, `file`, `qcow2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether the guest may only read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Size of a sector of the device in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_bytes: Option<u32>,
    /// Kind of the device in dom0 as its driver names it: `loop`, `dm`, `nvme`, `brd`; `file` for a
    /// file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Scheduler of its queue in dom0, such as `none` or `mq-deadline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// Whether Linux takes it for a disk that turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotational: Option<bool>,
    /// Write cache of its queue in dom0: `write back` or `write through`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_cache: Option<String>,
    /// Whether a loop device passes dom0's page cache by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct_io: Option<bool>,
}

/// Host of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OriginHost {
    /// Host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Version of Xen, such as `4.17.5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xen: Option<String>,
    /// Kernel of dom0, such as `Linux 6.1.0-28-amd64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Model of the processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Number of CPUs that Xen uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Number of dom0's vCPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dom0_vcpus: Option<u32>,
    /// Host CPUs that each vCPU of dom0 may run on, as Xen reports them: `all`, `0-3`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "at_most::<VCPUS_MAX, _, _>")]
    pub dom0_affinity: Vec<String>,
    /// Changeset of Xen's source that it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xen_changeset: Option<String>,
    /// Command line that Xen was booted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xen_command_line: Option<String>,
    /// Scheduler of Xen, such as `credit2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// Threads of a core that Xen uses; more than one with SMT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads_per_core: Option<u32>,
    /// Governor of the processors' clock, such as `performance`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// Whether the clock may rise beyond what all processors can have at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turbo: Option<bool>,
    /// Parameters of Linux's xen-blkback, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blkback: Option<OriginBlkback>,
}

/// Parameters of Linux's xen-blkback, as `/sys/module/xen_blkback` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OriginBlkback {
    /// Whether it keeps the pages mapped that a frontend grants for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_persistent: Option<bool>,
    /// Pages of a ring at most, as a power of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ring_page_order: Option<u32>,
    /// Queues of a disk at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queues: Option<u32>,
    /// Pages of a ring that it keeps mapped at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_persistent_grants: Option<u32>,
    /// Time after which it lets go a page that nobody used, in seconds; 0 is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persistent_grant_unused_seconds: Option<u32>,
    /// Whether it counts and logs what each ring does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stats: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Report, Run};
    use std::borrow::ToOwned;
    use std::vec;

    fn origin() -> Origin {
        let text = |text: &str| Some(text.to_owned());
        Origin {
            tool: text("0.1.0"),
            guest: text("ringmark-0.1.0"),
            label: text("after the firmware update"),
            date: text("2026-11-28T23:00:00Z"),
            repetition: Some(2),
            repetitions: Some(5),
            job: vec!["[a]".to_owned(), "rw=read".to_owned()],
            grants: text("persistent"),
            domain: Some(OriginDomain {
                name: text("ringmark"),
                memory_mib: Some(64),
                vcpus: Some(1),
                cpus: text("2-3"),
                affinity: vec!["2-3".to_owned()],
            }),
            disks: vec![OriginDisk {
                vdev: text("xvda"),
                target: text("/dev/vg0/test"),
                backend: text("vbd"),
                backend_domid: Some(0),
                kind: text("phy"),
                read_only: Some(false),
                size_bytes: Some(1 << 30),
                sector_bytes: Some(512),
                device: text("dm"),
                scheduler: text("none"),
                rotational: Some(false),
                write_cache: text("write back"),
                direct_io: Some(true),
            }],
            host: Some(OriginHost {
                name: text("db1"),
                xen: text("4.17.5"),
                kernel: text("Linux 6.1.0-28-amd64"),
                cpu: text("AMD EPYC 7302P 16-Core Processor"),
                cpus: Some(32),
                dom0_vcpus: Some(4),
                dom0_affinity: vec!["0-3".to_owned(); 4],
                xen_changeset: text("git:38eebc6e5c"),
                xen_command_line: text("dom0_mem=4G sched=credit2"),
                scheduler: text("credit2"),
                threads_per_core: Some(2),
                governor: text("performance"),
                turbo: Some(false),
                blkback: Some(OriginBlkback {
                    feature_persistent: Some(true),
                    max_ring_page_order: Some(4),
                    max_queues: Some(4),
                    max_persistent_grants: Some(1056),
                    persistent_grant_unused_seconds: Some(60),
                    log_stats: Some(false),
                }),
            }),
            qemu: text("10.0.11"),
            others: Some(OriginOthers { guests: 2, cpu_seconds: 1.5, seconds: 20.25 }),
        }
    }

    fn report(origin: Option<Origin>) -> Report {
        let run = Run { ok: true, origin, ..Run::default() };
        Report { ringmark: Some(run), ..Report::default() }
    }

    #[test]
    fn all_of_it_is_read_back() {
        let report = report(Some(origin()));
        let text = serde_json::to_string(&report).expect("JSON");
        assert_eq!(Report::from_json(&text).expect("a report"), report);
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        let text = |origin| serde_json::to_string(&report(origin)).expect("JSON");
        assert!(text(None).ends_with(r#""ringmark":{"ok":true}}"#), "{}", text(None));
        let empty = Origin {
            domain: Some(OriginDomain::default()),
            disks: vec![OriginDisk::default()],
            host: Some(OriginHost::default()),
            ..Origin::default()
        };
        let expected = r#""origin":{"domain":{},"disks":[{}],"host":{}}}}"#;
        let text = text(Some(empty.clone()));
        assert!(text.ends_with(expected), "{text}");
        assert_eq!(Report::from_json(&text).expect("a report"), report(Some(empty)));
    }

    #[test]
    fn facts_of_later_versions_are_passed_over() {
        let text = r#"{"fio version":"ringmark-9","jobs":[],"ringmark":{"ok":true,"more":{},
            "origin":{"label":"a","more":[1],"host":{"more":null,"cpus":2}}}}"#;
        let run = Report::from_json(text).expect("a report").ringmark.expect("a run");
        let host = OriginHost { cpus: Some(2), ..OriginHost::default() };
        let expected = Origin { label: Some("a".into()), host: Some(host), ..Origin::default() };
        assert_eq!(run.origin, Some(expected));
    }
}
