//! Lines as `ls -lb` and `sha256sum` write them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use fs::{Inode, Kind};

/// Returns a line of `ls -lb`, without a time.
pub(crate) fn list(inode: &Inode, name: &[u8], target: Option<&[u8]>) -> Vec<u8> {
    let Inode { links, uid, gid, size_bytes, .. } = inode;
    let mode = mode_text(inode);
    let mut line = format!("{mode} {links:>3} {uid:>5} {gid:>5} {size_bytes:>12} ").into_bytes();
    line.extend(escaped(name));
    if let Some(target) = target {
        line.extend(b" -> ");
        line.extend(escaped(target));
    }
    line.push(b'\n');
    line
}

/// Returns a name as `ls -b` shows it: one word of a line, whatever is in it.
pub(crate) fn escaped(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut bytes = [0; 4];
            let bytes = character.encode_utf8(&mut bytes).as_bytes();
            match character {
                '\x07' => text.extend(b"\\a"),
                '\x08' => text.extend(b"\\b"),
                '\t' => text.extend(b"\\t"),
                '\n' => text.extend(b"\\n"),
                '\x0b' => text.extend(b"\\v"),
                '\x0c' => text.extend(b"\\f"),
                '\r' => text.extend(b"\\r"),
                ' ' => text.extend(b"\\ "),
                '\\' => text.extend(b"\\\\"),
                _ if character.is_control() => octal(&mut text, bytes),
                _ => text.extend(bytes),
            }
        }
        octal(&mut text, chunk.invalid());
    }
    text
}

fn octal(text: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        text.extend(format!("\\{byte:03o}").bytes());
    }
}

/// Returns type and permissions such as `drwxr-xr-x`.
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

/// Returns a line of `sha256sum`: a name with a backslash or a line's end in it is escaped, and a
/// backslash goes before the line.
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
    fn names_are_escaped_as_ls_does() {
        assert_eq!(escaped(b"a b\\c\nd\x1b[2J"), b"a\\ b\\\\c\\nd\\033[2J");
        assert_eq!(escaped("\u{e4}\u{9b}".as_bytes()), "\u{e4}\\302\\233".as_bytes());
        assert_eq!(escaped(b"x\xff"), b"x\\377");
    }

    #[test]
    fn names_are_escaped_as_sha256sum_does() {
        assert_eq!(sum(&[0, 0xab], b"a b"), b"00ab  a b\n");
        assert_eq!(sum(&[1], b"a\nb\\c\rd"), b"\\01  a\\nb\\\\c\\rd\n");
    }
}
