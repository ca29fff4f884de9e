//! The crate rufs, in a process of its own: it panics on much of what is wrong with a volume, and
//! may hang.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{self, Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rufs::{InodeAttr, InodeNum, InodeType, Ufs};

use crate::tree::{NAMES_MAX, Node, Tree, plain};

/// Argument that makes a process the reader.
pub const WORKER: &str = "--rufs-worker";
const CASE_TICKS_MAX: u64 = 20;
/// Bytes of a file that take a tick at most.
const TICK_BYTES: u64 = 1 << 20;
const TICK: Duration = Duration::from_millis(100);

/// Count of images begun and of images done: odd while one is read.
static CASE: AtomicU64 = AtomicU64::new(0);

/// Process that reads image after image, with its ends of the pipes.
struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Reader that begins a new process where the last one died.
pub struct Rufs {
    worker: Option<Worker>,
    file_bytes_max: u64,
}

impl Rufs {
    pub fn new(file_bytes_max: u64) -> Self {
        Self { worker: None, file_bytes_max }
    }

    pub fn read(&mut self, image: &Path) -> Tree {
        let max = self.file_bytes_max;
        let worker = self.worker.get_or_insert_with(|| start(max));
        let mut tree = Tree::default();
        let sent = writeln!(worker.input, "{}", image.display());
        let mut line = String::new();
        while sent.is_ok() {
            line.clear();
            if worker.output.read_line(&mut line).unwrap_or(0) == 0 {
                break;
            }
            match line.trim_end_matches('\n').split('\t').collect::<Vec<_>>()[..] {
                ["end"] => return tree,
                ["died", why] => {
                    tree.end = Some(why.into());
                    break;
                }
                ["refused", why] => tree.end = Some(why.into()),
                ["partial", path, why] => drop(tree.partial.insert(path.into(), why.into())),
                ["directory", path] => tree.add(path, Node::Directory),
                ["other", path] => tree.add(path, Node::Other),
                ["file", path, size, md5] => {
                    let size = size.parse().expect("a size");
                    tree.add(path, Node::File(size, Some(md5.into())));
                }
                ["long", path, size] => tree.add(path, Node::Long(size.parse().expect("a size"))),
                ["symlink", path, target] => tree.add(path, Node::Symlink(target.into())),
                ["failed", path, why] => tree.add(path, Node::Failed(why.into())),
                _ => panic!("rufs's process wrote: {line}"),
            }
        }
        tree.end.get_or_insert("killed".into());
        if let Some(mut worker) = self.worker.take() {
            let _ = worker.child.kill();
            let _ = worker.child.wait();
        }
        tree
    }
}

impl Drop for Rufs {
    fn drop(&mut self) {
        if let Some(Worker { mut child, input, .. }) = self.worker.take() {
            drop(input);
            let _ = child.wait();
        }
    }
}

fn start(file_bytes_max: u64) -> Worker {
    let own = std::env::current_exe().expect("the path of this program");
    // An address space of 1 GiB: it allocates what a volume asks for.
    let mut command = Command::new("prlimit");
    command.arg("--as=1073741824").arg(own).arg(WORKER).arg(file_bytes_max.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("prlimit; run: apt-get install util-linux");
    let input = child.stdin.take().expect("a pipe");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    Worker { child, input, output }
}

/// Reads images whose paths come line by line, until there are no more.
pub fn work() {
    let max = std::env::args().nth(2).and_then(|text| text.parse().ok()).expect("a size in bytes");
    std::panic::set_hook(Box::new(|info| {
        let file = info.location().map_or("", |at| at.file().rsplit('/').next().unwrap_or(""));
        println!("died\tpanic in {file}");
        process::exit(1);
    }));
    thread::spawn(move || watch(CASE_TICKS_MAX + max / TICK_BYTES));
    for path in io::stdin().lines().map_while(Result::ok) {
        CASE.fetch_add(1, Ordering::Relaxed);
        read(Path::new(&path), max);
        println!("end");
        CASE.fetch_add(1, Ordering::Relaxed);
    }
}

/// Ends the process when one image takes long.
fn watch(ticks_max: u64) {
    let (mut last, mut ticks) = (0, 0);
    loop {
        thread::sleep(TICK);
        let case = CASE.load(Ordering::Relaxed);
        ticks = if case == last && case % 2 == 1 { ticks + 1 } else { 0 };
        last = case;
        if ticks > ticks_max {
            println!("died\ttook long");
            process::exit(1);
        }
    }
}

fn read(image: &Path, file_bytes_max: u64) {
    let volume = match Ufs::open(image, false) {
        Ok(volume) => volume,
        Err(error) => return println!("refused\t{}", word(&error)),
    };
    let mut walk = Walk { volume, above: vec![InodeNum::ROOT.get()], names: 0, file_bytes_max };
    walk.enter(InodeNum::ROOT, "");
}

/// Returns an error's first words: what follows is a value.
fn word(error: &io::Error) -> String {
    error.to_string().split([':', '(']).next().unwrap_or_default().trim().to_owned()
}

struct Walk {
    volume: Ufs<File>,
    /// Directories that the way leads through.
    above: Vec<u32>,
    names: usize,
    file_bytes_max: u64,
}

impl Walk {
    fn enter(&mut self, directory: InodeNum, path: &str) {
        let mut entries: Vec<(OsString, InodeNum)> = Vec::new();
        let listed = self.volume.dir_iter(directory, |name: &OsStr, number, _| {
            entries.push((name.to_owned(), number));
            (entries.len() >= NAMES_MAX).then_some(())
        });
        if let Err(error) = listed {
            println!("partial\t{path}\t{}", word(&error));
        }
        entries.retain(|(name, _)| !matches!(name.as_bytes(), b"." | b".."));
        for (name, number) in entries {
            self.names += 1;
            if self.names > NAMES_MAX {
                println!("died\tmany names");
                process::exit(1);
            }
            let path = format!("{path}/{}", plain(name.as_bytes()).replace('/', "^"));
            match self.node(number) {
                Ok(Node::Directory) => {
                    println!("directory\t{path}");
                    if !self.above.contains(&number.get()) {
                        self.above.push(number.get());
                        self.enter(number, &path);
                        self.above.pop();
                    }
                }
                Ok(Node::File(size, md5)) => {
                    println!("file\t{path}\t{size}\t{}", md5.unwrap_or_default());
                }
                Ok(Node::Long(size)) => println!("long\t{path}\t{size}"),
                Ok(Node::Symlink(target)) => println!("symlink\t{path}\t{target}"),
                Ok(_) => println!("other\t{path}"),
                Err(error) => println!("failed\t{path}\t{}", word(&error)),
            }
        }
    }

    fn node(&mut self, number: InodeNum) -> io::Result<Node> {
        let InodeAttr { kind, size, .. } = self.volume.inode_attr(number)?;
        Ok(match kind {
            InodeType::Directory => Node::Directory,
            InodeType::Symlink => Node::symlink(&self.volume.symlink_read(number)?),
            InodeType::RegularFile if size > self.file_bytes_max => Node::Long(size),
            InodeType::RegularFile => {
                let mut bytes = vec![0; size as usize];
                let len = self.volume.inode_read(number, 0, &mut bytes)?;
                Node::file(&bytes[..len])
            }
            _ => Node::Other,
        })
    }
}
