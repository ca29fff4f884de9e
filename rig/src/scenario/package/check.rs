//! Check of a package: it is the same when it is made again, and works where there is nothing else.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{NAME, pack, tree};
use crate::rig::Rig;

/// Job that the tool is given.
const JOB: &str = "[a]\nrw=randread\nbs=4k\niodepth=32\nfilename=/dev/xvda\n";

/// Makes a package twice, unpacks it in two ways into an otherwise empty root, and runs what needs
/// no Xen. Returns the evidence.
///
/// # Errors
/// What does not work.
pub(crate) fn check(rig: &Rig) -> Result<String> {
    let (directory, _lock) = rig.directory("package-check")?;
    let archives = ["one.tar.gz", "two.tar.gz"].map(|name| directory.join(name));
    for archive in &archives {
        tree(rig, &directory)?;
        pack(&directory, archive)?;
    }
    let [one, two] = &archives;
    ensure!(fs::read(one)? == fs::read(two)?, "the same files make different archives");
    let root = directory.join("root");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    fs::create_dir_all(root.join("usr/local"))?;
    fs::write(root.join("job.fio"), JOB)?;
    fs::write(root.join("disk"), "data")?;
    unpack(one, &root, &[])?;
    unpack(one, &root.join("usr/local"), &["--strip-components=1"])?;
    for place in [NAME, "usr/local"] {
        works(&root, place).with_context(|| format!("unpacked into /{place}"))?;
    }
    let bytes = fs::metadata(one)?.len();
    fs::remove_dir_all(&directory)?;
    Ok(format!("{bytes} bytes, twice the same; runs unpacked anywhere and in /usr/local"))
}

fn unpack(archive: &Path, to: &Path, words: &[&str]) -> Result<()> {
    let done = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(to).args(words).output();
    let done = done.context("cannot run tar")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success() && said.is_empty(), "tar: {said}");
    Ok(())
}

/// Runs the tool of a package in a root that has nothing else.
fn works(root: &Path, place: &str) -> Result<()> {
    let version = run(root, place, &["--version"])?;
    ensure!(version == concat!("ringmark ", env!("CARGO_PKG_VERSION"), "\n"), "it is {version:?}");
    let help = run(root, place, &["--help"])?;
    ensure!(help.contains("\nCommands:\n"), "no help: {help}");
    let jobs = run(root, place, &["check", "/job.fio"])?;
    ensure!(jobs.contains("--rw=randread"), "no job: {jobs}");
    let plan = run(root, place, &["run", "--dry-run", "--disk", "/disk,raw,xvda,w", "/job.fio"])?;
    let kernel = format!("kernel=\"/{place}/lib/ringmark/ringmark\"");
    ensure!(plan.replace(' ', "").contains(&kernel), "not {kernel}: {plan}");
    let page = fs::read_to_string(root.join(place).join("share/man/man1/ringmark.1"))?;
    ensure!(page.contains(".SH NAME") && page.contains("ringmark"), "no page of the manual");
    for name in ["ringmark-run.1", "ringmark-doctor.1"] {
        ensure!(root.join(place).join("share/man/man1").join(name).is_file(), "no {name}");
    }
    Ok(())
}

fn run(root: &Path, place: &str, words: &[&str]) -> Result<String> {
    // A user may do so in a name space where he is root.
    let is_root = fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0);
    let mut command = Command::new(if is_root { "chroot" } else { "unshare" });
    if !is_root {
        command.args(["--map-root-user", "chroot"]);
    }
    let done = command
        .arg(root)
        .arg(format!("/{place}/bin/ringmark"))
        .args(words)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .output()
        .context("cannot run chroot")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "ringmark {}: {} {said}", words.join(" "), done.status);
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
