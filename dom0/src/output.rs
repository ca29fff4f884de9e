//! A file that is to be written at the end, opened at the beginning: who names a place where
//! nothing can be written learns it before a guest is made.
//!
//! A regular file is written beside its place, under a name of its own, and put there when it is
//! whole: nobody finds half of one, and a file that was there stays until then. What is no regular
//! file (a terminal, a pipe, `/dev/null`) is written as it is.

use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, access};

use crate::display;
use crate::exit::Exit;
use crate::status::eprint_line;
use crate::wait::Wait;

/// Symlinks that may lead to a file that is not there yet, one after the other.
const LINKS_MAX: usize = 40;
/// Names for a file beside another that are tried.
const NAMES_MAX: u32 = 100;

/// Bytes that a pipe takes at once when it takes any (PIPE_BUF).
const PIECE_BYTES: usize = 4096;
/// Time between looks for an interrupt while a reader is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Destination of a text.
#[derive(Debug)]
pub struct Output {
    /// Path as it was named; `None` for standard output.
    path: Option<PathBuf>,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// Standard output or standard error of this program.
    Open(File),
    /// A file that is not replaced: not a regular one, or in a directory that takes no new file.
    InPlace(File),
    /// A named pipe, which cannot be opened before somebody reads it.
    Pipe(PathBuf),
    Beside(Beside),
}

/// Whether to give up a write that waits for its reader.
pub type GiveUp<'a> = &'a dyn Fn() -> bool;

impl Output {
    /// Opens it; without a path it is standard output.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let target = match path {
            None => clone(io::stdout().as_fd()).map(Target::Open),
            Some(path) => open(path),
        };
        let target = target.with_context(|| cannot(path))?;
        Ok(Self { path: path.map(Path::to_owned), target })
    }

    /// Returns whether a text replaces the one before it, so that it can be written again and
    /// again.
    pub fn replaces(&self) -> bool {
        matches!(self.target, Target::Beside(_))
    }

    /// Keeps other programs that hold it from writing it, as long as this lives. A file that is not
    /// there is made, empty. Only what is [replaced](Self::replaces) can be held.
    ///
    /// # Errors
    /// When another program holds it, or it cannot be locked.
    pub fn hold(&mut self) -> Result<()> {
        match &mut self.target {
            Target::Beside(beside) => beside.hold().with_context(|| cannot(self.path.as_deref())),
            _ => Ok(()),
        }
    }

    /// Writes a result: one that its file does not take goes to standard output, whole.
    ///
    /// # Errors
    /// The file's, even so.
    pub fn write_or_print(&mut self, text: &str, give_up: GiveUp<'_>) -> Result<()> {
        let is_open = matches!(self.target, Target::Open(_));
        let Err(error) = self.write(text, give_up) else { return Ok(()) };
        if is_open {
            return Err(error);
        }
        let printed = clone(io::stdout().as_fd())
            .and_then(|stdout| write_all(&stdout, text.as_bytes(), give_up));
        if let Err(second) = printed {
            eprint_line(&format!("ringmark: {error:#}"));
            let what = "and it cannot be printed either";
            return Err(second).context(Exit::Output(what.to_owned()));
        }
        Err(error.context("its contents were printed to standard output instead"))
    }

    /// Writes the text. When that fails, nothing of it is left in a regular file.
    ///
    /// # Errors
    /// The file's; a write that was given up.
    pub fn write(&mut self, text: &str, give_up: GiveUp<'_>) -> Result<()> {
        let written = match &mut self.target {
            Target::Open(file) => write_all(file, text.as_bytes(), give_up),
            Target::InPlace(file) => write_in_place(file, text, give_up),
            Target::Pipe(path) => {
                open_pipe(path, give_up).and_then(|pipe| write_all(&pipe, text.as_bytes(), give_up))
            }
            Target::Beside(beside) => beside.write(text, give_up),
        };
        written.with_context(|| cannot(self.path.as_deref()))
    }
}

fn cannot(path: Option<&Path>) -> Exit {
    let what =
        path.map_or("cannot print".into(), |path| format!("cannot write {}", display::path(path)));
    Exit::Output(what)
}

/// Opens a pipe as soon as somebody reads it.
fn open_pipe(path: &Path, give_up: GiveUp<'_>) -> io::Result<File> {
    loop {
        let mut options = OpenOptions::new();
        let opened = options.write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
        match opened {
            Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => {
                if give_up() {
                    return Err(io::Error::other("nobody reads it"));
                }
                thread::sleep(LOOK_EVERY);
            }
            opened => return opened,
        }
    }
}

/// Writes piece by piece, each when there is room for it.
fn write_all(mut file: &File, mut bytes: &[u8], give_up: GiveUp<'_>) -> io::Result<()> {
    while !bytes.is_empty() {
        let mut wait = Wait::default();
        wait.write(file.as_fd());
        wait.until(Instant::now() + LOOK_EVERY);
        if !wait.poll() {
            if give_up() {
                return Err(io::Error::other("interrupted while nobody read it"));
            }
            continue;
        }
        let piece = bytes.get(..PIECE_BYTES).unwrap_or(bytes);
        match file.write(piece) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if is_temporary(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn clone(descriptor: BorrowedFd<'_>) -> io::Result<File> {
    descriptor.try_clone_to_owned().map(File::from)
}

fn open(path: &Path) -> io::Result<Target> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Beside::new(end_of_links(path)?, None).map(Target::Beside);
        }
        Err(error) => return Err(error),
    };
    // `/dev/stdout` in any of its names, and the file that it was redirected to: that one is not
    // replaced, because others have it open, too.
    for descriptor in [io::stdout().as_fd(), io::stderr().as_fd()] {
        let file = clone(descriptor)?;
        let same = |ours: Metadata| (ours.dev(), ours.ino()) == (found.dev(), found.ino());
        if file.metadata().is_ok_and(same) {
            return Ok(Target::Open(file));
        }
    }
    // A disk is never meant: what is on it would be gone.
    if found.file_type().is_block_device() {
        return Err(io::Error::other("it is a block device; name a file"));
    }
    if found.file_type().is_fifo() {
        return access(path, AccessFlags::W_OK)
            .map(|()| Target::Pipe(path.to_owned()))
            .map_err(Into::into);
    }
    // A directory or a read-only file may not be written, whatever could be put in its place.
    let file = OpenOptions::new().write(true).open(path)?;
    if !found.is_file() {
        return Ok(Target::InPlace(file));
    }
    let beside = fs::canonicalize(path).and_then(|place| Beside::new(place, Some(&found)));
    Ok(beside.map_or(Target::InPlace(file), Target::Beside))
}

/// The name of a file that is not there, behind the symlinks that lead to it.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symlinks"))
}

fn write_in_place(file: &File, text: &str, give_up: GiveUp<'_>) -> io::Result<()> {
    if !file.metadata()?.is_file() {
        return write_all(file, text.as_bytes(), give_up);
    }
    file.set_len(0)?;
    let mut at_start = file;
    at_start.rewind()?;
    let written = write_all(file, text.as_bytes(), give_up).and_then(|()| file.sync_all());
    written.inspect_err(|_| drop(file.set_len(0)))
}

/// A file that is written beside its place. What is not put there goes when this is dropped.
#[derive(Debug)]
struct Beside {
    place: PathBuf,
    /// User, group and mode of the file that was there at first.
    owner: Option<(u32, u32, u32)>,
    draft: Option<Draft>,
    /// The file in its place, locked.
    held: Option<File>,
}

impl Beside {
    /// Makes a new file in the directory of `place`, with owner and mode of the one that is there.
    fn new(place: PathBuf, old: Option<&Metadata>) -> io::Result<Self> {
        // `file/` names no file.
        if place.file_name().is_none() || place.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let owner = old.map(|old| (old.uid(), old.gid(), old.mode() & 0o777));
        let draft = Some(Draft::new(&place, owner)?);
        Ok(Self { place, owner, draft, held: None })
    }

    /// Locks the file in its place.
    fn hold(&mut self) -> io::Result<()> {
        let id = |found: Metadata| (found.dev(), found.ino());
        for _ in 0..NAMES_MAX {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).mode(0o666).open(&self.place)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever held it before may have put another in its place.
            if id(file.metadata()?) == id(fs::metadata(&self.place)?) {
                self.held = Some(file);
                return Ok(());
            }
        }
        Err(io::Error::other("another ringmark writes it; wait for its end, or name another file"))
    }

    /// Writes it and puts it in its place. A file there that cannot be replaced, such as one that
    /// is mounted, is written itself.
    fn write(&mut self, text: &str, give_up: GiveUp<'_>) -> io::Result<()> {
        let draft = match self.draft.take() {
            Some(draft) => draft,
            None => Draft::new(&self.place, self.owner)?,
        };
        write_all(&draft.file, text.as_bytes(), give_up)?;
        draft.file.sync_all()?;
        // Locked before anybody finds it in its place.
        let held = self.held.as_ref().map(|_| draft.file.try_clone()).transpose()?;
        held.iter().try_for_each(File::try_lock)?;
        match fs::rename(&draft.path, &self.place) {
            Ok(()) => self.held = held,
            Err(_) => {
                let old = OpenOptions::new().write(true).open(&self.place)?;
                write_in_place(&old, text, give_up)?;
            }
        }
        Ok(())
    }
}

/// A file on its way to its place.
#[derive(Debug)]
struct Draft {
    file: File,
    path: PathBuf,
}

impl Draft {
    fn new(place: &Path, owner: Option<(u32, u32, u32)>) -> io::Result<Self> {
        let directory = place.parent().unwrap_or(Path::new(""));
        let mut number = 0;
        let (file, path) = loop {
            let path = directory.join(format!(".ringmark-{}-{number}", std::process::id()));
            let mut options = OpenOptions::new();
            match options.write(true).create_new(true).mode(0o666).open(&path) {
                Ok(file) => break (file, path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
            if number == NAMES_MAX {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
        };
        let draft = Self { file, path };
        if let Some((user, group, mode)) = owner {
            fchown(&draft.file, Some(user), Some(group))?;
            draft.file.set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is not there any more when it was put in its place.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    /// A directory that goes with its owner.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path =
                env::temp_dir().join(format!("ringmark-output-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap().map(Result::unwrap);
            let mut names: Vec<_> =
                entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_file_is_there_when_it_is_whole() {
        let scratch = Scratch::new("whole");
        let path = scratch.path("out");
        let mut output = Output::open(Some(&path)).unwrap();
        assert!(!path.exists());
        output.write("text", &|| false).unwrap();
        assert_eq!((read(&path), scratch.names()), ("text".into(), vec!["out".into()]));
        drop(Output::open(Some(&path)).unwrap());
        assert_eq!((read(&path), scratch.names()), ("text".into(), vec!["out".into()]));
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_mode() {
        let scratch = Scratch::new("mode");
        let path = scratch.path("out");
        fs::write(&path, "a long text that was there").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let mut output = Output::open(Some(&path)).unwrap();
        assert_eq!(read(&path), "a long text that was there");
        output.write("text", &|| false).unwrap();
        assert_eq!(read(&path), "text");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
    }

    #[test]
    fn one_holds_a_file_until_its_end() {
        let scratch = Scratch::new("held");
        let path = scratch.path("out");
        let open = || Output::open(Some(&path)).unwrap();
        let (mut first, mut second) = (open(), open());
        first.hold().unwrap();
        assert_eq!(read(&path), "");
        for text in ["a", "b"] {
            let error = format!("{:#}", second.hold().unwrap_err());
            assert!(error.contains("out: another ringmark writes it; wait"), "{error}");
            first.write(text, &|| false).unwrap();
        }
        drop(first);
        second.hold().unwrap();
        assert!(open().hold().is_err());
        second.write("c", &|| false).unwrap();
        drop(second);
        assert_eq!((read(&path), scratch.names()), ("c".into(), vec!["out".into()]));
    }

    #[test]
    fn symlinks_stay() {
        let scratch = Scratch::new("links");
        fs::create_dir(scratch.path("there")).unwrap();
        symlink("there/out", scratch.path("link")).unwrap();
        symlink("link", scratch.path("second")).unwrap();
        for text in ["new", "again"] {
            Output::open(Some(&scratch.path("second"))).unwrap().write(text, &|| false).unwrap();
            assert_eq!(read(&scratch.path("there/out")), text);
            assert!(scratch.path("link").is_symlink() && scratch.path("second").is_symlink());
        }
        assert_eq!(scratch.names(), ["link", "second", "there"]);
        symlink("loop", scratch.path("loop")).unwrap();
        assert!(Output::open(Some(&scratch.path("loop"))).is_err());
    }

    #[test]
    fn what_cannot_be_written_is_refused_at_once() {
        let scratch = Scratch::new("refused");
        fs::write(scratch.path("file"), "").unwrap();
        for path in ["none/out", "file/out", "", "out/", "file/"] {
            let path = scratch.path(path);
            let error = Output::open(Some(&path)).unwrap_err();
            let begin = format!("cannot write {}", path.display());
            assert_eq!(error.to_string(), begin);
        }
        assert!(Output::open(Some(Path::new(""))).is_err());
        assert_eq!(scratch.names(), ["file"]);
    }

    #[test]
    fn devices_are_written_as_they_are() {
        Output::open(Some(Path::new("/dev/null"))).unwrap().write("text", &|| false).unwrap();
        let error = Output::open(Some(Path::new("/dev/full")))
            .unwrap()
            .write("text", &|| false)
            .unwrap_err();
        assert_eq!(error.to_string(), "cannot write /dev/full");
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    }

    #[test]
    fn a_disk_is_never_written() {
        let scratch = Scratch::new("disk");
        let node = scratch.path("node");
        let made = Command::new("mknod").arg(&node).args(["b", "7", "0"]).output();
        // Who is not root cannot make one, and takes any.
        let node = match made.is_ok_and(|made| made.status.success()) {
            true => node,
            false => fs::read_dir("/dev")
                .unwrap()
                .map(|entry| entry.unwrap())
                .find(|entry| entry.file_type().is_ok_and(|kind| kind.is_block_device()))
                .expect("needs root, or a block device in /dev")
                .path(),
        };
        let error = Output::open(Some(&node)).unwrap_err();
        assert!(format!("{error:#}").ends_with("it is a block device; name a file"), "{error:#}");
    }

    #[test]
    fn a_file_that_cannot_be_put_in_its_place_leaves_nothing() {
        let scratch = Scratch::new("left");
        let path = scratch.path("out");
        let mut output = Output::open(Some(&path)).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(output.write("text", &|| false).is_err());
        assert_eq!(scratch.names(), ["out"]);
    }
}
