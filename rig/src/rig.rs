//! Resources of every scenario: the cache, the built guest, a directory for the run's files.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use goblin::elf::Elf;
use serde_json::Value;

use crate::archive::Archive;
use crate::cache::Cache;
use crate::destination::{Destination, Outputs};
use crate::guest::Guest;
use crate::image::Image;
use crate::machine::{Clock, Machine};
use crate::progress::Progress;
use crate::ramdisk::Ramdisks;

/// Path of our guest's kernel in dom0.
pub(crate) const GUEST_KERNEL: &str = "/guests/ringmark";

/// Path of the tool in dom0.
const TOOL: &str = "/usr/bin/ringmark";

/// The rig's surroundings.
pub(crate) struct Rig {
    /// Cache of everything that is costly to make.
    pub(crate) cache: Cache,
    /// The voice.
    pub(crate) progress: Progress,
    /// cargo's directory of this build: has the guest's kernel beside the rig itself.
    build: PathBuf,
    /// File that is loaded in place of dom0's kernel module of the same name.
    dom0_module: Option<PathBuf>,
    /// Places that the user names for what is saved beside the build anyhow.
    outputs: Outputs,
}

impl Rig {
    /// Finds the surroundings.
    ///
    /// # Errors
    /// When there is no place for a cache, or dom0 has no such module.
    pub(crate) fn open(dom0_module: Option<PathBuf>) -> Result<Self> {
        let program = env::current_exe().context("cannot find the rig's own program")?;
        let build = program.parent().context("the rig's program is nowhere")?.to_owned();
        if let Some(module) = &dom0_module {
            Image::module(module)?;
            ensure!(module.is_file(), "{} is no file", module.display());
        }
        let outputs = Outputs::default();
        Ok(Self { cache: Cache::open()?, progress: Progress::new(), build, dom0_module, outputs })
    }

    /// Takes note of files that the user names.
    pub(crate) fn with_outputs(self, outputs: Outputs) -> Self {
        Self { outputs, ..self }
    }

    /// Returns whether all of dom0's modules are Debian's.
    pub(crate) fn has_debians_modules(&self) -> bool {
        self.dom0_module.is_none()
    }

    /// Returns a legend with what else there is to say of all figures of this run.
    pub(crate) fn legend(&self, legend: String) -> String {
        match &self.dom0_module {
            Some(module) => {
                format!("{legend}\ndom0's module is not Debian's: {}", module.display())
            }
            None => legend,
        }
    }

    /// The guest's kernel, built by cargo.
    ///
    /// # Errors
    /// When it is not built.
    pub(crate) fn kernel(&self) -> Result<PathBuf> {
        self.built("ringmark")
    }

    /// The plugin that counts instructions in QEMU, built by cargo.
    ///
    /// # Errors
    /// When it is not built.
    pub(crate) fn counter(&self) -> Result<PathBuf> {
        self.built("libqemu_count.so")
    }

    /// dom0's tool, built by cargo.
    ///
    /// # Errors
    /// When it is not built.
    pub(crate) fn tool(&self) -> Result<PathBuf> {
        self.built("ringmark-dom0")
    }

    /// Adds dom0's tool to an overlay.
    ///
    /// # Errors
    /// When it is not built, or not for any dom0.
    pub(crate) fn add_tool(&self, overlay: &mut Archive) -> Result<()> {
        let path = self.tool()?;
        let content = fs::read(&path)?;
        let elf =
            Elf::parse(&content).with_context(|| format!("{} is no program", path.display()))?;
        ensure!(elf.interpreter.is_none(), "{} is not static: run.sh makes it so", path.display());
        overlay.copy(TOOL, 0o755, &path)
    }

    fn built(&self, name: &str) -> Result<PathBuf> {
        let path = self.build.join(name);
        ensure!(path.is_file(), "{} is not there: run.sh makes it", path.display());
        Ok(path)
    }

    /// An overlay with our guest's kernel and these guests' configurations.
    ///
    /// # Errors
    /// When the kernel is not built.
    pub(crate) fn overlay(&self, guests: &[Guest]) -> Result<Archive> {
        let mut overlay = Archive::new();
        overlay.copy(GUEST_KERNEL, 0o644, &self.kernel()?)?;
        for guest in guests {
            overlay.add(&guest.path(), 0o644, guest.text()?);
        }
        Ok(overlay)
    }

    /// A directory below cargo's for a scenario's files, locked for as long as the returned file
    /// lives.
    ///
    /// # Errors
    /// When another run of the scenario has it.
    pub(crate) fn directory(&self, scenario: &str) -> Result<(PathBuf, File)> {
        let directory = self.build.join("rig-runs").join(scenario);
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let path = directory.join("lock");
        let lock =
            File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok((directory, lock)),
            Err(TryLockError::WouldBlock) => {
                bail!("`{scenario}` is already running in {}", directory.display())
            }
            Err(TryLockError::Error(error)) => Err(error).context("cannot lock"),
        }
    }

    /// Saves a scenario's figures beside the build, and says where.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn save(&self, name: &str, figures: &Value) -> Result<()> {
        let figures = marked(figures.clone(), self.dom0_module.as_deref());
        self.write("figures", &self.build.join(name), &format!("{figures:#}\n"))
    }

    /// Saves a page of plots beside the figures of this name, and where the user wants it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn save_page(&self, figures: &str, page: &str) -> Result<()> {
        self.write("plots", &self.build.join(figures).with_extension("html"), page)?;
        self.give("plots", self.outputs.report.as_ref(), page)
    }

    /// Saves results with their costs, if the user wants them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn save_costs(&self, results: &str) -> Result<()> {
        self.give("results with costs", self.outputs.costs.as_ref(), results)
    }

    fn give(&self, what: &str, to: Option<&Destination>, text: &str) -> Result<()> {
        let Some(to) = to else { return Ok(()) };
        let place = to.path().display();
        to.write(text).with_context(|| format!("cannot write {place}"))?;
        self.progress.stage(&format!("{what}: {place}"));
        Ok(())
    }

    fn write(&self, what: &str, path: &Path, text: &str) -> Result<()> {
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        self.progress.stage(&format!("{what}: {}", path.display()));
        Ok(())
    }

    /// A machine for a scenario, by the wall clock.
    pub(crate) fn machine<'a>(
        &'a self,
        image: &'a Image,
        directory: PathBuf,
        ramdisks: Ramdisks,
    ) -> Machine<'a> {
        let progress = &self.progress;
        let (clock, memory_mib, dom0_mib) = (Clock::Wall, 4096, 1024);
        let xen_options = "";
        let dom0_module = self.dom0_module.clone();
        Machine {
            image,
            clock,
            memory_mib,
            dom0_mib,
            xen_options,
            directory,
            ramdisks,
            counter: None,
            dom0_module,
            progress,
        }
    }
}

/// Returns figures that name a module of dom0's that is not Debian's; of an array, each does.
fn marked(mut figures: Value, module: Option<&Path>) -> Value {
    let Some(module) = module else { return figures };
    let each = match &mut figures {
        Value::Array(all) => &mut all[..],
        one => std::slice::from_mut(one),
    };
    for object in each.iter_mut().filter_map(Value::as_object_mut) {
        object.insert("dom0_module".to_owned(), module.to_string_lossy().into());
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_module_that_is_not_debians_is_told() {
        let path = Path::new("/a/xen-blkback.ko");
        let (figures, all) = (json!({ "clock": "wall" }), json!([{ "jobs": [] }, {}]));
        let expected = json!({ "clock": "wall", "dom0_module": "/a/xen-blkback.ko" });
        assert_eq!(marked(figures.clone(), Some(path)), expected);
        assert_eq!(marked(all, Some(path))[1]["dom0_module"], "/a/xen-blkback.ko");
        assert_eq!(marked(figures.clone(), None), figures);
        for (file, words) in [
            ("/etc/passwd", "it has brd, configfs,"),
            ("/a/xen_blkback.ko", "xen-blkback,"),
            ("/a/xen-blkback.ko", "/a/xen-blkback.ko is no file"),
        ] {
            let error = Rig::open(Some(file.into())).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
