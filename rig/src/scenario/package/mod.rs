//! `package`: guest, tool, manual and documents in one archive, which is unpacked anywhere or,
//! without its first directory, into `/usr/local`.
//!
//! The archive has its files by name, of one owner and time: from the same files the same tar and
//! gzip make the same bytes.

mod check;
mod licences;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};

use crate::progress::print_line;
use crate::rig::Rig;

pub(crate) use check::check;

/// Name of the archive and of its directory.
const NAME: &str = concat!("ringmark-", env!("CARGO_PKG_VERSION"));
/// Time of all files, unless SOURCE_DATE_EPOCH says another: the beginning of 2026 in UTC. With 0,
/// tar complains where it is unpacked.
const TIME: &str = "1767225600";
/// Directory of the documents.
const DOCUMENTS: &str = "share/doc/ringmark";
/// Documents of the tree that go along.
const FILES: [&str; 4] = ["README.md", "LICENSE-APACHE", "LICENSE-MIT", "ringmark.cfg"];
/// Completion of shells: which, and where they look for it.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/ringmark"),
    ("fish", "share/fish/vendor_completions.d/ringmark.fish"),
    ("zsh", "share/zsh/site-functions/_ringmark"),
];

/// Makes the archive beside the build, and says where.
///
/// # Errors
/// When something is not built, or cannot be written.
pub(crate) fn package(rig: &Rig) -> Result<ExitCode> {
    let (directory, _lock) = rig.directory("package")?;
    let path = rig.beside(&format!("{NAME}.tar.gz"));
    let tree = tree(rig, &directory)?;
    pack(&directory, &path)?;
    print_line(format_args!(
        "{:>6.1} MiB  {}",
        path.metadata()?.len() as f64 / f64::from(1 << 20),
        path.display()
    ));
    fs::remove_dir_all(tree)?;
    Ok(ExitCode::SUCCESS)
}

/// Lays out all that is packed in this directory. Returns where.
fn tree(rig: &Rig, directory: &Path) -> Result<PathBuf> {
    let place = directory.join(NAME);
    if place.exists() {
        fs::remove_dir_all(&place).context("cannot remove an older package")?;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let add = |path: &str, mode, content: Vec<u8>| add(&place.join(path), mode, &content);
    let copy = |path: &str, mode, from: &Path| {
        add(path, mode, fs::read(from).with_context(|| format!("cannot read {}", from.display()))?)
    };
    let tool = rig.tool()?;
    copy("bin/ringmark", 0o755, &tool)?;
    copy("lib/ringmark/ringmark", 0o644, &rig.kernel()?)?;
    for name in FILES {
        copy(&format!("{DOCUMENTS}/{name}"), 0o644, &source.join(name))?;
    }
    for name in documents(&source.join("docs"))? {
        copy(&format!("{DOCUMENTS}/docs/{name}"), 0o644, &source.join("docs").join(&name))?;
    }
    for (path, content) in licences::all(&source)? {
        add(&format!("{DOCUMENTS}/licences/{path}"), 0o644, content)?;
    }
    add("share/man/man1/ringmark.1", 0o644, said(&tool, &["man"])?)?;
    for command in commands(&said(&tool, &["--help"])?) {
        let page = said(&tool, &["man", &command])?;
        add(&format!("share/man/man1/ringmark-{command}.1"), 0o644, page)?;
    }
    for (shell, path) in SHELLS {
        add(path, 0o644, said(&tool, &["completion", shell])?)?;
    }
    Ok(place)
}

/// Packs what was laid out in a directory.
fn pack(directory: &Path, to: &Path) -> Result<()> {
    let time = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| TIME.to_owned());
    let done = Command::new("tar")
        .args(["--format=ustar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mode=u+rw,go+r-w,a+X", &format!("--mtime=@{time}"), "-I", "gzip -9n", "-C"])
        .arg(directory)
        .arg("-cf")
        .args([to.as_os_str(), NAME.as_ref()])
        .env("LC_ALL", "C")
        .output()
        .context("cannot run tar")?;
    ensure!(done.status.success(), "tar: {}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(())
}

fn add(path: &Path, mode: u32, content: &[u8]) -> Result<()> {
    let why = || format!("cannot write {}", path.display());
    path.parent().map_or(Ok(()), fs::create_dir_all).with_context(why)?;
    fs::write(path, content).with_context(why)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(why)
}

/// Returns what the tool prints.
fn said(tool: &Path, words: &[&str]) -> Result<Vec<u8>> {
    let done = Command::new(tool).args(words).stdin(Stdio::null()).output();
    let done = done.with_context(|| format!("cannot run {}", tool.display()))?;
    let words = words.join(" ");
    ensure!(done.status.success(), "ringmark {words}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(done.stdout)
}

/// Returns the names of the tool's commands, from its help.
fn commands(help: &[u8]) -> Vec<String> {
    let help = String::from_utf8_lossy(help);
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = list.take_while(|line| !line.is_empty()).filter_map(|line| {
        // The rest of what is said of a command stands further to the right.
        let name = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
        name.split(' ').next()
    });
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Returns the names of the documents in a directory, in order.
fn documents(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).context("cannot list the documents")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_of_the_help() {
        let help =
            b"Benchmarks\n\nUsage: x\n\nCommands:\n  run     Run a job\n          and more\n  \
                     fleet   Run\n  help    Print\n\nOptions:\n  -h, --help\n";
        assert_eq!(commands(help), ["run", "fleet"]);
        assert!(commands(b"").is_empty() && commands(b"Commands:").is_empty());
    }

    #[test]
    fn the_same_files_make_the_same_archive() {
        let place = std::env::temp_dir().join(format!("ringmark-package-{}", std::process::id()));
        let archive = |name: &str, files: [&str; 2], mode| {
            let directory = place.join(name);
            for file in files {
                add(&directory.join(NAME).join(file), mode, file.as_bytes()).unwrap();
            }
            pack(&directory, &place.join(format!("{name}.tar.gz"))).unwrap();
            fs::read(place.join(format!("{name}.tar.gz"))).unwrap()
        };
        let one = archive("one", ["b", "a/c"], 0o600);
        assert_eq!(archive("other", ["a/c", "b"], 0o644), one);
        let list = Command::new("tar").arg("-tvzf").arg(place.join("one.tar.gz")).output().unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        let lines: Vec<&str> = list.lines().collect();
        assert!(lines[0].starts_with("drwxr-xr-x 0/0 "), "{list}");
        assert!(lines[3].starts_with("-rw-r--r-- 0/0 ") && lines[3].ends_with("/b"), "{list}");
        fs::remove_dir_all(&place).unwrap();
    }
}
