//! A guest's life, from its creation to its end.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, bail};
use xl_config::Config;

use crate::console::Console;
use crate::xl;

/// Longest time that xenconsoled may take to give a new domain its terminal.
const TERMINAL_TIMEOUT: Duration = Duration::from_secs(10);

fn left(name: &str) -> String {
    format!("domain {name} may be left behind; end it with `xl destroy {name}`")
}

/// Message of libxl when Xen has no memory for a guest's own page tables (`shadow_memory`): so it
/// is with 16 MiB and a number of vCPUs that xl was not told.
const NO_ROOM: &str = "could not allocate special pages";

/// The error of `xl create`, with what to do about it where its words do not tell.
fn advised(error: Error) -> Error {
    match error.to_string().contains(NO_ROOM) {
        true => {
            error.context("Xen has too little memory for this guest's page tables; raise --memory")
        }
        false => error,
    }
}

/// A domain of ours, to be destroyed.
#[derive(Debug)]
#[must_use = "the domain stays until `destroy`"]
pub struct Guest {
    id: u32,
    name: String,
}

impl Guest {
    /// Creates the domain, paused.
    ///
    /// # Errors
    /// When there is one of that name already, or `xl` can't make it.
    pub fn create(config: &Config) -> Result<Self> {
        let name = &config.name;
        if let Some(id) = xl::domid(name)? {
            bail!(
                "domain {name} already exists (id {id}); \
                 end it with `xl destroy {name}`, or choose another name with --name"
            );
        }
        let settings = config.arguments()?;
        // `xl` itself leaves nothing behind when it fails, and -e is not to watch the domain:
        // that is done here.
        let mut arguments = vec!["create", "-p", "-e", "/dev/null"];
        arguments.extend(settings.iter().map(String::as_str));
        xl::run("xl", &arguments).map_err(advised)?;
        match xl::domid(name) {
            Ok(Some(id)) => Ok(Self { id, name: name.clone() }),
            Ok(None) => {
                bail!("domain {name} vanished right after it was created; see /var/log/xen")
            }
            Err(error) => Err(error.context(left(name))),
        }
    }

    /// Puts a text of several pieces where the guest looks for it: its length at `node` below the
    /// domain's own path, the pieces as children `0`, `1`, ..; all at once.
    ///
    /// # Errors
    /// xenstore's.
    pub fn write_pieces(&self, node: &str, length_bytes: usize, pieces: &[String]) -> Result<()> {
        let path = format!("/local/domain/{}/{node}", self.id);
        let mut words = vec!["--".to_owned(), path.clone(), length_bytes.to_string()];
        for (number, piece) in pieces.iter().enumerate() {
            words.extend([format!("{path}/{number}"), piece.clone()]);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        xl::run("xenstore-write", &words).map(drop)
    }

    /// Opens the console.
    ///
    /// # Errors
    /// When it gets none in time.
    pub fn console(&self) -> Result<Console> {
        let node = format!("/local/domain/{}/console/tty", self.id);
        let start = Instant::now();
        loop {
            // xenconsoled writes the node when it has noticed the domain.
            let path = xl::run("xenstore-read", &[&node]).unwrap_or_default();
            if !path.trim().is_empty() {
                return Console::open(Path::new(path.trim()));
            }
            if start.elapsed() >= TERMINAL_TIMEOUT {
                bail!("no terminal in {node} yet; is xenconsoled running?");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Unpauses the domain.
    ///
    /// # Errors
    /// xl's.
    pub fn unpause(&self) -> Result<()> {
        xl::run("xl", &["unpause", &self.id.to_string()]).map(drop)
    }

    /// Returns the state of the domain.
    ///
    /// # Errors
    /// xl's.
    pub fn state(&self) -> Result<xl::State> {
        xl::state(self.id)
    }

    /// Destroys the domain, unless it is gone already.
    ///
    /// # Errors
    /// xl's: the domain may still be there.
    pub fn destroy(self) -> Result<()> {
        let Err(error) = xl::run("xl", &["destroy", &self.id.to_string()]) else { return Ok(()) };
        match self.state() {
            Ok(xl::State::Gone) => Ok(()),
            _ => Err(error.context(left(&self.name))),
        }
    }
}
