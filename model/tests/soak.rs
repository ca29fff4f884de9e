//! The soak in small: some seeds, and each the same twice.

use model::soak::run_seed;

#[test]
fn seeds_pass_and_repeat() {
    for seed in 0..12 {
        let first = run_seed(seed, 1000).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        assert!(first.ios >= 1000);
        assert_eq!(run_seed(seed, 1000), Ok(first), "seed {seed}");
    }
}
