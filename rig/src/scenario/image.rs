//! `image`: builds the images into the cache.

use std::process::ExitCode;

use anyhow::Result;

use crate::image::Image;
use crate::peer::PeerImage;
use crate::rig::Rig;

/// Builds what is missing; with `refresh` everything, from packages fetched anew.
///
/// # Errors
/// When a package cannot be fetched or lacks what the image needs.
pub(crate) fn image(rig: &Rig, refresh: bool) -> Result<ExitCode> {
    if refresh {
        rig.cache.clear()?;
    }
    let image = Image::build(&rig.cache, &rig.progress)?;
    let peer = PeerImage::build(&rig.cache, &rig.progress)?;
    for path in
        [image.xen(), image.dom0_kernel(), image.dom0_initramfs(), peer.kernel(), peer.initramfs()]
    {
        println!(
            "{:>6.1} MiB  {}",
            path.metadata()?.len() as f64 / f64::from(1 << 20),
            path.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}
