//! A page of the domain's grant table, as a value with one owner.

use xen_abi::grant_table::TablePage;

/// A page of the domain's grant table, owned: whoever has it may share memory by its entries.
///
/// Each page exists once as a value, so an entry has one owner, however many
/// [`GrantTable`](crate::grant::GrantTable)s there are.
#[derive(Debug)]
pub struct GrantFrame<'a> {
    pub(crate) index: u32,
    pub(crate) entries: &'a TablePage,
}

impl<'a> GrantFrame<'a> {
    /// Takes ownership of page `index` of the domain's grant table.
    ///
    /// # Safety
    /// `entries` is that page, and no other `GrantFrame` of it was ever made.
    pub unsafe fn new(index: u32, entries: &'a TablePage) -> Self {
        Self { index, entries }
    }
}
