//! Lets libFuzzer look for worlds in which an oracle objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::scenario(data));
