//! `image`: builds the images into the cache.

use std::process::ExitCode;

use anyhow::Result;

use crate::cache::Cache;
use crate::image::Image;
use crate::peer::PeerImage;
use crate::progress::print_line;
use crate::rig::Rig;

/// Builds what is missing; with `refresh` everything, from packages fetched anew, which takes the
/// place of the old once it is complete.
///
/// # Errors
/// When a package cannot be fetched or lacks what the image needs.
pub(crate) fn image(rig: &Rig, refresh: bool) -> Result<ExitCode> {
    let build = |cache: &Cache| -> Result<(Image, PeerImage)> {
        Ok((Image::build(cache, &rig.progress)?, PeerImage::build(cache, &rig.progress)?))
    };
    if refresh {
        rig.cache.refresh(|cache| build(cache).map(drop))?;
    }
    let (image, peer) = build(&rig.cache)?;
    for path in
        [image.xen(), image.dom0_kernel(), image.dom0_initramfs(), peer.kernel(), peer.initramfs()]
    {
        print_line(format_args!(
            "{:>6.1} MiB  {}",
            path.metadata()?.len() as f64 / f64::from(1 << 20),
            path.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}
