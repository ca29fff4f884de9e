//! Lines as `ls -l` and `sha256sum` write them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use fs::{Inode, Kind};

/// A line of `ls -l`, without a time.
pub(crate) fn list(inode: &Inode, name: &[u8], target: Option<&[u8]>) -> Vec<u8> {
    let Inode { links, uid, gid, size_bytes, .. } = inode;
    let mode = mode_text(inode);
    let mut line = format!("{mode} {links:>3} {uid:>5} {gid:>5} {size_bytes:>12} ").into_bytes();
    line.extend(name);
    if let Some(target) = target {
        line.extend(b" -> ");
        line.extend(target);
    }
    line.push(b'\n');
    line
}

/// `drwxr-xr-x` and its kin.
fn mode_text(inode: &Inode) -> String {
    let kind = match inode.kind {
        Kind::Fifo => 'p',
        Kind::CharDevice => 'c',
        Kind::Directory => 'd',
        Kind::BlockDevice => 'b',
        Kind::File => '-',
        Kind::Symlink => 'l',
        Kind::Socket => 's',
    };
    let mut text = String::from(kind);
    // Set-uid, set-gid and sticky take the place of an x, as a capital where there is none.
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = inode.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, inode.mode & special != 0) {
            (true, false) => 'x',
            (false, false) => '-',
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
        });
    }
    text
}

/// A line of `sha256sum`: a name with a backslash or a line's end in it is escaped, and a backslash
/// goes before the line.
pub(crate) fn sum(hash: &[u8], path: &[u8]) -> Vec<u8> {
    let mut line = Vec::new();
    if path.iter().any(|byte| b"\\\n\r".contains(byte)) {
        line.push(b'\\');
    }
    for byte in hash {
        line.extend(format!("{byte:02x}").bytes());
    }
    line.extend(b"  ");
    for byte in path {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            byte => line.push(*byte),
        }
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_sha256sum_does() {
        assert_eq!(sum(&[0, 0xab], b"a b"), b"00ab  a b\n");
        assert_eq!(sum(&[1], b"a\nb\\c\rd"), b"\\01  a\\nb\\\\c\\rd\n");
    }
}
