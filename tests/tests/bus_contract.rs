//! The bus on RabbitMQ keeps the contract that the broker in memory keeps: the same test bodies on
//! both.
#![expect(clippy::panic, reason = "a broken contract fails the test")]

use std::time::Duration;

use lvmbeat::clu::amqp::Amqp;
use lvmbeat::clu::bus::{Bus as _, SessionSpec};
use lvmbeat::clu::contract;
use lvmbeat_tests::broker;

async fn run(name: &str) {
    let (_, body) = contract::ALL
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("the contract has no {name}"));
    let vhost = broker::vhost().await;
    let bus = Amqp::new(&vhost.url(), Duration::from_secs(4));
    let bus = bus.unwrap_or_else(|error| panic!("{}: {error}", vhost.url()));
    if let Err(error) = body(&bus, "contract").await {
        panic!("{name}: {error:#}");
    }
}

macro_rules! on_rabbitmq {
    ($($name:ident)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                run(stringify!($name)).await;
            }
        )+

        #[test]
        fn the_whole_contract_is_run() {
            let known: Vec<&str> = contract::ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(known, [$(stringify!($name)),+]);
        }
    };
}

on_rabbitmq! {
    a_command_arrives_as_it_was_sent
    a_long_body_arrives_whole
    a_command_to_nobody_is_unroutable
    answers_are_not_mixed_up
    a_reply_reaches_whom_it_is_for
    an_actor_is_overheard
    a_name_belongs_to_one_session
    a_kept_publisher_keeps_no_session
    a_new_session_finds_nothing_old
    messages_keep_their_order
    two_publishers_keep_their_order
    a_name_is_compared_whole
    a_command_expires_in_the_queue
    a_message_expires_by_itself
    the_shorter_expiration_holds
    what_may_not_wait_is_handed_over_or_lost
    a_wait_given_up_loses_nothing
    a_closed_session_is_over
    a_client_has_no_commands
}

/// The exchange goes away with the last queue, at any moment while another session opens.
#[tokio::test]
async fn a_session_opens_while_the_last_other_one_ends() {
    let vhost = broker::vhost().await;
    let bus = Amqp::new(&vhost.url(), Duration::from_secs(4));
    let bus = bus.unwrap_or_else(|error| panic!("{}: {error}", vhost.url()));
    let mut last = None;
    for round in 0..60 {
        let spec = SessionSpec::client(&format!("round{round}"));
        let opening = bus.open(&spec);
        let ending = async {
            tokio::time::sleep(Duration::from_millis(round % 12)).await;
            drop(last.take());
        };
        let (opened, ()) = tokio::join!(opening, ending);
        last = Some(opened.unwrap_or_else(|error| panic!("round {round}: {error}")));
    }
}
