//! Memory of a walk through a tree: no more than its caller sets.

use fs::Image;
use newfs::{Makefs, Scratch};

use crate::collected::{Collected, tools};

#[test]
fn directories_that_were_met_take_memory() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "walk");
    let (source, image) = (scratch.0.join("source"), scratch.0.join("image"));
    // Few names at a time, and many directories in all.
    for number in 0..512 {
        let path = format!("{}/{}/{}", number >> 6, number >> 3 & 7, number & 7);
        std::fs::create_dir_all(source.join(path)).unwrap();
    }
    let makefs = Makefs { version: 2, big_endian: false, block_bytes: 8192, frag_bytes: 1024 };
    let image = makefs.make(&source, &image);
    let walk = |names_bytes_max| {
        let mut tools = tools(Image(&image));
        tools.names_bytes_max = names_bytes_max;
        let mut collected = Collected::default();
        tools.ls(b"/", true, &mut collected)?;
        Ok::<_, String>(collected.lines().len())
    };
    assert!(walk(16 << 10).is_ok_and(|lines| lines > 585));
    let error = walk(8 << 10).unwrap_err();
    assert!(error.contains("too many names for the memory"), "{error}");
}
