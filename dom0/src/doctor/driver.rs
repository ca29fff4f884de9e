//! Findings about the driver behind the disks.

use results::{OriginBlkback, OriginHost};

use super::finding::Finding;

/// Pages of a ring that Linux's backend offers, as a power of two.
const RING_PAGE_ORDER: u32 = 4;
/// Requests in a page of a ring.
const SLOTS: u64 = 32;
/// Pages that it keeps mapped for a ring.
const PERSISTENT_GRANTS: u32 = 1056;
/// Shortest time for which a page that nobody uses is to be kept, in seconds.
const UNUSED_SECONDS: u32 = 10;

/// Returns what there is to say of xen-blkback.
pub fn findings(host: &OriginHost, is_xen: bool) -> Vec<Finding> {
    let about = "xen-blkback";
    match &host.blkback {
        None if is_xen => vec![Finding::warn(
            about,
            "is not loaded: QEMU serves the disks, or nobody does",
            "modprobe xen-blkback, unless another domain has the backend",
        )],
        None => Vec::new(),
        Some(parameters) => {
            let mut findings = vec![Finding::ok(about, shown(parameters))];
            findings.extend(
                judged(parameters, host.dom0_vcpus)
                    .into_iter()
                    .map(|(text, advice)| Finding::warn(about, text, advice)),
            );
            findings
        }
    }
}

/// Returns the parameters as they are written.
fn shown(of: &OriginBlkback) -> String {
    let flag = |name: &str, value: Option<bool>| {
        value.map(|is| format!("{name}={}", if is { "Y" } else { "N" }))
    };
    let number = |name: &str, value: Option<u32>| value.map(|value| format!("{name}={value}"));
    let all = [
        flag("feature_persistent", of.feature_persistent),
        number("max_ring_page_order", of.max_ring_page_order),
        number("max_queues", of.max_queues),
        number("max_persistent_grants", of.max_persistent_grants),
        number("persistent_grant_unused_seconds", of.persistent_grant_unused_seconds),
        flag("log_stats", of.log_stats),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    if all.is_empty() { "tells no parameters".to_owned() } else { all.join(" ") }
}

/// Returns what spoils figures, and what to do.
fn judged(of: &OriginBlkback, vcpus: Option<u32>) -> Vec<(String, &'static str)> {
    let mut all = Vec::new();
    let mut add = |text: String, advice: &'static str| all.push((text, advice));
    if of.feature_persistent == Some(false) {
        add(
            "feature_persistent=N: it keeps no page mapped, and grants=persistent costs what \
             per-request does"
                .to_owned(),
            "load it with feature_persistent=Y",
        );
    }
    if let Some(order) = of.max_ring_page_order.filter(|&order| order < RING_PAGE_ORDER) {
        let slots = SLOTS << order;
        add(
            format!(
                "max_ring_page_order={order}: a queue has {slots} requests in flight, more wait"
            ),
            "load it with max_ring_page_order=4, or keep iodepth= below that",
        );
    }
    if let Some(queues) = of.max_queues.filter(|&queues| vcpus.is_some_and(|vcpus| queues < vcpus))
    {
        add(
            format!(
                "max_queues={queues}: jobs on more vCPUs share a queue and the thread behind it"
            ),
            "load it with max_queues= of dom0's vCPUs",
        );
    }
    if let Some(pages) = of.max_persistent_grants.filter(|&pages| pages < PERSISTENT_GRANTS) {
        add(
            format!("max_persistent_grants={pages}: pages beyond are mapped for each request"),
            "write 1056 to /sys/module/xen_blkback/parameters/max_persistent_grants",
        );
    }
    let is_short = |seconds: &u32| (1..UNUSED_SECONDS).contains(seconds);
    if let Some(seconds) = of.persistent_grant_unused_seconds.filter(is_short) {
        add(
            format!(
                "persistent_grant_unused_seconds={seconds}: pages of a job that pauses are unmapped"
            ),
            "write 60 to /sys/module/xen_blkback/parameters/persistent_grant_unused_seconds",
        );
    }
    if of.log_stats == Some(true) {
        add(
            "log_stats=Y: each ring writes to the kernel's log every ten seconds".to_owned(),
            "write 0 to /sys/module/xen_blkback/parameters/log_stats",
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> OriginBlkback {
        OriginBlkback {
            feature_persistent: Some(true),
            max_ring_page_order: Some(4),
            max_queues: Some(4),
            max_persistent_grants: Some(1056),
            persistent_grant_unused_seconds: Some(60),
            log_stats: Some(false),
        }
    }

    #[test]
    fn what_linux_has_by_itself_is_fine() {
        let host = |blkback| OriginHost { blkback, dom0_vcpus: Some(4), ..OriginHost::default() };
        let lines = |blkback, is_xen| {
            findings(&host(blkback), is_xen).iter().map(Finding::line).collect::<String>()
        };
        assert_eq!(
            lines(Some(usual()), true),
            "ok    xen-blkback: feature_persistent=Y max_ring_page_order=4 max_queues=4 \
             max_persistent_grants=1056 persistent_grant_unused_seconds=60 log_stats=N\n"
        );
        let old = Some(OriginBlkback::default());
        assert_eq!(lines(old, true), "ok    xen-blkback: tells no parameters\n");
        assert!(lines(None, true).starts_with("warn  xen-blkback: is not loaded"));
        assert_eq!(lines(None, false), "");
    }

    #[test]
    fn each_parameter_that_costs_is_warned_of() {
        type Change = (fn(&mut OriginBlkback), &'static str);
        let changes: [Change; 8] = [
            (|of| of.feature_persistent = Some(false), "feature_persistent=N: "),
            (|of| of.max_ring_page_order = Some(0), "max_ring_page_order=0: a queue has 32 "),
            (|of| of.max_ring_page_order = Some(3), "max_ring_page_order=3: a queue has 256 "),
            (|of| of.max_queues = Some(3), "max_queues=3: "),
            (|of| of.max_persistent_grants = Some(1055), "max_persistent_grants=1055: "),
            (
                |of| of.persistent_grant_unused_seconds = Some(9),
                "persistent_grant_unused_seconds=9",
            ),
            (
                |of| of.persistent_grant_unused_seconds = Some(1),
                "persistent_grant_unused_seconds=1",
            ),
            (|of| of.log_stats = Some(true), "log_stats=Y: "),
        ];
        for (change, text) in changes {
            let mut of = usual();
            change(&mut of);
            let judged = judged(&of, Some(4));
            assert!(judged.len() == 1 && judged[0].0.starts_with(text), "{judged:?}");
        }
        // Never is no short time, and who knows no vCPUs knows no lack of queues.
        let never = OriginBlkback { persistent_grant_unused_seconds: Some(0), ..usual() };
        assert!(judged(&never, Some(4)).is_empty() && judged(&usual(), None).is_empty());
        let most = OriginBlkback { max_ring_page_order: Some(u32::MAX), ..usual() };
        assert!(judged(&most, Some(4)).is_empty());
    }
}
