use super::*;

#[test]
fn a_configuration_says_what_it_was_made_of() {
    let config = Config::new(AFTER, secs(2)).unwrap();
    assert_eq!(config.alert_after(), AFTER);
    assert_eq!(config.attention_limit(), secs(2));
    assert_eq!(config.remind_every(), None);
    let config = config.with_reminders(EVERY).unwrap();
    assert_eq!(config.remind_every(), Some(EVERY));
    assert_eq!(Alarm::new(config, T0).config(), &config);
}

#[test]
fn what_cannot_work_is_refused() {
    let zero = Duration::MIN;
    for (result, error, text) in [
        (
            Config::new(zero, zero),
            ConfigError::ZeroAlertAfter,
            "always be on",
        ),
        (
            Config::new(AFTER, zero),
            ConfigError::ZeroAttentionLimit,
            "no silence",
        ),
        (
            Config::new(AFTER, AFTER + TICK),
            ConfigError::AttentionLimitTooLong,
            "a gap in listening",
        ),
        (
            config().with_reminders(zero),
            ConfigError::ZeroReminder,
            "reminders",
        ),
    ] {
        assert_eq!(result, Err(error));
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn the_least_that_works_is_one_tick_of_each() {
    let config = Config::new(TICK, TICK).unwrap();
    assert!(config.with_reminders(TICK).is_ok());
}
