//! Lets libFuzzer look for bytes to which `message_relay_event` objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::message::relay_event(data));
