//! apt: with the host's package sources, or with those of another Debian suite on the same mirror.
//!
//! The other suite has its lists and its sources in a directory of its own, so nothing of the
//! host's apt is changed. Its lists are checked as usual: Debian signs a suite with the keys of
//! the one before it as well, which Debian 12 has.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use fs_err as fs;

/// Debian's keys, of the package debian-archive-keyring.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Most lines of a program's complaints that are shown.
const COMPLAINTS_MAX: usize = 5;

/// apt's programs with one set of sources.
pub(crate) struct Apt {
    /// Configuration that they read after the host's.
    configuration: Option<PathBuf>,
}

impl Apt {
    /// Returns apt with the host's sources.
    pub(crate) fn host() -> Self {
        Self { configuration: None }
    }

    /// Returns apt with the sources of `suite` only, fetched anew and kept below `place`.
    ///
    /// # Errors
    /// When the host has no mirror of Debian, or that has no such suite.
    pub(crate) fn of_suite(suite: &str, place: &Path) -> Result<Self> {
        let format = "$(LABEL) $(COMPONENT) $(REPO_URI)";
        let targets = ["indextargets", "--format", format, "Created-By: Packages"];
        let targets = run("apt-get", place, targets)?;
        let mirror = mirror(&targets)
            .context("apt has no package lists of Debian's main (run `apt-get update` as root)")?;
        let sources = format!("deb [signed-by={KEYRING} target=Packages] {mirror} {suite} main\n");
        fs::write(place.join("sources.list"), sources)?;
        // Nothing is installed, as far as this apt can see.
        fs::write(place.join("status"), "")?;
        let path = place.join("apt.conf");
        fs::write(&path, configuration(place))?;
        let apt = Self { configuration: Some(path) };
        apt.run("apt-get", place, ["update"])
            .with_context(|| format!("cannot fetch the package lists of {suite} from {mirror}"))?;
        Ok(apt)
    }

    /// Runs one of apt's programs in a directory and gives its output.
    ///
    /// # Errors
    /// Failure of the program, with its error messages.
    pub(crate) fn run<S: AsRef<OsStr>>(
        &self,
        program: &str,
        directory: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<String> {
        let arguments: Vec<S> = arguments.into_iter().collect();
        let configuration = self.configuration.as_deref().map(Path::as_os_str).into_iter();
        let before = configuration.flat_map(|path| [OsStr::new("-c"), path]);
        run(program, directory, before.chain(arguments.iter().map(AsRef::as_ref)))
    }
}

/// The configuration of an apt that lives in `place`. The host's is read first: what it says of
/// proxies stays, what it wants done with packages goes.
fn configuration(place: &Path) -> String {
    let place = place.display();
    format!(
        "#clear APT::Update::Pre-Invoke;\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         Dir::State \"{place}\";\n\
         Dir::State::status \"{place}/status\";\n\
         Dir::Cache \"{place}/cache\";\n\
         Dir::Etc::sourcelist \"{place}/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\n\
         Acquire::Languages \"none\";\n"
    )
}

/// The mirror of Debian's main archive among what `apt-get indextargets` prints: a line for each
/// list, its label, component and place.
fn mirror(targets: &str) -> Option<&str> {
    targets.lines().find_map(|line| line.strip_prefix("Debian main "))
}

/// Runs a program in a directory and gives its output; its complaints if it fails.
///
/// # Errors
/// When it cannot be run, or fails.
pub(crate) fn run<S: AsRef<OsStr>>(
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
        bail!("{program}: {}", complaint(&String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns what matters of a program's standard error: without a network apt's has thousands of
/// warnings and an error for each package.
fn complaint(stderr: &str) -> String {
    let is_error = |line: &&str| line.starts_with("E: ");
    let mut lines: Vec<&str> = stderr.trim().lines().collect();
    if lines.iter().any(is_error) {
        lines.retain(is_error);
    }
    let rest = lines.split_off(lines.len().min(COMPLAINTS_MAX)).len();
    let rest = (rest > 0).then(|| format!("\n.. and {rest} lines more"));
    lines.join("\n") + &rest.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_debians_and_not_somebody_elses() {
        let targets = "cloud-sdk main https://packages.example.org/apt/\n\
                       Debian-Security main http://deb.debian.org/debian-security/\n\
                       Debian contrib http://mirror.example.org/debian/\n\
                       Debian main http://mirror.example.org/debian/\n\
                       Debian main http://deb.debian.org/debian/\n";
        assert_eq!(mirror(targets), Some("http://mirror.example.org/debian/"));
        assert_eq!(mirror("Debian Backports main http://deb.debian.org/debian/\n"), None);
        assert_eq!(mirror(""), None);
    }

    #[test]
    fn complaints_are_errors_and_not_too_many() {
        let failed: Vec<String> = (0..60).map(|n| format!("E: Failed to fetch {n}")).collect();
        let stderr = format!("W: unsandboxed\n{}\n", failed.join("\n"));
        assert_eq!(complaint(&stderr), format!("{}\n.. and 55 lines more", failed[..5].join("\n")));
        assert_eq!(complaint("dpkg-deb: error: not a Debian\n"), "dpkg-deb: error: not a Debian");
        assert_eq!(complaint(""), "");
    }

    #[test]
    fn nothing_of_the_hosts_apt_is_used_or_changed() {
        let text = configuration(Path::new("/cache/draft"));
        let of_host = ["State", "State::status", "Cache", "Etc::sourcelist", "Etc::sourceparts"];
        for what in of_host {
            let line = text.lines().find(|line| line.starts_with(&format!("Dir::{what} \"")));
            let line = line.unwrap_or_else(|| panic!("{what} is the host's"));
            assert!(line.contains("\"/cache/draft") || line.contains("\"/dev/null\""), "{line}");
        }
    }
}
