//! Parameters of Linux's xen-blkback, which dom0 tells in `/sys`.

use results::OriginBlkback;

use crate::root::Root;

/// Directory of the module, there also if it is built in.
const MODULE: &str = "/sys/module/xen_blkback";

/// Returns its parameters; `None` if it is not there.
pub fn parameters(root: &Root) -> Option<OriginBlkback> {
    let path = |name: &str| format!("{MODULE}/parameters/{name}");
    root.has(MODULE).then(|| OriginBlkback {
        feature_persistent: root.flag(&path("feature_persistent")),
        max_ring_page_order: root.number(&path("max_ring_page_order")),
        max_queues: root.number(&path("max_queues")),
        max_persistent_grants: root.number(&path("max_persistent_grants")),
        persistent_grant_unused_seconds: root.number(&path("persistent_grant_unused_seconds")),
        log_stats: root.flag(&path("log_stats")),
    })
}
