//! Lets libFuzzer look for bytes to which `message_peer` objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::message::peer(data));
