//! Lets libFuzzer look for bytes to which `link` objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::link(data));
