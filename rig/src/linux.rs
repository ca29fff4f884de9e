//! Debian's Linux: its kernel and its modules among unpacked packages.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;

use crate::archive::Archive;
use crate::filter;

/// One version of it.
pub(crate) struct Linux {
    /// The kernel as a boot loader wants it, compressed.
    pub(crate) bz_image: PathBuf,
    /// Version, as `uname -r` has it.
    pub(crate) version: String,
    modules: PathBuf,
}

impl Linux {
    /// The one below `root`.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub(crate) fn below(root: &Path) -> Result<Self> {
        let boot = root.join("boot");
        // Debian 13 has nothing in /lib any more.
        let places = ["usr/lib/modules", "lib/modules"].map(|place| root.join(place));
        let modules = places.into_iter().find(|place| place.is_dir());
        let modules = modules.context("the packages have no kernel modules")?;
        let version = named(&modules, "", "")?;
        Ok(Self {
            bz_image: boot.join(named(&boot, "vmlinuz-", "")?),
            modules: modules.join(&version).join("kernel"),
            version,
        })
    }

    /// The kernel as an ELF.
    ///
    /// # Errors
    /// When it cannot be taken out of its compressed form.
    pub(crate) fn vmlinux(&self) -> Result<Vec<u8>> {
        let image = fs::read(&self.bz_image)?;
        payload(&image)
            .and_then(filter::decompress)
            .with_context(|| format!("cannot unpack {}", self.bz_image.display()))
    }

    /// Adds a module as `/modules/NAME.ko`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(crate) fn add_module(&self, archive: &mut Archive, name: &str) -> Result<()> {
        let file = format!("/modules/{name}.ko");
        if let Some(path) = search(&self.modules, &format!("{name}.ko"))? {
            return archive.copy(&file, 0o644, &path);
        }
        let packed = search(&self.modules, &format!("{name}.ko.xz"))?
            .with_context(|| format!("the kernel package has no module {name}"))?;
        // busybox's insmod does not unpack them.
        archive.add(&file, 0o644, filter::decompress(fs::read(packed)?)?);
        Ok(())
    }
}

fn search(directory: &Path, file: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if let Some(path) = search(&entry.path(), file)? {
                return Ok(Some(path));
            }
        } else if entry.file_name() == file {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// The one file name in a directory that begins and ends so.
///
/// # Errors
/// When there is none, or more than one.
pub(crate) fn named(directory: &Path, prefix: &str, suffix: &str) -> Result<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)
        .with_context(|| format!("the packages have no {}", directory.display()))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) && name.ends_with(suffix) {
            found.push(name);
        }
    }
    match found.pop() {
        Some(name) if found.is_empty() => Ok(name),
        _ => bail!("expected one {prefix}*{suffix} in {}", directory.display()),
    }
}

/// The compressed kernel in a bzImage, without the size that follows it (Linux,
/// Documentation/x86/boot.rst: `setup_sects`, `payload_offset`, `payload_length`).
fn payload(image: &[u8]) -> Result<Vec<u8>> {
    let word = |at: usize| -> Option<usize> {
        let bytes = image.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let found = || {
        let setup_sectors = usize::from(*image.get(0x1f1)?);
        let start = ((setup_sectors + 1) * 512).checked_add(word(0x248)?)?;
        let end = start.checked_add(word(0x24c)?)?.checked_sub(4)?;
        image.get(start..end)
    };
    ensure!(image.get(0x202..0x206) == Some(b"HdrS"), "no bzImage");
    Ok(found().context("its payload is outside the file")?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bz_image(length: u32) -> Vec<u8> {
        let mut image = vec![0; 0x400];
        image[0x1f1] = 0;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248..0x24c].copy_from_slice(&0x10u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&length.to_le_bytes());
        image[0x210..0x218].copy_from_slice(b"payload!");
        image
    }

    #[test]
    fn payload_is_cut_out_of_a_bzimage() {
        assert_eq!(payload(&bz_image(12)).unwrap(), b"payload!");
    }

    #[test]
    fn a_broken_bzimage_is_refused() {
        assert!(payload(&bz_image(u32::MAX)).is_err());
        assert!(payload(&bz_image(3)).is_err());
        assert!(payload(&bz_image(12)[..0x24a]).is_err());
        assert!(payload(b"MZ").is_err());
    }
}
