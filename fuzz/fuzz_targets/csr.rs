//! Lets libFuzzer look for bytes to which `csr` objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::csr(data));
