//! Tables with a fault in an operation, around those of a sound design.

use grant_table::{Access, Cpu, Entry, GrantTables, Handle, Mapping, Size, Status, Version, Words};
use xen_abi::{DomId, GrantRef};

use crate::all::Tables;

/// Tables whose copies let both entries go before they work.
pub struct EarlyRelease<W: Words>(pub Tables<W>);

impl<W: Words> GrantTables<W> for EarlyRelease<W> {
    fn map(
        &self,
        cpu: &mut Cpu,
        by: DomId,
        of: DomId,
        gref: GrantRef,
        access: Access,
    ) -> Result<Mapping, Status> {
        self.0.map(cpu, by, of, gref, access)
    }

    fn unmap(&self, cpu: &mut Cpu, by: DomId, handle: Handle) -> Result<(), Status> {
        self.0.unmap(cpu, by, handle)
    }

    fn copy(
        &self,
        cpu: &mut Cpu,
        by: DomId,
        from: (DomId, GrantRef),
        to: (DomId, GrantRef),
        work: &mut dyn FnMut(u32, u32),
    ) -> Result<(), Status> {
        let mut frames = None;
        self.0.copy(cpu, by, from, to, &mut |from, to| frames = Some((from, to)))?;
        if let Some((from, to)) = frames {
            work(from, to);
        }
        Ok(())
    }

    fn size(&self, cpu: &mut Cpu, of: DomId) -> Result<Size, Status> {
        self.0.size(cpu, of)
    }

    fn grow(&self, cpu: &mut Cpu, of: DomId, frames: u32) -> Result<(), Status> {
        self.0.grow(cpu, of, frames)
    }

    fn set_version(&self, cpu: &mut Cpu, of: DomId, version: Version) -> Result<(), Status> {
        self.0.set_version(cpu, of, version)
    }

    fn entry(&self, of: DomId, gref: GrantRef) -> Option<&Entry<W>> {
        self.0.entry(of, gref)
    }
}
