//! Lets libFuzzer look for bytes to which `journal` objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::journal(data));
