//! Facts about the host of a run: Xen, dom0's kernel, the processors, and where the guest's vCPUs
//! may run.
//!
//! What cannot be read is absent. Texts are shown as a terminal may show them, and bounded.

use results::OriginHost;

use crate::blkback;
use crate::display::fact;
use crate::power::Power;
use crate::root::Root;

/// Longest part of `/proc/cpuinfo` that is read, in bytes: that of some 700 vCPUs.
const CPUINFO_BYTES_MAX: u64 = 1 << 20;
/// Most vCPUs of a domain whose affinity is told: Xen gives it at most so many.
const VCPUS_MAX: usize = 512;

/// Returns what is known of this host, given the output of `xl info` if there is any.
pub fn host(root: &Root, xl_info: Option<&str>) -> OriginHost {
    let kernel = |name: &str| root.fact(&format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    let kernels = [kernel("ostype"), kernel("osrelease")];
    let cpuinfo = root.text("/proc/cpuinfo", CPUINFO_BYTES_MAX).unwrap_or_default();
    let Power { governor, turbo } = Power::of_sys(root);
    let told = with_xl_info(xl_info.unwrap_or_default());
    OriginHost {
        // Linux's word for a host without a name.
        name: fact(&kernel("hostname")).filter(|name| name != "(none)"),
        kernel: fact(&kernels.join(" ")),
        xen_changeset: told
            .xen_changeset
            .clone()
            .or_else(|| root.fact("/sys/hypervisor/properties/changeset")),
        governor,
        turbo,
        blkback: blkback::parameters(root),
        ..with_cpuinfo(told, &cpuinfo)
    }
}

/// Returns the same host with what `xenpm get-cpufreq-para` tells: where Xen sets the clock, it is
/// the one to know.
pub fn with_xenpm(host: OriginHost, text: &str) -> OriginHost {
    let known = Power { governor: host.governor.clone(), turbo: host.turbo };
    let Power { governor, turbo } = Power::of_xenpm(text).or(known);
    OriginHost { governor, turbo, ..host }
}

/// Reads `xl info`, `KEY : VALUE` in each line: returns the value of a key.
pub fn told<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value)
}

/// Returns what `xl info` tells of a host.
fn with_xl_info(text: &str) -> OriginHost {
    let value = |key: &str| told(text, key);
    // Xen's version is these parts put together; `xl info -n` and old versions may lack it.
    let parts = || {
        let (major, minor) = (value("xen_major")?.trim(), value("xen_minor")?.trim());
        Some(format!("{major}.{minor}{}", value("xen_extra").unwrap_or_default().trim()))
    };
    OriginHost {
        xen: value("xen_version").and_then(fact).or_else(|| fact(&parts()?)),
        cpus: value("nr_cpus").and_then(|count| count.trim().parse().ok()),
        xen_changeset: value("xen_changeset").and_then(fact),
        xen_command_line: value("xen_commandline").and_then(fact),
        scheduler: value("xen_scheduler").and_then(fact),
        threads_per_core: value("threads_per_core").and_then(|count| count.trim().parse().ok()),
        ..OriginHost::default()
    }
}

/// Reads `/proc/cpuinfo`: a paragraph of `KEY : VALUE` for each vCPU of dom0 that is online.
fn with_cpuinfo(host: OriginHost, text: &str) -> OriginHost {
    let pairs = || text.lines().filter_map(|line| line.split_once(':'));
    let values = |key: &'static str| {
        pairs().filter(move |(name, _)| name.trim() == key).map(|(_, value)| value)
    };
    let vcpus = u32::try_from(values("processor").count()).ok().filter(|&count| count != 0);
    OriginHost { cpu: values("model name").find_map(fact), dom0_vcpus: vcpus, ..host }
}

/// Reads `xl vcpu-list ID`: returns the host CPUs that each vCPU may run on.
pub fn affinity(text: &str, id: u32) -> Vec<String> {
    let id = id.to_string();
    let hard = |line: &str| {
        // `NAME ID VCPU CPU STATE TIME HARD / SOFT`: a name may have blanks, so the fields are
        // counted from the end.
        let mut fields = line.split_whitespace().rev();
        let (slash, hard) = (fields.nth(1)?, fields.next()?);
        (slash == "/" && fields.nth(4)? == id).then(|| fact(hard))?
    };
    text.lines().filter_map(hard).take(VCPUS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display;

    /// `xl info` of Xen 4.14, on x86.
    const XEN_4_14: &str = "\
host                   : dom0
release                : 5.8.18-200.fc32.x86_64
version                : #1 SMP Mon Nov 2 19:49:11 UTC 2020
machine                : x86_64
nr_cpus                : 8
max_cpu_id             : 15
nr_nodes               : 1
cores_per_socket       : 8
threads_per_core       : 1
cpu_mhz                : 1696.837
hw_caps                : 178bf3ff:76d8320b:2e500800:244037ff:0000000f:219c91a9:00400004:00000500
virt_caps              : pv hvm hvm_directio pv_directio hap
total_memory           : 30439
free_memory            : 6644
free_cpus              : 0
xen_major              : 4
xen_minor              : 14
xen_extra              : .0
xen_version            : 4.14.0
xen_caps               : xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 
xen_scheduler          : credit2
xen_changeset          : 
xen_commandline        : placeholder dom0_mem=min:1024M dom0_max_vcpus=1 dom0_vcpus_pin
cc_compile_date        : Wed Dec 16 00:00:00 UTC 2020
xend_config_format     : 4
";

    /// `xl info` of Xen 4.17, on Arm.
    const XEN_4_17: &str = "\
host                   : zynqmp-generic
release                : 6.1.0-xilinx-v2024.1
version                : #1 SMP Thu Dec 21 07:00:11 UTC 2023
machine                : aarch64
nr_cpus                : 4
max_cpu_id             : 3
virt_caps              : hvm hvm_directio hap iommu_hap_pt_share vpmu gnttab-v1
xen_major              : 4
xen_minor              : 17
xen_extra              : .0
xen_version            : 4.17.0
xen_changeset          : Tue Dec 12 10:08:40 2023 +0100 git:38eebc6e5c-dirty
xen_commandline        : console=dtuart dtuart=serial0 dom0_mem=1500M xen_version : 9
";

    /// `xl info` of Xen 4.20, on x86; without the line of its version.
    const XEN_4_20: &str = "\
host                   : db1
release                : 6.12.41+deb13-amd64
version                : #1 SMP PREEMPT_DYNAMIC Debian 6.12.41-1 (2025-08-12)
machine                : x86_64
nr_cpus                : 32
virt_caps              : pv hvm hvm_directio pv_directio hap iommu_hap_pt_share gnttab-v1 gnttab-v2
xen_major              : 4
xen_minor              : 20
xen_extra              : .3-pre
xen_caps               : xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64
build_id               : 5e2952e1dd06c52a2a09ada7476333c48d88a285
";

    #[test]
    fn versions_and_cpus_are_those_of_xl_info() {
        for (text, xen, cpus) in
            [(XEN_4_14, "4.14.0", 8), (XEN_4_17, "4.17.0", 4), (XEN_4_20, "4.20.3-pre", 32)]
        {
            let told = with_xl_info(text);
            assert_eq!((told.xen.as_deref(), told.cpus), (Some(xen), Some(cpus)));
        }
    }

    #[test]
    fn what_xen_was_booted_with_is_that_of_xl_info() {
        let text = |text: &str| Some(text.to_owned());
        let expected = OriginHost {
            xen: text("4.14.0"),
            cpus: Some(8),
            threads_per_core: Some(1),
            scheduler: text("credit2"),
            xen_command_line: text(
                "placeholder dom0_mem=min:1024M dom0_max_vcpus=1 dom0_vcpus_pin",
            ),
            ..OriginHost::default()
        };
        assert_eq!(with_xl_info(XEN_4_14), expected);
        let told = with_xl_info(XEN_4_17);
        assert_eq!(told.xen_changeset, text("Tue Dec 12 10:08:40 2023 +0100 git:38eebc6e5c-dirty"));
        assert!(told.xen_command_line.unwrap().ends_with("dom0_mem=1500M xen_version : 9"));
        assert_eq!(with_xl_info("threads_per_core : x\nxen_scheduler : \n"), OriginHost::default());
    }

    #[test]
    fn the_clock_is_as_xen_tells_or_else_linux() {
        let linux = OriginHost {
            governor: Some("powersave".to_owned()),
            turbo: Some(true),
            ..OriginHost::default()
        };
        assert_eq!(with_xenpm(linux.clone(), ""), linux);
        let xen = with_xenpm(linux, "current_governor : ondemand\n");
        assert_eq!((xen.governor.as_deref(), xen.turbo), (Some("ondemand"), Some(true)));
    }

    #[test]
    fn what_xl_info_does_not_tell_is_absent() {
        for text in [
            "",
            "ERROR:  Can't find hypervisor information in sysfs!",
            "xen_version",
            "xen_version :\nnr_cpus : many\n",
            "xen_major : 4\n",
            "nr_cpus : -1\n",
        ] {
            assert_eq!(with_xl_info(text), OriginHost::default(), "{text}");
        }
        let hostile = with_xl_info(&format!("xen_version : \u{1b}[2J{}", "x".repeat(1 << 20)));
        let xen = hostile.xen.unwrap();
        assert!(xen.starts_with("\\u{1b}[2J") && xen.len() <= display::TEXT_CHARS_MAX, "{xen}");
    }

    #[test]
    fn processors_are_those_of_cpuinfo() {
        let cpu = "processor\t: 0\nvendor_id\t: AuthenticAMD\n\
                   model name\t: AMD EPYC 7302P 16-Core Processor\ncache size\t: 512 KB\n\n";
        let host = with_cpuinfo(OriginHost::default(), &cpu.repeat(4));
        assert_eq!(host.cpu.as_deref(), Some("AMD EPYC 7302P 16-Core Processor"));
        assert_eq!(host.dom0_vcpus, Some(4));
        // Arm's has no name.
        let arm = "processor\t: 0\nBogoMIPS\t: 200.00\nCPU implementer\t: 0x41\n";
        let host = with_cpuinfo(OriginHost::default(), arm);
        assert_eq!((host.cpu, host.dom0_vcpus), (None, Some(1)));
        assert_eq!(with_cpuinfo(OriginHost::default(), ""), OriginHost::default());
    }

    #[test]
    fn this_host_has_a_kernel() {
        let host = host(&Root::default(), None);
        assert!(host.kernel.unwrap().starts_with("Linux "));
        assert!(host.dom0_vcpus.is_some() && host.xen.is_none());
    }

    #[test]
    fn affinity_is_read_from_the_end_of_a_line() {
        let text = "\
Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)
Domain-0                             0     0   14   r--      37.9  12-19 / all
mark of 2 / 3                        7     0    -   --p       0.0  2-3,8 / all
mark of 2 / 3                        7     1    -   --p       0.0  all / 2,4
other                                2     7    3   -b-      12.1  7 / 7
";
        assert_eq!(affinity(text, 7), ["2-3,8", "all"]);
        assert_eq!(affinity(text, 2), ["7"]);
        assert_eq!(affinity(text, 3), [""; 0]);
        for text in ["", "/", "a / b", "7 0 - --p 0.0 / all", "Domain 7 does not exist"] {
            assert_eq!(affinity(text, 7), [""; 0], "{text}");
        }
    }
}
