//! Names of a node's children, in one reply or in parts.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use xen_abi::xenstore::MessageType;

use super::{Error, Transaction, Xenstore};
use crate::vcpu::Vcpu;

/// Longest list in bytes, enough for thousands of disks; each name ends with a NUL.
const LIST_MAX: usize = 32 << 10;
/// Number of times that a list is begun anew because it changed meanwhile.
const LIST_TRIES: u32 = 16;

impl<V: Vcpu> Xenstore<'_, V> {
    /// Returns the names of a node's children.
    ///
    /// # Errors
    /// [`Error::Refused`] with `ENOENT` when there is no such node, with `E2BIG` when the names
    /// need more than 4,096 bytes and the server does not send them in parts, with `EAGAIN` when
    /// they changed again and again; [`Error::Malformed`] when they need more than 32 KiB.
    pub fn directory(
        &mut self,
        transaction: Transaction,
        path: &str,
    ) -> Result<Vec<String>, Error> {
        let whole = self.request(MessageType::Directory, transaction, &[path.as_bytes(), b"\0"]);
        let names = match whole {
            Err(error) if error.is_refused("E2BIG") => {
                self.in_time(|store| store.directory_in_parts(transaction, path))?
            }
            names => names?,
        };
        let names = str::from_utf8(&names).map_err(|_| Error::Malformed("name is not text"))?;
        Ok(names.split_terminator('\0').map(String::from).collect())
    }

    /// Returns the list, put together from parts. Each comes with the list's generation, which
    /// changes whenever the list does.
    fn directory_in_parts(
        &mut self,
        transaction: Transaction,
        path: &str,
    ) -> Result<Vec<u8>, Error> {
        let mut names = Vec::new();
        let mut generation: Option<Vec<u8>> = None;
        let mut tries = 1;
        loop {
            let offset = names.len().to_string();
            let parts = [path.as_bytes(), b"\0", offset.as_bytes(), b"\0"];
            let reply = match self.request(MessageType::DirectoryPart, transaction, &parts) {
                // A server that does not know the request.
                Err(error) if error.is_refused("ENOSYS") || error.is_refused("EINVAL") => {
                    return Err(Error::Refused("E2BIG".into()));
                }
                reply => reply?,
            };
            let end = reply.iter().position(|&byte| byte == 0);
            let (of, part) = end.map(|end| (&reply[..end], &reply[end + 1..])).unwrap_or_default();
            if generation.as_deref().is_some_and(|before| before != of) {
                if tries == LIST_TRIES {
                    return Err(Error::Refused("EAGAIN".into()));
                }
                tries += 1;
                names.clear();
                generation = None;
                continue;
            }
            generation = Some(of.to_vec());
            if names.len() + part.len() > LIST_MAX {
                return Err(Error::Malformed("a list of names is longer than 32 KiB"));
            }
            names.extend_from_slice(part);
            // The list ends with an empty name.
            if part == b"\0" || part.ends_with(b"\0\0") {
                names.pop();
                return Ok(names);
            }
            if !part.ends_with(b"\0") {
                return Err(Error::Malformed("a list of names breaks off"));
            }
        }
    }
}
