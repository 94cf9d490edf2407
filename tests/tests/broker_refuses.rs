//! A broker that will not have the actor says why, once, and the log says what it is.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use lvmbeat_tests::broker::{self, Broker};
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::{eventually, http, throughout};

const SOON: Duration = Duration::from_secs(30);

/// The actor says this, and goes on trying without saying anything more.
async fn says_once(config: &ActorConfig, parts: &[&str]) -> Process {
    let mut actor = Launch::lvmbeat(config.actor()).start();
    let says = |line: &str| parts.iter().all(|part| line.contains(part));
    let line = actor.wait_for_line(SOON, says).await;
    throughout(Duration::from_secs(4), async || {
        let lines = actor.lines();
        lines.last().is_some_and(|last| last.number == line.number)
    })
    .await;
    actor
}

async fn opens(actor: &mut Process) {
    let opened = |line: &str| line.contains("session open, waiting");
    actor.wait_for_line(SOON, opened).await;
}

/// Somebody else's program at the broker.
async fn somebody(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

#[tokio::test]
async fn a_queue_that_somebody_else_declared_is_not_another_actor() {
    let kinds = [
        QueueDeclareOptions::default(),
        QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        },
        QueueDeclareOptions {
            auto_delete: true,
            ..QueueDeclareOptions::default()
        },
    ];
    for (options, name) in
        kinds
            .into_iter()
            .zip(["lvmbeat_commands", "lvmbeat_replies", "lvmbeat_commands"])
    {
        let vhost = broker::inspectable_vhost().await;
        let (_connection, channel) = somebody(&vhost.url()).await;
        channel
            .queue_declare(name.into(), options, FieldTable::default())
            .await
            .unwrap();
        let config = ActorConfig::new(&vhost.url());
        let said = [name, "was not declared by lvmbeat", "delete it there"];
        let mut actor = says_once(&config, &said).await;
        assert!(
            !actor
                .lines()
                .iter()
                .any(|line| line.text.contains("standing by"))
        );
        vhost.delete_queue(name).await;
        opens(&mut actor).await;
    }
}

#[tokio::test]
async fn an_exchange_that_somebody_else_declared_is_named() {
    let vhost = broker::vhost().await;
    let (_connection, channel) = somebody(&vhost.url()).await;
    let options = ExchangeDeclareOptions::default();
    channel
        .exchange_declare(
            "sdss_exchange".into(),
            ExchangeKind::Fanout,
            options,
            FieldTable::default(),
        )
        .await
        .unwrap();
    let config = ActorConfig::new(&vhost.url());
    let said = ["exchange 'sdss_exchange'", "was not declared by lvmbeat"];
    says_once(&config, &said).await;
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_once_and_counted() {
    let vhost = broker::inspectable_vhost().await;
    let http = Port::reserve();
    let url = vhost.url().replace("guest:guest", "guest:wrong");
    let config = ActorConfig::new(&url).set("actor.http", http.address().to_string());
    let actor = says_once(&config, &["refuses", "ACCESS_REFUSED", "check the user"]).await;
    assert!(
        !actor.lines().iter().any(|line| line.text.contains("wrong")),
        "X1"
    );
    let metric = "lvmbeat_amqp_failed_sessions_total";
    eventually(SOON, async || {
        lvmbeat_tests::view::metric(http.address(), metric)
            .await
            .is_ok_and(|failed| failed >= 3.0)
    })
    .await;
    let (status, text) = http::get(http.address(), "/readyz").await.unwrap();
    assert_eq!(status, 503);
    assert!(text.contains("ACCESS_REFUSED"), "{text}");
}

#[tokio::test]
async fn a_user_and_a_password_are_sent_as_they_are_written() {
    let vhost = broker::inspectable_vhost().await;
    vhost.add_user("u%41", "p%41@/ ").await;
    let (host, port) = vhost.address();
    let config = ActorConfig::new(&format!("amqp://{host}:{port}/{}", vhost.name()));
    let file = config.folder().join("password");
    std::fs::write(&file, "p%41@/ \n").unwrap();
    let config = config
        .set("actor.user", "u%41")
        .set("actor.password_file", file.display().to_string());
    opens(&mut Launch::lvmbeat(config.actor()).start()).await;
}

#[tokio::test]
async fn a_broker_with_few_channels_is_told_as_that() {
    let broker = Broker::start_with("channel_max = 2").await;
    let config = ActorConfig::new(&broker.url());
    let said = ["allows 2 channels on a connection", "raise its channel_max"];
    says_once(&config, &said).await;
}

#[tokio::test]
async fn a_broker_with_another_login_is_told_as_that() {
    let broker = Broker::start_with("auth_mechanisms.1 = AMQPLAIN").await;
    let config = ActorConfig::new(&broker.url());
    let said = [
        "it does not accept logins by PLAIN",
        "but by AMQPLAIN",
        "auth_mechanisms",
    ];
    says_once(&config, &said).await;
}

#[tokio::test]
async fn brokers_are_tried_in_turn_and_each_is_named() {
    let vhost = broker::vhost().await;
    let nobody = Port::reserve();
    let dead = format!("amqp://guest:guest@{}/%2f", nobody.address());
    let config = ActorConfig::new(&vhost.url());
    let config = config.set("actor.url", vec![dead.clone(), vhost.url()]);
    let mut actor = Launch::lvmbeat(config.actor()).start();
    let opened = |line: &str| line.contains("session open, waiting") && line.contains(vhost.name());
    actor.wait_for_line(SOON, opened).await;
    let refusing = vhost.url().replace("guest:guest", "guest:wrong");
    let config = ActorConfig::new(&vhost.url()).set("actor.url", vec![dead, refusing]);
    let port = nobody.number().to_string();
    says_once(
        &config,
        &[&port, "cannot be reached", "ACCESS_REFUSED", vhost.name()],
    )
    .await;
}
