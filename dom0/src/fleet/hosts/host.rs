//! Names of hosts.

use std::fmt;

/// Longest name, in bytes: that of a domain name, and room for a user and a port.
const BYTES_MAX: usize = 300;
/// Beginning of a name that has a port.
const SCHEME: &str = "ssh://";

/// Host as the command line names it: `root@a`, `a`, `ssh://root@a:2222`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(String);

impl Host {
    /// Reads a name.
    ///
    /// # Errors
    /// One that ssh would take for something else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix(SCHEME).unwrap_or(text);
        let is_named = |letter: char| letter.is_ascii_graphic() && !"/\"'\\`$".contains(letter);
        match () {
            () if name.is_empty() || name.ends_with('@') => Err("no host is named".to_owned()),
            () if text.len() > BYTES_MAX => Err(format!("longer than {BYTES_MAX} bytes")),
            () if name.starts_with('-') => Err("ssh would take it for an option".to_owned()),
            () if !name.chars().all(is_named) => {
                Err("write USER@HOST, a host of ssh_config(5), or ssh://USER@HOST:PORT".to_owned())
            }
            () => Ok(Self(text.to_owned())),
        }
    }

    /// Returns the name as ssh is to be told.
    pub fn destination(&self) -> &str {
        &self.0
    }

    /// Returns the name to show, in which there is no slash.
    pub fn name(&self) -> &str {
        self.0.strip_prefix(SCHEME).unwrap_or(&self.0)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_ssh() {
        for (text, name) in [
            ("a", "a"),
            ("root@a.example", "root@a.example"),
            ("root@::1", "root@::1"),
            ("ssh://root@10.0.0.1:2222", "root@10.0.0.1:2222"),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!((host.name(), host.destination()), (name, text));
        }
        let long = "a".repeat(BYTES_MAX + 1);
        for text in
            ["", "root@", "-oProxyCommand=x", "ssh://-a", "a b", "a/b", "a\n", "$(x)", &long]
        {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }
}
