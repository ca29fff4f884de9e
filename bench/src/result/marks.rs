//! Marks: what to know of a job's figures before they are believed or compared.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::JobResult;
use super::report::Extra;

/// What is to be marked.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    /// Pages that the backends keep mapped, of those that the I/Os used.
    pages: Option<(u64, u64)>,
}

impl Facts {
    fn marks(self) -> Vec<String> {
        self.of_pages().into_iter().collect()
    }

    fn of_pages(self) -> Option<String> {
        let (kept, used) = self.pages.filter(|(kept, used)| kept < used)?;
        Some(if kept == 0 {
            "the backend keeps nothing mapped between requests".into()
        } else {
            format!(
                "the backend keeps {kept} of {used} pages mapped and maps the others for each \
                 request; lower iodepth or bs, or raise max_persistent_grants of xen-blkback"
            )
        })
    }
}

impl JobResult {
    /// What is wrong with taking its figures for those of its `grants=`, a line for each; none if
    /// all is well.
    pub fn marks(&self) -> Vec<String> {
        let pages = self.pages_kept();
        Facts { pages: pages.map(|pages| (pages.kept.into(), pages.used.into())) }.marks()
    }
}

impl Extra {
    /// As [`JobResult::marks`].
    pub fn marks(&self) -> Vec<String> {
        Facts { pages: self.backend_pages_kept.zip(self.pages_used) }.marks()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_are_mapped_anew_are_marked() {
        let marks = |kept, used| {
            let (backend_pages_kept, pages_used) = (Some(kept), Some(used));
            Extra { backend_pages_kept, pages_used, ..Extra::default() }.marks()
        };
        assert_eq!(marks(2112, 2112), [""; 0]);
        assert_eq!(marks(0, 0), [""; 0]);
        assert_eq!(marks(u64::MAX, 1), [""; 0]);
        assert_eq!(marks(0, 32), ["the backend keeps nothing mapped between requests"]);
        let some = marks(1006, 2112);
        assert!(some[0].starts_with("the backend keeps 1006 of 2112 pages mapped"), "{some:?}");
        assert!(some[0].contains("max_persistent_grants") && some.len() == 1, "{some:?}");
        assert_eq!(Extra::default().marks(), [""; 0]);
    }
}
