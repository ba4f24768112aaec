//! Decides what the server's process costs, by what the system says of it: processor time and memory.

use std::fs;
use std::time::Duration;

use crate::exit::Failure;

/// The fields of `/proc/PID/stat` that say how long a process has computed, by itself and in the system's calls (proc(5)),
/// counted from the one behind the program's name.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;

/// How long a process has computed since it began, all its threads together.
pub(super) fn computed(pid: u32) -> Result<Duration, Failure> {
    let stat = read(pid, "stat")?;
    // A name may have spaces and brackets, and ends with the last one.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    match (ticks(USER_TICKS), ticks(SYSTEM_TICKS)) {
        (Some(user), Some(system)) => {
            let micros_a_tick = 1_000_000 / rustix::param::clock_ticks_per_second().max(1);
            Ok(Duration::from_micros((user + system) * micros_a_tick))
        }
        _ => Err(unknown(pid)),
    }
}

/// How much memory of it is there, in KiB.
pub(super) fn resident_kib(pid: u32) -> Result<u64, Failure> {
    let status = read(pid, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok()).ok_or_else(|| unknown(pid))
}

fn read(pid: u32, what: &str) -> Result<String, Failure> {
    fs::read_to_string(format!("/proc/{pid}/{what}")).map_err(|_| unknown(pid))
}

fn unknown(pid: u32) -> Failure {
    Failure::failed(format_args!("the system does not say what process {pid} costs: this is measured on Linux alone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_computed_something_and_takes_some_memory() {
        if !cfg!(target_os = "linux") {
            return;
        }
        let pid = std::process::id();
        let before = computed(pid).expect("the system says");
        let mut sum = 0_u64;
        while computed(pid).expect("the system says") < before + Duration::from_millis(50) {
            (0..100_000).for_each(|n| sum = std::hint::black_box(sum.wrapping_add(n)));
        }
        assert!(resident_kib(pid).expect("the system says") > 1_000);
    }
}
