//! Place where guests run by KVM: this machine, or one that is emulated on it.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use fs_err as fs;

use super::boot::{Boot, Paths};
use crate::archive::Archive;
use crate::nested::Nested;
use crate::rig::{GUEST_KERNEL, Rig};
use crate::steps::{Outcome, Seen, Step};

/// Size of the disk, a file, in MiB.
const DISK_MIB: u64 = 64;
/// Longest time for a boot with its jobs, in seconds.
const DEADLINE_S: u64 = 600;

/// Machine that runs guests of Xen by KVM.
pub(super) enum Place {
    /// This machine.
    Here,
    /// An emulated one.
    Nested(Box<Nested>),
}

/// Takes the outcome of each boot, told by its index.
pub(super) type Take<'a> = &'a mut dyn FnMut(usize, &Outcome) -> Result<()>;

impl Place {
    /// Finds out whether this machine can, and says what comes of it.
    ///
    /// # Errors
    /// When it can't, and the emulated one cannot be built.
    pub(super) fn choose(rig: &Rig) -> Result<Self> {
        let Err(why) = probe("qemu-system-x86_64") else {
            rig.progress.stage("this machine's KVM and QEMU run the guest");
            return Ok(Self::Here);
        };
        rig.progress.stage(&format!("not by this machine's KVM: {why}"));
        let nested = Nested::build(&rig.cache, &rig.progress)?;
        rig.progress.stage(&format!(
            "nested: emulated processors with SVM run Linux {} and QEMU {}, and these the guest",
            nested.linux_version, nested.qemu_version
        ));
        Ok(Self::Nested(Box::new(nested)))
    }

    /// Makes the boots, one after the other; shows what those say that nobody judges, as it comes.
    ///
    /// # Errors
    /// When the machine fails, or `take` is not content.
    pub(super) fn run(&self, rig: &Rig, boots: &[Boot], take: Take) -> Result<()> {
        match self {
            Self::Here => here(rig, boots, take),
            Self::Nested(nested) => within(nested, rig, boots, take),
        }
    }
}

/// Tries whether QEMU can be Xen by KVM; else tells why not.
fn probe(program: &str) -> Result<(), String> {
    let mut command = Command::new("timeout");
    command.args(["20", program, "-machine", "pc", "-display", "none", "-nodefaults", "-S"]);
    command.args(["-accel", "kvm,xen-version=0x40011,kernel-irqchip=split", "-cpu", "host"]);
    command.args(["-chardev", "null,id=c", "-device", "xen-console,chardev=c"]);
    command.args(["-monitor", "stdio", "-no-user-config"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let cannot = |error| format!("cannot run {program}: {error}");
    let mut child = command.env("LC_ALL", "C").spawn().map_err(cannot)?;
    if let Some(mut input) = child.stdin.take() {
        // One that has ended already says why.
        let _ = input.write_all(b"quit\n");
    }
    let output = child.wait_with_output().map_err(cannot)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| !line.trim().is_empty());
    Err(line.map_or_else(|| format!("QEMU ended with {}", output.status), str::to_owned))
}

fn here(rig: &Rig, boots: &[Boot], take: Take) -> Result<()> {
    let (directory, _lock) = rig.directory("kvm")?;
    let path = |name: &str| -> Result<String> {
        let path = directory.join(name);
        Ok(path.to_str().context("cargo's directory has no UTF-8 name")?.to_owned())
    };
    let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let paths = Paths {
        tool: text(rig.tool()?),
        kernel: text(rig.kernel()?),
        disk: path("disk")?,
        result: path("result.json")?,
    };
    fs::write(&paths.disk, [])?;
    fs::OpenOptions::new().write(true).open(&paths.disk)?.set_len(DISK_MIB << 20)?;
    for (index, boot) in boots.iter().enumerate() {
        rig.progress.stage(&format!("{}/{} {}", index + 1, boots.len(), boot.name()));
        let words = boot.words(&paths);
        let (tool, arguments) = words.split_first().context("no command")?;
        let mut command = Command::new(tool);
        command.args(arguments).stdin(Stdio::null());
        if !boot.is_judged {
            command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
        }
        let output = command.output().with_context(|| format!("cannot run {tool}"))?;
        let mut said = [output.stderr, output.stdout].concat();
        if boot.is_judged && output.status.success() {
            said.extend(fs::read(&paths.result)?);
        }
        let said = String::from_utf8_lossy(&said);
        let status = output.status.code().unwrap_or(-1);
        take(index, &Outcome { lines: said.lines().map(str::to_owned).collect(), status })?;
    }
    Ok(())
}

fn within(nested: &Nested, rig: &Rig, boots: &[Boot], take: Take) -> Result<()> {
    let (directory, _lock) = rig.directory("kvm")?;
    let mut overlay = Archive::new();
    overlay.copy(GUEST_KERNEL, 0o644, &rig.kernel()?)?;
    rig.add_tool(&mut overlay)?;
    let paths = Paths {
        tool: "ringmark".into(),
        kernel: GUEST_KERNEL.into(),
        disk: "/tmp/disk".into(),
        result: "/tmp/result".into(),
    };
    let steps: Vec<Step> = boots.iter().map(|boot| step(boot, &paths)).collect();
    let mut ends = 0;
    nested.run(&directory, &rig.progress, overlay, &steps, &mut |index, seen| {
        match seen {
            Seen::End(outcome) => {
                ends += 1;
                take(index, &outcome)?;
            }
            Seen::Line(line) if boots.get(index).is_some_and(|boot| !boot.is_judged) => {
                rig.progress.output(line);
            }
            Seen::Line(_) => {}
        }
        Ok(())
    })?;
    ensure!(ends == boots.len(), "{ends} of {} boots came to an end", boots.len());
    Ok(())
}

/// A boot as a step of the emulated machine.
fn step(boot: &Boot, paths: &Paths) -> Step {
    let words: Vec<String> = boot.words(paths).iter().map(|word| quoted(word)).collect();
    let disk = &paths.disk;
    let mut command = format!(
        "[ -e {disk} ] || dd if=/dev/zero of={disk} bs=1M count={DISK_MIB} 2>/dev/null\n{}",
        words.join(" ")
    );
    if boot.is_judged {
        let result = &paths.result;
        command = format!("rm -f {result}\n{command} || exit\ncat {result}");
    }
    Step::new(boot.name(), DEADLINE_S, command)
}

/// Returns a word as a shell takes it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::kvm::Machine;

    #[test]
    fn a_program_that_is_no_qemu_is_no_place() {
        assert!(probe("/no/such/qemu").is_err());
        assert!(probe("false").unwrap_err().contains("ended with"));
        assert_eq!(probe("true"), Ok(()));
    }

    #[test]
    fn a_step_passes_words_as_they_are() {
        let paths = Paths {
            tool: "ringmark".into(),
            kernel: "/k".into(),
            disk: "/d".into(),
            result: "/r".into(),
        };
        let options = ["verify_pattern='a'".to_owned(), "--name=a b".to_owned()];
        let step = step(&Boot::judged(Machine::Pc, &options), &paths);
        let line = r"'--' 'verify_pattern='\''a'\''' '--name=a b' || exit";
        assert!(step.command.contains(line), "{}", step.command);
        assert!(step.command.ends_with("\ncat /r"), "{}", step.command);
    }
}
