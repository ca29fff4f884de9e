//! Report of a command, kept; and the tools on a disk.

use fs::{ReadBlocks, SCRATCH_BYTES, Volume};
use fs_tools::{Report, Result, Tools};

/// Output and remarks.
#[derive(Debug)]
pub struct Collected {
    pub output: Vec<u8>,
    /// Bytes of output after which there is no more.
    pub output_bytes_max: usize,
    pub warnings: Vec<String>,
    pub failures: Vec<String>,
}

impl Default for Collected {
    fn default() -> Self {
        let (warnings, failures) = (Vec::new(), Vec::new());
        Self { output: Vec::new(), output_bytes_max: usize::MAX, warnings, failures }
    }
}

impl Collected {
    pub fn lines(&self) -> Vec<&str> {
        std::str::from_utf8(&self.output).unwrap().lines().collect()
    }
}

impl Report for Collected {
    fn output(&mut self, bytes: &[u8]) -> Result<()> {
        self.output.extend(bytes);
        if self.output.len() > self.output_bytes_max { Err("full".into()) } else { Ok(()) }
    }

    fn warn(&mut self, line: &str) {
        assert!(!line.contains('\n'), "{line}");
        self.warnings.push(line.into());
    }

    fn fail(&mut self, line: &str) {
        assert!(!line.contains('\n'), "{line}");
        self.failures.push(line.into());
    }
}

/// Mounts a disk that must mount.
pub fn tools<D: ReadBlocks>(disk: D) -> Tools<D, Vec<u8>> {
    let volume = Volume::mount(disk, vec![0; SCRATCH_BYTES]).unwrap_or_else(|e| panic!("{e}"));
    Tools { volume, buffer: vec![0; 8192], names_bytes_max: 1 << 20, hole_bytes_max: 1 << 20 }
}
