//! Villains act among honest people, in the calm too, and what was promised to these holds.

use sim::config::SimConfig;
use sim::sweep::{Sweep, sweep};

fn holds(seeds: u64, change: fn(&mut SimConfig)) -> Sweep {
    let all = sweep(0..seeds, 2, &|config| {
        (config.devices, config.storm_s, config.pace_ms) = (5, 40, 600);
        change(config);
    });
    assert_eq!(all.failures, [], "repeat with `cargo sim run --seed N` and the changes of this test");
    all
}

#[test]
fn a_relay_may_tell_any_lie_and_nobody_is_believed_to_be_somebody_else() {
    let all = holds(12, |config| {
        config.secret_mean_ms = 0;
        (config.lie_percent, config.fetch_weight, config.who_weight, config.call_weight) = (25, 30, 30, 60);
    });
    let lies = [
        "Couples",
        "FalseAccept",
        "FalseCertificate",
        "FalseEnd",
        "FalsePeople",
        "FalsePresence",
        "FalseRefusal",
        "Silence",
        "TakesCall",
        "WrongCaller",
        "WrongPerson",
        "WrongRinging",
    ];
    let never: Vec<_> = lies.iter().filter(|lie| all.tally.count("lie", lie) == 0).collect();
    assert!(never.is_empty(), "never told: {never:?}");
    for lie in ["Couples", "FalseCertificate", "TakesCall", "WrongRinging"] {
        assert!(all.tally.count("lie found out", lie) > 0, "{lie} was never found out");
    }
}

#[test]
fn whoever_has_no_place_in_the_realm_stays_outside_and_a_member_who_does_not_read_is_let_go() {
    let all = holds(4, |config| {
        (config.forge_mean_ms, config.mute_mean_ms, config.crowd_mean_ms, config.crowd_max) = (400, 400, 3_000, 60);
        (config.slow_mean_ms, config.slow_bytes, config.hasty_mean_ms, config.slip_percent) = (200, 0, 500, 40);
        (config.lie_percent, config.strangers_max, config.key_operations) = (0, 48, 280);
    });
    let kinds = ["forger", "mute", "crowd, noise", "crowd, half a hello", "crowd, a guessed token", "slow reader"];
    for kind in kinds.into_iter().chain(["has become a member", "hasty member", "crowd, a hello and no more"]) {
        assert!(all.tally.count("villain", kind) > 0, "{kind} never came");
    }
    for (family, what) in [
        ("relay closed a member's", "ours TOO_SLOW"),
        ("relay closed a stranger's", "TimedOut"),
        ("relay closed a stranger's", "fault NotTls"),
        ("relay", "held strangers back"),
        ("relay refused", "INVITE_UNKNOWN"),
        ("slip", "OtherName, refused by the program"),
        ("slip", "OtherName"),
        ("villain told", "forger hears alert 46"),
        ("villain told", "forger hears goodbye 109"),
    ] {
        assert!(all.tally.count(family, what) > 0, "{family}: {what} never happened");
    }
}
