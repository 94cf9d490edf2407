use super::*;

#[test]
fn a_name_given_twice_is_refused() {
    let mut config = config();
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    assert_eq!(
        config.add_heartbeat("a", false, TIMEOUT),
        Err(ConfigError::Duplicate)
    );
    config.add_link("a", THREE).unwrap();
    assert_eq!(config.add_link("a", THREE), Err(ConfigError::Duplicate));
}

#[test]
fn what_is_no_name_is_refused() {
    let mut config = config();
    for (text, error) in [
        ("", NameError::Empty),
        ("a b", NameError::NotOneWord),
        ("a-name-that-is-33-bytes-long-----", NameError::TooLong),
    ] {
        assert_eq!(
            config.add_heartbeat(text, true, TIMEOUT),
            Err(ConfigError::Name(error))
        );
        assert_eq!(config.add_link(text, THREE), Err(ConfigError::Name(error)));
    }
}

#[test]
fn a_timeout_of_zero_is_refused() {
    assert_eq!(
        config().add_heartbeat("a", true, Duration::MIN),
        Err(ConfigError::ZeroTimeout)
    );
    assert!(config().add_heartbeat("a", true, TICK).is_ok());
}

#[test]
fn a_full_table_takes_no_more() {
    let mut config = Config::<1, 1>::new(ATTENTION, PACE);
    config.add_heartbeat("a", true, TIMEOUT).unwrap();
    config.add_link("lco", THREE).unwrap();
    let before = config.clone();
    assert_eq!(
        config.add_heartbeat("b", true, TIMEOUT),
        Err(ConfigError::Full)
    );
    assert_eq!(config.add_link("outside", THREE), Err(ConfigError::Full));
    assert_eq!(config, before);
}

#[test]
fn no_table_takes_more_than_256() {
    let mut config = Config::<257, 257>::new(ATTENTION, PACE);
    for number in 0..256 {
        let name = format!("n{number}");
        config.add_heartbeat(&name, true, TIMEOUT).unwrap();
        config.add_link(&name, THREE).unwrap();
    }
    assert_eq!(
        config.add_heartbeat("one-more", true, TIMEOUT),
        Err(ConfigError::Full)
    );
    assert_eq!(config.add_link("one-more", THREE), Err(ConfigError::Full));
    let supervisor = Supervisor::new(config, T0);
    assert_eq!(supervisor.links().count(), 256);
    assert_eq!(supervisor.heartbeats().iter().count(), 256);
}

#[test]
fn every_error_is_a_sentence_of_its_own() {
    let errors = [
        ConfigError::Name(NameError::Empty),
        ConfigError::Duplicate,
        ConfigError::Full,
        ConfigError::ZeroTimeout,
    ]
    .map(|error| error.to_string());
    assert_eq!(
        errors,
        [
            "a name must not be empty",
            "the name is given twice",
            "there are too many",
            "the timeout is zero, so that no beat could ever count",
        ]
    );
    assert_eq!(
        BeatError::Unknown.to_string(),
        "no heartbeat of that name is configured"
    );
}
