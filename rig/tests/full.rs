//! Output of the rig that nobody can read: it fails, in one line.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

#[test]
fn a_full_standard_output_is_no_success() {
    for word in ["help", "--version"] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rig"));
        let output = command.arg(word).stdout(Stdio::from(full)).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{word}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let start = "error: cannot write to standard output: No space left on device";
        assert!(stderr.starts_with(start) && stderr.lines().count() == 1, "{stderr}");
    }
}
