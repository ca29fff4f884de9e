//! The Debian packages that the images are made of: their names, and fetching and unpacking them.
//!
//! apt resolves, fetches and checks the packages; nothing is installed on the host.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::cache::Cache;
use crate::progress::Progress;

/// What the images take files from, besides the kernel, whose package has its version in its name.
const WANTED: [&str; 6] = [
    "busybox-static",
    "fio",
    "xen-hypervisor-4.17-amd64",
    "xen-utils-4.17",
    "xen-utils-common",
    "xenstore-utils",
];

/// Depends on the newest kernel package.
const KERNEL: &str = "linux-image-amd64";

/// Unpacked packages in the cache.
pub(crate) struct Packages {
    /// Holds what all of them install, in one tree.
    pub(crate) root: PathBuf,
    /// The packages' file names, one a line, which have their versions in them.
    pub(crate) manifest: String,
}

impl Packages {
    /// The packages, fetched if the cache has none.
    ///
    /// # Errors
    /// When apt does not know or cannot fetch one.
    pub(crate) fn fetch(cache: &Cache, progress: &Progress) -> Result<Self> {
        let names = WANTED.join(" ");
        let entry = format!("packages-{}", crate::cache::key([names.as_bytes()]));
        let place = cache.entry(&entry, |draft| {
            progress.stage("fetching Debian packages");
            download(draft, progress)
        })?;
        let manifest = fs::read_to_string(place.join("manifest"))
            .with_context(|| format!("no manifest in {}", place.display()))?;
        Ok(Self { root: place.join("root"), manifest })
    }
}

fn download(place: &Path, progress: &Progress) -> Result<()> {
    let kernel = run("apt-cache", place, ["depends", "--important", KERNEL])
        .and_then(|text| dependency(&text).map(str::to_owned).context("it depends on no kernel"))
        .with_context(|| unknown(KERNEL))?;
    let options = ["depends", "--recurse", "--important"];
    let closure = run("apt-cache", place, options.iter().chain(&WANTED))
        .with_context(|| unknown(&WANTED.join(", ")))?;

    let mut names = vec!["download", kernel.as_str()];
    names.extend(WANTED);
    names.extend(libraries(&closure));
    let archives = place.join("archives");
    fs::create_dir(&archives)?;
    run("apt-get", &archives, &names).context("apt-get could not fetch the packages")?;

    progress.stage("unpacking them");
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

/// Runs a program in a directory and gives its output; its complaints if it fails.
fn run<S: AsRef<OsStr>>(
    program: &str,
    directory: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| anyhow!("cannot run {program}: {error}"))?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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
        let listing = "fio\n  Depends: libaio1\nlibaio1\n  Depends: libc6\nlibc6\nzlib1g\nlibperl5.36\n\
                       libpython3-stdlib\nlibtext-glob-perl\nlibaio1\n<libfoo>\nperl\n";
        assert_eq!(libraries(listing), ["libaio1", "libc6", "zlib1g"]);
    }
}
