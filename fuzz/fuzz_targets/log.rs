//! Lets libFuzzer look for bytes to which `log` objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::log(data));
