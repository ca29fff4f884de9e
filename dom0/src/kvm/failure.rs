//! Reasons why QEMU refuses to run a guest, in our words: what it is, and what to do.

use crate::display;

/// QEMU's words, all of which a line of its has, and ours.
const KNOWN: [(&[&str], &str); 6] = [
    (
        &["Xen HVM guest support not present"],
        "this kernel's KVM cannot run guests of Xen: it was built without CONFIG_KVM_XEN, like \
         Debian 12's; boot one that has it, like Debian 13's, or use a Xen host, without --kvm",
    ),
    (
        &["xen-version", "not found"],
        "this QEMU was built without Xen's emulation; install another, such as Debian 13's \
         qemu-system-x86, and name it with --qemu",
    ),
    (
        &["xen-", "is not a valid device model name"],
        "this QEMU was built without Xen's emulation; install another, such as Debian 13's \
         qemu-system-x86, and name it with --qemu",
    ),
    (
        &["Permission denied", "KVM kernel module"],
        "no permission for KVM's device; join the group kvm, or run as root",
    ),
    (
        &["KVM kernel module"],
        "KVM cannot be used here; switch virtualisation (VMX or SVM) on in the machine's firmware, \
         or in the host that runs it",
    ),
    (
        &["failed to initialize kvm"],
        "KVM cannot be used here; switch virtualisation (VMX or SVM) on in the machine's firmware, \
         or in the host that runs it",
    ),
];

/// Returns why QEMU ended, given what it printed on standard error; its own words where they are
/// not known.
pub fn explain(stderr: &str) -> String {
    if let Some(path) = locked(stderr) {
        let path = display::text(path);
        return format!(
            "disk {path} is in use by another program, which has QEMU's lock on it; end that, or \
             use another disk"
        );
    }
    let words = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = display::line(&words.collect::<Vec<_>>().join("; "));
    let is_said =
        |words: &[&str]| stderr.lines().any(|line| words.iter().all(|word| line.contains(word)));
    match KNOWN.iter().find(|(words, _)| is_said(words)) {
        Some((_, ours)) => format!("{ours}; QEMU says: {said}"),
        None if said.is_empty() => "QEMU ended without a word".to_owned(),
        None => format!("QEMU failed: {said}"),
    }
}

/// Returns the path of an image whose lock another has.
fn locked(stderr: &str) -> Option<&str> {
    const BEFORE: &str = "Is another process using the image [";
    let (_, rest) = stderr.split_once(BEFORE)?;
    Some(rest.lines().next()?.rsplit_once(']')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_reasons_have_a_way_out() {
        for (stderr, expected) in [
            (
                "qemu-system-x86_64: -device xen-disk,drive=d0: Failed to get \"write\" lock\n\
                 Is another process using the image [/tmp/a [1]]?\n",
                "disk /tmp/a [1] is in use by another program, which has QEMU's lock",
            ),
            (
                "qemu-system-x86_64: kvm: Xen HVM guest support not present or insufficient\n\
                 qemu-system-x86_64: failed to initialize kvm: Function not implemented\n",
                "this kernel's KVM cannot run guests of Xen",
            ),
            (
                "qemu-system-x86_64: -accel kvm,xen-version=0x40011: Property \
                 'kvm-accel.xen-version' not found\n",
                "this QEMU was built without Xen's emulation",
            ),
            (
                "qemu: -device xen-console: 'xen-console' is not a valid device model name\n",
                "this QEMU was built without Xen's emulation",
            ),
            (
                "qemu: Could not access KVM kernel module: Permission denied\n\
                 qemu: failed to initialize kvm: Permission denied\n",
                "no permission for KVM's device",
            ),
            (
                "qemu: Could not access KVM kernel module: No such file or directory\n",
                "KVM cannot be used here",
            ),
            (
                "ioctl(KVM_CREATE_VM) failed: 95 Operation not supported\n\
                 qemu: failed to initialize kvm: Operation not supported\n",
                "KVM cannot be used here",
            ),
            ("qemu: out of memory\n", "QEMU failed: qemu: out of memory"),
            ("\n", "QEMU ended without a word"),
        ] {
            let told = explain(stderr);
            assert!(told.starts_with(expected), "{told}");
        }
    }

    #[test]
    fn what_is_not_known_is_shown_and_does_no_harm() {
        let told = explain("a\u{1b}[2J\n\nb\n");
        assert_eq!(told, "QEMU failed: a\\u{1b}[2J; b");
    }
}
