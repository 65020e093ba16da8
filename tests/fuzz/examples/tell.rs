//! Runs one input through its target: `cargo run -p mynah-fuzz-targets --example tell -- TARGET FILE...`.

use mynah_fuzz_targets::TARGETS;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some((_, target)) = TARGETS.into_iter().find(|(of, _)| *of == name) else {
        let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        panic!("`{name}` is no target; expected one of {}", names.join(", "));
    };
    for file in arguments {
        target(&std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}")));
    }
}
