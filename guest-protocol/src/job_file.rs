//! Job file of the guest: from one source only, so that no jobs are overlooked.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::job_node::JOB_FILE_BYTES_MAX;

/// Sources of jobs.
#[derive(Debug, Default)]
pub struct Sources {
    /// Whether the command line has jobs.
    pub has_line: bool,
    /// Bytes of the module beside the kernel (`ramdisk=`); the part beyond the longest job file may
    /// be left out.
    pub module: Option<Vec<u8>>,
    /// Job file in xenstore.
    pub stored: Option<String>,
}

/// Reason why a job file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobFileError {
    /// The module is too long.
    TooLong,
    /// The module is not text.
    NotText,
    /// Jobs come from two sources.
    Twice(&'static str, &'static str),
}

impl fmt::Display for JobFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(
                f,
                "the module beside the kernel is longer than {JOB_FILE_BYTES_MAX} bytes; \
                 give a job file in ramdisk= of the guest's configuration"
            ),
            Self::NotText => f.write_str(
                "the module beside the kernel is not text; \
                 give a job file in ramdisk= of the guest's configuration",
            ),
            Self::Twice(one, other) => {
                write!(f, "jobs come both {one} and {other}; leave one of them out")
            }
        }
    }
}

impl Sources {
    /// Returns the job file, if there is one. Tool stacks fill a module's last page with zeros,
    /// which are no part of the file.
    ///
    /// # Errors
    /// A [`JobFileError`] if there are two sources, or the module is too long or not text.
    pub fn job_file(self) -> Result<Option<String>, JobFileError> {
        let module = self.module.map(module_text).transpose()?;
        let sources = [
            self.has_line.then_some("in extra="),
            module.as_ref().map(|_| "in ramdisk="),
            self.stored.as_ref().map(|_| "by xenstore"),
        ];
        let mut sources = sources.into_iter().flatten();
        if let (Some(one), Some(other)) = (sources.next(), sources.next()) {
            return Err(JobFileError::Twice(one, other));
        }
        Ok(module.or(self.stored))
    }
}

fn module_text(mut module: Vec<u8>) -> Result<String, JobFileError> {
    if module.len() > JOB_FILE_BYTES_MAX {
        return Err(JobFileError::TooLong);
    }
    if let Some(end) = module.iter().position(|&byte| byte == 0) {
        module.truncate(end);
    }
    String::from_utf8(module).map_err(|_| JobFileError::NotText)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn module(bytes: &[u8]) -> Result<Option<String>, JobFileError> {
        Sources { module: Some(bytes.to_vec()), ..Sources::default() }.job_file()
    }

    #[test]
    fn a_job_file_comes_from_either_side() {
        assert_eq!(Sources::default().job_file(), Ok(None));
        assert_eq!(Sources { has_line: true, ..Sources::default() }.job_file(), Ok(None));
        assert_eq!(module(b"[job]\nrw=read\n"), Ok(Some("[job]\nrw=read\n".to_string())));
        let stored = Some("[job]".to_string());
        let sources = Sources { stored: stored.clone(), ..Sources::default() };
        assert_eq!(sources.job_file(), Ok(stored));
    }

    #[test]
    fn two_sources_are_refused_by_name() {
        let twice = |has_line, module: bool, stored: bool| {
            let module = module.then(|| b"[a]".to_vec());
            let stored = stored.then(|| "[b]".to_string());
            Sources { has_line, module, stored }.job_file().unwrap_err().to_string()
        };
        let both =
            |one, other| alloc::format!("jobs come both {one} and {other}; leave one of them out");
        assert_eq!(twice(true, true, false), both("in extra=", "in ramdisk="));
        assert_eq!(twice(true, false, true), both("in extra=", "by xenstore"));
        assert_eq!(twice(false, true, true), both("in ramdisk=", "by xenstore"));
        assert_eq!(twice(true, true, true), both("in extra=", "in ramdisk="));
    }

    #[test]
    fn a_module_is_text_up_to_the_zeros_that_fill_its_last_page() {
        assert_eq!(module(b"[job]\n\0\0\xff"), Ok(Some("[job]\n".to_string())));
        assert_eq!(module(b""), Ok(Some(String::new())));
        assert_eq!(module(b"\0"), Ok(Some(String::new())));
        assert_eq!(module(b"\x1f\x8b\x08"), Err(JobFileError::NotText));
    }

    #[test]
    fn a_module_has_a_longest_length() {
        let longest = vec![b'#'; JOB_FILE_BYTES_MAX];
        assert_eq!(module(&longest), Ok(Some(String::from_utf8(longest.clone()).unwrap())));
        // The rest may have been left out, so a zero inside does not help.
        let mut longer = vec![b'#'; JOB_FILE_BYTES_MAX + 1];
        longer[3] = 0;
        assert_eq!(module(&longer), Err(JobFileError::TooLong));
    }
}
