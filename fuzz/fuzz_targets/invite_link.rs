//! Lets libFuzzer look for bytes to which `invite_link` objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::invite_link(data));
