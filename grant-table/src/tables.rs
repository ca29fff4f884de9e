//! Operations that hypercalls ask of grant tables.

use xen_abi::{DomId, GrantRef};

use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::values::{Access, Handle, Mapping, Size, Status, Version};
use crate::words::Words;

/// Grant tables of all domains, for hypercalls of any processor at any time.
pub trait GrantTables<W: Words>: Send + Sync {
    /// Maps an entry of `of` for `by` (`GNTTABOP_map_grant_ref`).
    ///
    /// # Errors
    /// Any [`Status`] but [`Status::BadHandle`] and [`Status::Busy`]; then nothing has changed.
    fn map(
        &self,
        cpu: &mut Cpu,
        by: DomId,
        of: DomId,
        gref: GrantRef,
        access: Access,
    ) -> Result<Mapping, Status>;

    /// Ends a mapping of `by` (`GNTTABOP_unmap_grant_ref`).
    ///
    /// # Errors
    /// [`Status::BadDomain`], [`Status::BadHandle`].
    fn unmap(&self, cpu: &mut Cpu, by: DomId, handle: Handle) -> Result<(), Status>;

    /// Copies from an entry to another for `by` (`GNTTABOP_copy`): `work` is given both frames,
    /// which stay granted until it returns. It must not use the tables.
    ///
    /// # Errors
    /// As those of [`map`](Self::map); then nothing was copied.
    fn copy(
        &self,
        cpu: &mut Cpu,
        by: DomId,
        from: (DomId, GrantRef),
        to: (DomId, GrantRef),
        work: &mut dyn FnMut(u32, u32),
    ) -> Result<(), Status>;

    /// Returns how large the table of `of` is (`GNTTABOP_query_size`).
    ///
    /// # Errors
    /// [`Status::BadDomain`].
    fn size(&self, cpu: &mut Cpu, of: DomId) -> Result<Size, Status>;

    /// Grows the table of `of` to so many frames; one that has as many stays as it is.
    ///
    /// # Errors
    /// [`Status::BadDomain`]; [`Status::Full`] beyond the most that it may have.
    fn grow(&self, cpu: &mut Cpu, of: DomId, frames: u32) -> Result<(), Status>;

    /// Changes the form of the entries of `of` (`GNTTABOP_set_version`), which clears them all; a
    /// table that has that form stays as it is. The entries of the tool stack, which Xen keeps, are
    /// as all others here (see the crate's docs).
    ///
    /// # Errors
    /// [`Status::BadDomain`]; [`Status::Busy`] while an entry is in use, if the form changes.
    fn set_version(&self, cpu: &mut Cpu, of: DomId, version: Version) -> Result<(), Status>;

    /// Returns an entry of `of` as that domain itself sees it: its own memory, without a
    /// hypercall. `None` if there is no such domain, or its table can't have it.
    fn entry(&self, of: DomId, gref: GrantRef) -> Option<&Entry<W>>;
}
