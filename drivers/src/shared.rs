//! Pages together with the grants that share them.
//!
//! A page and its entry of the grant table are one value from before the first permission until
//! after the last revoke. So only memory that is owned as a [`Page`] can be granted, no page is
//! granted twice, and a page comes back, to be freed or used for something else, only after its
//! entry was revoked. A page that the grantee keeps mapped is dropped together with its entry.

use alloc::vec::Vec;
use core::ptr::NonNull;

use protocols::grant::StillMapped;
use xen_abi::{DomId, Gfn, GrantRef};

use crate::grant::{Access, Grant};
use crate::page::{Page, PageRun};

/// A page with its entry of the grant table.
///
/// A frame without a page behind it can't be granted:
/// ```compile_fail,E0624
/// # fn safe(mut table: drivers::grant::GrantTable<'_, impl drivers::Hypervisor>) {
/// let mut grant = table.reserve(1).unwrap().remove(0);
/// grant.permit(xen_abi::DomId(0), xen_abi::Gfn(0x123), drivers::grant::Access::ReadWrite);
/// # }
/// ```
/// A page that may be granted can't be freed:
/// ```compile_fail,E0308
/// # fn safe(xen: &impl drivers::Hypervisor, shared: drivers::shared::SharedPage<'_>) {
/// xen.free_page(shared);
/// # }
/// ```
/// It can be when its entry has been revoked:
/// ```
/// # fn safe(xen: &impl drivers::Hypervisor, shared: drivers::shared::SharedPage<'_>) {
/// if let Ok((page, _grant)) = shared.into_parts() {
///     xen.free_page(page);
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct SharedPage<'a> {
    page: Page,
    grant: Grant<'a>,
}

impl<'a> SharedPage<'a> {
    /// Puts the two together; nothing is granted yet.
    pub fn new(page: Page, grant: Grant<'a>) -> Self {
        Self { page, grant }
    }

    /// Takes the two apart, with nothing granted any more.
    ///
    /// # Errors
    /// When the grantee has the page mapped. Page and entry are then lost on purpose.
    pub fn into_parts(mut self) -> Result<(Page, Grant<'a>), StillMapped> {
        self.revoke()?;
        Ok((self.page, self.grant))
    }

    /// The reference that the grantee needs.
    #[inline(always)]
    pub fn gref(&self) -> GrantRef {
        self.grant.gref()
    }

    /// Lets `grantee` map the page.
    ///
    /// # Panics
    /// When the page's frame number needs more than the 32 bits of a version 1 entry.
    #[inline]
    pub fn permit(&mut self, grantee: DomId, access: Access) {
        self.grant.permit(grantee, self.page.gfn(), access);
    }

    /// Ends the permission.
    ///
    /// # Errors
    /// When the grantee has the page mapped; the permission stands.
    #[inline]
    pub fn revoke(&mut self) -> Result<(), StillMapped> {
        self.grant.revoke()
    }

    /// Returns whether Xen marks the page as mapped by the grantee now. The grantee decides when it
    /// maps and unmaps, so this is good for counting and for nothing else.
    pub fn is_mapped(&self) -> bool {
        self.grant.is_mapped()
    }

    /// The page, to read from.
    #[inline]
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Writes as [`Page::write`] does. (A `&mut Page` would let the page be exchanged for another.)
    ///
    /// # Panics
    /// As [`Page::write`].
    #[inline(always)]
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.page.write(offset, bytes);
    }

    /// Copies as [`Page::copy_from`] does.
    ///
    /// # Panics
    /// As [`Page::copy_from`].
    pub fn copy_from(&mut self, other: &Page, bytes: usize) {
        self.page.copy_from(other, bytes);
    }
}

/// Pages that lie one behind the other, each with its entry of the grant table.
#[derive(Debug)]
pub struct SharedRun<'a> {
    run: PageRun,
    grants: Vec<Grant<'a>>,
}

impl<'a> SharedRun<'a> {
    /// Puts pages and entries together; nothing is granted yet.
    ///
    /// # Panics
    /// When there is not one entry for each page.
    pub fn new(run: PageRun, grants: Vec<Grant<'a>>) -> Self {
        assert_eq!(run.count(), grants.len());
        Self { run, grants }
    }

    /// Takes the run apart; what was granted still is.
    pub fn into_pages(self) -> impl Iterator<Item = SharedPage<'a>> {
        self.run.into_pages().zip(self.grants).map(|(page, grant)| SharedPage::new(page, grant))
    }

    /// Number of pages.
    pub fn count(&self) -> usize {
        self.run.count()
    }

    /// First byte of the pages, for [`crate::ring`].
    #[inline(always)]
    pub fn start(&self) -> NonNull<u8> {
        self.run.start()
    }

    /// Frame numbers, in order.
    pub fn gfns(&self) -> impl Iterator<Item = Gfn> + use<> {
        self.run.gfns()
    }

    /// The references that the grantee needs, in order.
    pub fn grefs(&self) -> impl Iterator<Item = GrantRef> {
        self.grants.iter().map(Grant::gref)
    }

    /// Lets `grantee` map all pages.
    ///
    /// # Panics
    /// As [`SharedPage::permit`].
    pub fn permit(&mut self, grantee: DomId, access: Access) {
        for (grant, gfn) in self.grants.iter_mut().zip(self.run.gfns()) {
            grant.permit(grantee, gfn, access);
        }
    }

    /// Sets every byte to 0.
    pub fn zero(&mut self) {
        self.run.zero();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::grant::tests::leaked_grants;
    use crate::page::tests;

    /// Pages of the host's memory with entries of a table that is nobody's; never freed.
    pub(crate) fn leaked_run(count: usize) -> SharedRun<'static> {
        SharedRun::new(tests::leaked_run(count), leaked_grants(count))
    }

    #[test]
    fn a_run_comes_apart_with_the_entry_of_each_page() {
        let run = leaked_run(3);
        let expected: Vec<_> = run.gfns().zip(run.grefs()).collect();
        let pages = run.into_pages().map(|shared| (shared.page().gfn(), shared.gref()));
        assert!(pages.eq(expected));
    }

    #[test]
    #[should_panic]
    fn each_page_has_an_entry() {
        SharedRun::new(tests::leaked_run(2), leaked_grants(1));
    }
}
