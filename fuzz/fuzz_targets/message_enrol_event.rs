//! Lets libFuzzer look for bytes to which `message_enrol_event` objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::message::enrol_event(data));
