//! A sweep of seeds holds, and in it happened what it is for.

use sim::config::SimConfig;
use sim::failure::Kind;
use sim::sweep::sweep;

/// How many seeds.
const SEEDS: u64 = 40;

/// What happens often enough in any so many seeds that its absence is no accident.
const OFTEN: [(&str, &str); 54] = [
    ("call", "opened"),
    ("call", "waiting"),
    ("call", "lines heard"),
    ("call", "made by both at once"),
    ("call moved", "direct"),
    ("call moved", "tunnel: Declined"),
    ("call moved", "tunnel: GivenUp"),
    ("call moved", "tunnel: NoAddress"),
    ("call moved", "tunnel: NotAllowed"),
    ("call moved", "tunnel: TimedOut"),
    ("call moved", "tunnel: Unreachable"),
    ("call moved", "tunnel: broken, Truncated"),
    ("call moved", "tunnel: failed, fault Certificate(OtherName)"),
    ("call moved", "tunnel: failed, fault NotTls"),
    ("direct", "cuts"),
    ("direct", "cuts of one way"),
    ("direct", "led astray"),
    ("direct", "listeners that could not be made"),
    ("direct", "listeners, IPv6 too"),
    ("direct", "strangers at a port"),
    ("call ended", "theirs FINISHED"),
    ("call ended", "ours FINISHED"),
    ("call ended", "Truncated"),
    ("call ended", "relay lost"),
    ("call ended", "refused DECLINED"),
    ("call ended", "refused GONE"),
    ("call ended", "refused HUNG_UP"),
    ("call ended", "refused NO_SUCH_USER"),
    ("call ended", "refused OFFLINE"),
    ("call ended", "refused SELF_CALL"),
    ("device", "done"),
    ("device", "killed"),
    ("device lost", "Truncated"),
    ("device lost", "Unreachable"),
    ("device lost", "theirs SHUTTING_DOWN"),
    ("device woken", "Admission"),
    ("device woken", "Call"),
    ("device woken", "Enrolment"),
    ("device woken", "Liveness"),
    ("device woken", "Redial"),
    ("enrolment", "granted"),
    ("enrolment", "lost Truncated"),
    ("enrolment", "lost Unreachable"),
    ("journal", "crashes that lost an append"),
    ("journal", "records read for a repeated request"),
    ("network", "cuts"),
    ("network", "silent cuts"),
    ("network", "stalls"),
    ("relay", "crash AfterAppend"),
    ("relay", "crash BeforeAppend"),
    ("relay", "crash Whenever"),
    ("relay closed a member's", "ours REPLACED"),
    ("relay closed a member's", "theirs FINISHED"),
    ("relay woken", "Silence"),
];

#[test]
fn forty_seeds_hold_and_everything_that_should_happen_did() {
    let all = sweep(0..SEEDS, 2, &|_| ());
    assert_eq!(all.failures, [], "repeat with `cargo sim run --seed N`");
    assert_eq!(all.runs, SEEDS);
    let never: Vec<_> = OFTEN.iter().filter(|(family, what)| all.tally.count(family, what) == 0).collect();
    assert!(never.is_empty(), "never happened: {never:?}");
    let refusals = ["EXPIRED", "FOR_OTHER", "USED"].map(|why| format!("refused INVITE_{why}"));
    let names = ["NAME_TAKEN", "NAME_LOOKS_TAKEN", "SECOND_DEVICE"].map(|why| format!("refused {why}"));
    let refused: u64 = refusals.iter().chain(&names).map(|what| all.tally.count("enrolment", what)).sum();
    assert!(refused >= 10, "only {refused} enrolments were refused");
    assert_eq!(all.tally.count("relay", "ALARM"), 0);
}

#[test]
fn a_panic_in_one_seed_is_told_with_its_place_and_does_not_stop_the_others() {
    let all = sweep(0..4, 2, &|config: &mut SimConfig| {
        (config.devices, config.storm_s) = (2, 5);
        // A configuration that the command line would not let through.
        if config.seed == 2 {
            config.segments_max = 0;
        }
    });
    assert_eq!(all.runs, 4);
    let [failure] = all.failures.as_slice() else { panic!("{:?}", all.failures) };
    assert_eq!((failure.config.seed, all.worst()), (2, Some(Kind::Crash)));
    assert!(failure.cause.name().starts_with("panic at ") && failure.to_string().contains(".rs:"), "{failure}");
}
