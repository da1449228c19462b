//! One target, guided by coverage: `FUZZ_TARGET=NAME guided CORPUS…`, as libFuzzer takes it. See `tests/fuzz/run`.
#![no_main]

use std::sync::LazyLock;

use fuzz::targets::Target;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    fuzz::targets::named(&name).expect("a target of this name")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    (TARGET.run)(bytes);
});
