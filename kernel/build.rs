//! Links the kernel as a static image with its own entry and layout, on the host's own target.

fn main() {
    warn_of_plain_flags();
    let script = format!("{}/link.ld", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rerun-if-changed={script}");
    for argument in [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
        "-Wl,-z,norelro",
        "-Wl,-z,max-page-size=4096",
        &format!("-Wl,-T,{script}"),
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}

/// Says so where a guest is built to be used, but not as it is measured.
fn warn_of_plain_flags() {
    let is = |name: &str, text: &str| std::env::var(name).is_ok_and(|value| value.contains(text));
    let flags = ["target-cpu=k8", "no-vectorize-loops", "no-vectorize-slp"];
    let has_all = flags.iter().all(|flag| is("CARGO_ENCODED_RUSTFLAGS", flag));
    if is("PROFILE", "release") && !has_all {
        println!(
            "cargo:warning=each sleep of this guest will cost an exit more on AMD: \
             build it with --config kernel/image.toml"
        );
    }
}
