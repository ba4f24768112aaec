//! Configurations are sound, read back as they were printed, and have their families of faults now and then.

use super::*;

#[test]
fn every_drawn_configuration_is_sound_and_reads_back_as_it_was_printed() {
    for seed in 0..500 {
        let mut config = SimConfig::draw(seed);
        assert_eq!(config.check(), Ok(()), "seed {seed}");
        config.flip = Some(Flip { conn: seed, to_relay: seed % 2 == 0, offset: 7 });
        config.tape = (seed % 3 == 0).then(|| Tape::new(&seed.to_be_bytes()));
        assert_eq!(SimConfig::parse(&config.to_string()), Ok(config));
    }
}

#[test]
fn each_family_of_faults_is_off_in_some_runs_and_on_in_others() {
    let configs: Vec<_> = (0..100).map(SimConfig::draw).collect();
    let families: [fn(&SimConfig) -> u64; 12] = [
        |config| config.cut_mean_ms,
        |config| config.crash_mean_ms,
        |config| config.crash_before_percent,
        |config| config.split_percent,
        |config| config.skew_max_s,
        |config| config.quit_weight,
        |config| config.drift_ppm,
        |config| config.clock_step_mean_ms,
        |config| config.nap_mean_ms,
        |config| config.torn_percent,
        |config| config.sync_fail_percent,
        |config| config.store_fail_percent,
    ];
    for family in families {
        let off = configs.iter().filter(|config| family(config) == 0).count();
        assert!((20..80).contains(&off), "off in {off} of 100");
    }
}

#[test]
fn a_tape_draws_a_sound_small_configuration_without_faults_where_it_is_silent() {
    for byte in 0..=u8::MAX {
        let config = SimConfig::draw_from(Tape::new(&[byte; Tape::BYTES_MAX]));
        assert_eq!(config.check(), Ok(()), "a tape of {byte}");
        assert!(config.devices <= 4 && config.storm_s < 60);
    }
    let silent = SimConfig::draw_from(Tape::new(&[]));
    let calm = SimConfig { split_percent: 0, merge_percent: 0, ..silent.clone().without_faults() };
    assert_eq!(silent, calm, "no family of faults is on");
    let quiet = SimConfig::draw_from(Tape::new(&[0; Tape::BYTES_MAX]));
    assert_eq!(quiet.clone().without_faults(), quiet);
}

#[test]
fn a_field_that_is_not_named_is_the_seeds_and_a_wrong_one_is_refused() {
    let config = SimConfig::parse("seed=9\ndevices=3\n").expect("sound");
    assert_eq!(config, SimConfig { devices: 3, ..SimConfig::draw(9) });
    assert_eq!(SimConfig::parse("# devices=4\nseed=9\n  # storm_s=5"), Ok(SimConfig::draw(9)));
    assert_eq!(SimConfig::parse("sede=9"), Err(ConfigRefusal::Unknown("sede".to_owned())));
    assert_eq!(SimConfig::parse("seed=x"), Err(ConfigRefusal::Value("seed".to_owned())));
    assert_eq!(SimConfig::parse("seed"), Err(ConfigRefusal::Line("seed".to_owned())));
    assert_eq!(SimConfig::parse("devices=1"), Err(ConfigRefusal::Range("devices")));
    assert_eq!(SimConfig::parse("cut_mean_ms=1000000001"), Err(ConfigRefusal::Range("cut_mean_ms")));
    assert_eq!(SimConfig::parse("seed=1\nseed=2"), Err(ConfigRefusal::Line("seed=2".to_owned())));
    assert_eq!("3/relay/12".parse(), Ok(Flip { conn: 3, to_relay: true, offset: 12 }));
    assert_eq!("3/both/12".parse::<Flip>(), Err(()));
}
