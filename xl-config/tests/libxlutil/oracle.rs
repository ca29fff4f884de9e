//! libxlutil, in a process of its own.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A running libxlutil.
pub struct Oracle {
    child: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

/// A value as libxlutil read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A text or number.
    Text(Vec<u8>),
    /// A list.
    List(Vec<Read>),
}

/// A disk as libxlutil read it.
#[derive(Debug, PartialEq)]
pub struct ReadDisk(Value);

impl Oracle {
    /// Starts it.
    pub fn new() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/libxlutil/libxlutil.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs (apt-get install python3 libxenmisc4.17)");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let oracle = Self { child, pipes: RefCell::new((input, output)) };
        assert!(
            oracle.settings("a=1").is_some(),
            "libxlutil is needed: apt-get install libxenmisc4.17"
        );
        oracle
    }

    fn ask(&self, kind: &str, text: &[u8]) -> Value {
        let (input, output) = &mut *self.pipes.borrow_mut();
        let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
        // Without libxlutil nobody reads this; the answer, which is none, is then what tells.
        let _ = writeln!(input, "{kind} {hex}");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("an answer");
        serde_json::from_str(&answer)
            .unwrap_or_else(|_| panic!("no libxlutil: apt-get install libxenmisc4.17 ({answer:?})"))
    }

    /// Returns the settings that xl would see, each key once; nothing if libxlutil refuses them.
    pub fn settings(&self, text: &str) -> Option<Vec<(String, Read)>> {
        let answer = self.ask("cfg", text.as_bytes());
        let mut found: Vec<(String, Read)> = Vec::new();
        for pair in answer.as_array()? {
            let key = String::from_utf8(bytes(&pair[0])).expect("a key");
            // xl takes the first that it finds.
            if found.iter().all(|(known, _)| *known != key) {
                found.push((key, value(&pair[1])));
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Some(found)
    }

    /// Returns the disk that xl would make; nothing if libxlutil refuses it.
    pub fn disk(&self, specification: &[u8]) -> Option<ReadDisk> {
        let answer = self.ask("disk", specification);
        answer.is_object().then_some(ReadDisk(answer))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl ReadDisk {
    /// Returns a field that is a text.
    pub fn text(&self, field: &str) -> String {
        String::from_utf8(bytes(&self.0[field])).expect("UTF-8")
    }

    /// Returns it without a field.
    pub fn without(&self, field: &str) -> Value {
        let mut rest = self.0.clone();
        rest.as_object_mut().expect("fields").remove(field);
        rest
    }

    /// Returns whether a guest may write to it.
    pub fn is_writable(&self) -> bool {
        self.0["readwrite"] == 1
    }
}

fn value(answer: &Value) -> Read {
    match answer.as_array() {
        Some(items) => Read::List(items.iter().map(value).collect()),
        None => Read::Text(bytes(answer)),
    }
}

fn bytes(answer: &Value) -> Vec<u8> {
    let hex = answer.as_str().expect("a text").as_bytes();
    let digits = hex.chunks(2).map(|pair| std::str::from_utf8(pair).expect("digits"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("a byte")).collect()
}
