//! Words for a Linux kernel that loaders and tool stacks put on any kernel's command line: Qubes
//! (`kernelopts`), EVE-OS (`appuuid`), GRUB and pvgrub, pygrub, and xl's `root=`. They mean nothing
//! here.

/// Words without a value.
const WORDS: &str = "
    -- ro rw quiet splash rhgb placeholder single debug nomodeset noresume nosplash ignore_loglevel
    nokaslr nosmp nopat nopti nosmt nosmap nosmep nopcid noinvpcid noapic nolapic nox2apic
    nospectre_v1 nospectre_v2 nowatchdog nosoftlockup nohibernate nomce
    rd_NO_PLYMOUTH rd_NO_FSTAB rd_NO_LUKS rd_NO_LVM rd_NO_MD rd_NO_DM
";

/// Options with a value.
const OPTIONS: &str = "
    BOOT_IMAGE root rootflags rootfstype rootdelay rootwait init initrd console earlyprintk
    earlycon loglevel ip resume panic crashkernel LANG KEYTABLE KEYBOARDTYPE SYSFONT selinux
    enforcing apparmor security audit swiotlb iommu mitigations elevator biosdevname consoleblank
    max_loop maxcpus nr_cpus preempt init_on_alloc init_on_free xen_scrub_pages xen_blkfront
    transparent_hugepage pci pti spectre_v2 spec_store_bypass_disable nmi_watchdog nohz hugepages
    vga video appuuid
";

/// Modules with options such as `rd.plymouth.enable=0`.
const MODULES: &str = "
    rd plymouth systemd luks vt net printk xen_privcmd xen_blkfront xen_netfront zswap random
    ipv6 audit
";

/// Values of Linux's `clocksource=`; fio has an option of that name with other values.
const CLOCKS: &str = "tsc xen hpet acpi_pm jiffies";

fn is_in(list: &str, name: &str) -> bool {
    list.split_ascii_whitespace().any(|one| one == name)
}

/// Returns whether a word is one of those.
pub(super) fn is_for_linux(word: &str) -> bool {
    let Some((name, value)) = word.split_once('=') else {
        return is_in(WORDS, word) || is_of_module(word);
    };
    is_in(OPTIONS, name) || is_of_module(name) || (name == "clocksource" && is_in(CLOCKS, value))
}

fn is_of_module(name: &str) -> bool {
    name.split_once('.').is_some_and(|(module, _)| is_in(MODULES, module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_of_our_options_is_ignored() {
        let help = fio_job::help();
        let names: alloc::vec::Vec<&str> =
            help.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        assert!(names.contains(&"filename") && names.contains(&"rw") && names.contains(&"verify"));
        // A bare rw belongs to Linux, rw= to fio.
        for name in names.into_iter().filter(|name| *name != "rw") {
            assert!(!is_in(OPTIONS, name) && !is_in(WORDS, name), "{name}");
        }
        for word in ["rw=read", "hold", "selftest", "help", "--help", "mode=ls", "hypercall=page"] {
            assert!(!is_for_linux(word), "{word}");
        }
    }
}
