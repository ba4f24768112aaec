//! Lets libFuzzer look for bytes to which `certificate` objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::certificate(data));
