//! Lets libFuzzer look for bytes to which `frame` objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::frame(data));
