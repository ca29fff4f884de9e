//! Work that fio itself does of job files: one run of fio for all of them, on files in place of
//! disks, with a log of each I/O.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::scale::{Small, option, per_cent};
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

impl Place {
    fn new(name: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let place = Self(root.join(format!("ringmark-same-{name}-{}", std::process::id())));
        fs::create_dir_all(&place.0).unwrap();
        place
    }
}

/// Returns what fio does of each file, or what it said.
pub fn works(files: &[(String, Small)]) -> Vec<Result<Vec<Io>, String>> {
    let place = Place::new("work");
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, small)| {
            // Files can't be trimmed.
            let engine = if small.trims() { nothing(small) } else { "ioengine=psync".to_owned() };
            let log = place.0.join(name).join("io");
            let log = format!("log_offset=1\nwrite_bw_log={}", log.display());
            write(&place.0, name, small, &format!("{engine}\n{log}"))
        })
        .collect();
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

/// Returns the options of the engine that does nothing, and does not know how long a file is.
fn nothing(small: &Small) -> String {
    format!("ioengine=null\nsize={}", small.disk_bytes)
}

/// Returns fio's report of a file whose I/O is done by nobody.
pub fn report(name: &str, small: &Small) -> Result<Value, String> {
    let place = Place::new(&format!("pace-{name}"));
    let path = write(&place.0, name, small, &nothing(small));
    let output = Command::new("fio").args(["--output-format=json"]).arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let json = text.find('{').map(|start| &text[start..]).unwrap_or_default();
    serde_json::from_str(json).map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Writes a job file for fio, with some options before its own, and the files that are its disks.
fn write(place: &Path, name: &str, small: &Small, options: &str) -> PathBuf {
    let disks = place.join(format!("{name}-disks"));
    fs::create_dir_all(&disks).unwrap();
    // Of a file that nobody has there is no part.
    let is_nothing = options.contains("=null");
    let mut text = format!("[global]\nthread=1\n{options}\n");
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
            Some(("size", value)) if is_nothing && per_cent(value).is_some() => {
                let part = per_cent(value).unwrap_or(100);
                text += &format!("size={}\n", small.disk_bytes * part / 100);
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
