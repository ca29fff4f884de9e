//! A job file in xenstore, for the guest.

use guest_protocol::job_node::{JOB_NODE, PIECE_BYTES_MAX};

/// Returns the nodes that hand a job file over to the domain of this number, which looks for it
/// there: each with its path, and its value as `xenstore-write` reads it.
pub fn nodes(id: u32, text: &str) -> Vec<(String, String)> {
    let path = format!("/local/domain/{id}/{JOB_NODE}");
    let pieces = pieces(text).into_iter().enumerate();
    let pieces = pieces.map(|(number, piece)| (format!("{path}/{number}"), piece));
    [(path.clone(), text.len().to_string())].into_iter().chain(pieces).collect()
}

/// The text in pieces, spelled as `xenstore-write` reads values: with escapes for what is not
/// printable.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES_MAX));
        pieces.push(escaped(piece));
        rest = after;
    }
    pieces
}

fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'\\' => value.push_str("\\\\"),
            b' '..=b'~' => value.push(char::from(byte)),
            _ => value.push_str(&format!("\\x{byte:02x}")),
        }
    }
    value
}
