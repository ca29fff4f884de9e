//! The Debian packages that the images are made of: fetching and unpacking them.
//!
//! apt resolves, fetches and checks the packages; nothing is installed on the host.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fs_err as fs;

use crate::apt::{Apt, run};
use crate::cache::Cache;
use crate::contents::{self, Extent};
use crate::progress::Progress;

/// Depends on the newest kernel package, which has its version in its name.
const KERNEL: &str = "linux-image-amd64";

/// Packages from which an image takes files, besides the kernel.
pub(crate) struct Selection {
    /// The suite of Debian; none for that of the host's own sources.
    pub(crate) suite: Option<&'static str>,
    /// The packages, to which the libraries come that they need.
    pub(crate) names: &'static [&'static str],
}

/// Unpacked packages in the cache.
pub(crate) struct Packages {
    directory: PathBuf,
    /// The packages' file names, one a line, which have their versions in them.
    pub(crate) manifest: String,
}

impl Packages {
    /// The packages, fetched if the cache has none.
    ///
    /// # Errors
    /// When apt does not know or cannot fetch one.
    pub(crate) fn fetch(cache: &Cache, progress: &Progress, wanted: &Selection) -> Result<Self> {
        let (suite, names) = (wanted.suite.unwrap_or_default(), wanted.names.join(" "));
        let entry = format!("packages-{}", crate::cache::key([suite, &names].map(str::as_bytes)));
        let place = cache.entry(&entry, Extent::Sizes, progress, |draft| {
            progress.stage(&match wanted.suite {
                Some(suite) => format!("fetching packages of Debian {suite}"),
                None => "fetching Debian packages".to_owned(),
            });
            download(draft, wanted, progress)
        })?;
        let manifest = fs::read_to_string(place.join("manifest"))
            .with_context(|| format!("no manifest in {}", place.display()))?;
        Ok(Self { directory: place, manifest })
    }

    /// The tree of what all of them install.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// Checks that the tree is as it was unpacked, to the last byte.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn check(&self) -> Result<()> {
        contents::check(&self.directory, Extent::Digests).with_context(|| {
            let place = self.directory.display();
            format!("{place} is damaged: `./run.sh image --refresh` fetches it again")
        })
    }

    /// The upstream version of a package: of `fio_3.39-1_amd64.deb`, `3.39`.
    ///
    /// # Errors
    /// When it is not among them.
    pub(crate) fn version(&self, name: &str) -> Result<&str> {
        let found = self.manifest.lines().find_map(|line| {
            let version = line.strip_prefix(name)?.strip_prefix('_')?.split('_').next()?;
            // An epoch before it, with its colon escaped, and Debian's revision behind it.
            let version = version.split_once("%3a").map_or(version, |(_, rest)| rest);
            Some(version.rsplit_once('-').map_or(version, |(upstream, _)| upstream))
        });
        found.with_context(|| format!("there is no package {name}"))
    }
}

fn download(place: &Path, wanted: &Selection, progress: &Progress) -> Result<()> {
    let own = place.join("apt");
    let apt = match wanted.suite {
        Some(suite) => {
            fs::create_dir(&own)?;
            Apt::of_suite(suite, &own)?
        }
        None => Apt::host(),
    };
    let kernel = apt
        .run("apt-cache", place, ["depends", "--important", KERNEL])
        .and_then(|text| dependency(&text).map(str::to_owned).context("it depends on no kernel"))
        .with_context(|| unknown(KERNEL))?;
    let options = ["depends", "--recurse", "--important"];
    let closure = apt
        .run("apt-cache", place, options.iter().chain(wanted.names))
        .with_context(|| unknown(&wanted.names.join(", ")))?;

    let mut names = vec!["download", kernel.as_str()];
    names.extend(wanted.names);
    names.extend(libraries(&closure));
    let archives = place.join("archives");
    fs::create_dir(&archives)?;
    apt.run("apt-get", &archives, &names).context("apt-get could not fetch the packages")?;

    progress.stage("unpacking the packages");
    let root = place.join("root");
    let mut manifest = Vec::new();
    for file in fs::read_dir(&archives)? {
        let path = file?.path();
        run("dpkg", place, [OsStr::new("-x"), path.as_os_str(), root.as_os_str()])
            .with_context(|| format!("cannot unpack {}", path.display()))?;
        manifest.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    manifest.sort();
    ensure!(
        manifest.len() == names.len() - 1,
        "apt-get fetched {} of {} packages",
        manifest.len(),
        names.len() - 1
    );
    fs::write(place.join("manifest"), manifest.join("\n"))?;
    fs::remove_dir_all(&archives)?;
    if own.exists() {
        fs::remove_dir_all(&own)?;
    }
    Ok(())
}

fn unknown(names: &str) -> String {
    format!(
        "apt does not know {names}: the rig needs Debian 12's package lists (run `apt-get update` as root)"
    )
}

/// The first `Depends:` of what `apt-cache depends` prints.
fn dependency(listing: &str) -> Option<&str> {
    listing.lines().find_map(|line| line.trim().strip_prefix("Depends: "))
}

/// The shared libraries among the packages that `apt-cache depends --recurse` lists: a package
/// that has no indentation is listed itself, not named as someone's dependency.
fn libraries(listing: &str) -> Vec<&str> {
    let is_library = |name: &&str| {
        let scripts =
            name.starts_with("libpython") || name.ends_with("-perl") || name.starts_with("libperl");
        (name.starts_with("lib") && !scripts) || *name == "zlib1g"
    };
    let mut names: Vec<_> = listing.lines().filter(is_library).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versioned_kernel_is_found() {
        let listing = "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n";
        assert_eq!(dependency(listing), Some("linux-image-6.1.0-56-amd64"));
        assert_eq!(dependency("linux-image-amd64\n"), None);
    }

    #[test]
    fn libraries_are_taken_once_and_interpreters_not() {
        let listing = "fio\n  Depends: libaio1t64\nlibaio1t64\n  Depends: libc6\nlibc6\nzlib1g\n\
                       libperl5.36\nlibpython3-stdlib\nlibtext-glob-perl\nlibaio1t64\n<libfoo>\n\
                       perl\n";
        assert_eq!(libraries(listing), ["libaio1t64", "libc6", "zlib1g"]);
    }

    #[test]
    fn a_version_is_upstreams() {
        let manifest = "fio_3.39-1_amd64.deb\nlibfio_9-1_amd64.deb\n\
                        qemu_1%3a7.2+dfsg-7+deb12u18_amd64.deb\nnative_12_all.deb";
        let packages = Packages { directory: PathBuf::new(), manifest: manifest.into() };
        assert_eq!(packages.version("fio").unwrap(), "3.39");
        assert_eq!(packages.version("qemu").unwrap(), "7.2+dfsg");
        assert_eq!(packages.version("native").unwrap(), "12");
        assert!(packages.version("fi").is_err());
    }
}
