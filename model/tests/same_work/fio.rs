//! Work that fio itself does of job files: one run of fio for all of them, on files in place of
//! disks, with a log of each I/O.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scale::{Small, option};
use crate::work::{Direction, Io};

/// Beginnings of options that say by what means I/O is done, or what is reported of it: fio's
/// engine is another here, and its log is ours.
const MEANS: [&str; 27] = [
    "ioengine",
    "direct",
    "buffered",
    "io_submit_mode",
    "hipri",
    "registerfiles",
    "fixedbufs",
    "sqthread_poll",
    "mem",
    "iomem",
    "hugepage",
    "cpu",
    "cgroup",
    "numa",
    "prio",
    "nice",
    "write_",
    "log_",
    "per_job_logs",
    "gtod_reduce",
    "disable_",
    "stats",
    "thread",
    "clocksource",
    "atomic",
    "sync",
    // A file in place of a disk has no end.
    "fill_",
];

/// Directory of fio's files, which goes with it.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns what fio does of each file, or what it said.
pub fn works(files: &[(String, Small)]) -> Vec<Result<Vec<Io>, String>> {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let place = Place(root.join(format!("ringmark-same-work-{}", std::process::id())));
    fs::create_dir_all(&place.0).unwrap();
    let paths: Vec<PathBuf> =
        files.iter().map(|(name, small)| write(&place.0, name, small)).collect();
    let whole = run(&paths);
    let works = files.iter().zip(&paths).map(|((name, _), path)| match &whole {
        Ok(()) => Ok(read(&place.0, name)),
        // One that fails may end them all.
        Err(_) => run(std::slice::from_ref(path)).map(|()| read(&place.0, name)),
    });
    works.collect()
}

fn run(paths: &[PathBuf]) -> Result<(), String> {
    for path in paths {
        let logs = path.with_extension("");
        let _ = fs::remove_dir_all(&logs);
        fs::create_dir_all(&logs).unwrap();
    }
    let output = Command::new("fio")
        .args(["--output=/dev/null"])
        .args(paths)
        // States of checks are written there.
        .current_dir(paths[0].parent().unwrap_or(Path::new("/tmp")))
        .output();
    let output =
        output.unwrap_or_else(|error| panic!("cannot run fio: {error}; apt-get install fio"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// Writes a job file for fio, and the files that are its disks.
fn write(place: &Path, name: &str, small: &Small) -> PathBuf {
    let disks = place.join(format!("{name}-disks"));
    fs::create_dir_all(&disks).unwrap();
    // Files can't be trimmed; the engine that does nothing does not know how long they are.
    let engine = match small.trims() {
        true => format!("null\nsize={}", small.disk_bytes),
        false => "psync".to_owned(),
    };
    let mut text = format!(
        "[global]\nioengine={engine}\nthread=1\nlog_offset=1\nwrite_bw_log={}\n",
        place.join(name).join("io").display()
    );
    for line in small.text.lines() {
        match option(line) {
            Some((option, _)) if MEANS.iter().any(|of| option.starts_with(of)) => continue,
            Some(("filename", value)) => {
                let names = value.split(':').map(|disk| disk.trim_start_matches("/dev/"));
                let paths: Vec<PathBuf> = names.map(|name| disks.join(name)).collect();
                for path in &paths {
                    File::create(path).and_then(|file| file.set_len(small.disk_bytes)).unwrap();
                }
                let paths: Vec<String> =
                    paths.iter().map(|path| path.display().to_string()).collect();
                text += &format!("filename={}\n", paths.join(":"));
            }
            _ => text += &format!("{line}\n"),
        }
    }
    let path = place.join(format!("{name}.fio"));
    fs::write(&path, text).unwrap();
    path
}

/// Reads the logs of a file's jobs.
fn read(place: &Path, name: &str) -> Vec<Io> {
    let entries = fs::read_dir(place.join(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut ios = Vec::new();
    for path in entries {
        let text = fs::read_to_string(&path).unwrap();
        ios.extend(text.lines().map(|line| {
            let fields: Vec<u64> =
                line.split(", ").map(|field| field.parse().unwrap_or(u64::MAX)).collect();
            let [_, _, direction, bytes, offset, ..] = fields[..] else { panic!("{line}") };
            let direction = match direction {
                0 => Direction::Read,
                1 => Direction::Write,
                2 => Direction::Trim,
                _ => panic!("{line}"),
            };
            Io { direction, offset, bytes }
        }));
    }
    ios
}
