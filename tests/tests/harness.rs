//! The harness does what the other tests rely on: a tool that breaks nothing would let everything
//! pass.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use futures_util::FutureExt as _;
use lvmbeat_tests::broker::{self, Access, Broker};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::ecp::{Behaviour, FakeEcp};
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::proxy::{Flow, Proxy};
use lvmbeat_tests::target::Target;
use lvmbeat_tests::{eventually, throughout};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(300);

/// A connection through a proxy, with the server's end of it.
struct Line {
    proxy: Proxy,
    client: TcpStream,
    server: TcpStream,
    listener: TcpListener,
}

async fn line() -> Line {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy = Proxy::start(("127.0.0.1", port)).await;
    let connecting = TcpStream::connect(("127.0.0.1", proxy.port()));
    let (client, server) = tokio::join!(connecting, listener.accept());
    let mut line = Line {
        proxy,
        client: client.unwrap(),
        server: server.unwrap().0,
        listener,
    };
    line.passes().await;
    line
}

async fn carry(from: &mut TcpStream, to: &mut TcpStream, text: &[u8]) {
    from.write_all(text).await.unwrap();
    let mut read = vec![0; text.len()];
    timeout(SOON, to.read_exact(&mut read))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read, text);
}

/// Nothing comes for a while, not even an end.
async fn silence(stream: &mut TcpStream) {
    let mut byte = [0];
    assert!(timeout(SHORT, stream.read(&mut byte)).await.is_err());
}

impl Line {
    async fn passes(&mut self) {
        carry(&mut self.client, &mut self.server, b"hello").await;
        carry(&mut self.server, &mut self.client, b"welcome").await;
    }
}

#[tokio::test]
async fn a_stalled_line_moves_and_loses_nothing() {
    let mut line = line().await;
    line.proxy.set(Flow::Stall);
    line.client.write_all(b"one").await.unwrap();
    line.server.write_all(b"two").await.unwrap();
    let moved = line.proxy.bytes();
    silence(&mut line.server).await;
    silence(&mut line.client).await;
    assert_eq!(line.proxy.bytes(), moved);
    // Not even an end gets through.
    line.client.shutdown().await.unwrap();
    silence(&mut line.server).await;
    line.proxy.set(Flow::Pass);
    let mut text = String::new();
    let reading = line.server.read_to_string(&mut text);
    timeout(SOON, reading).await.unwrap().unwrap();
    assert_eq!(text, "one");
}

#[tokio::test]
async fn a_stalled_line_takes_only_what_sockets_hold() {
    let mut line = line().await;
    line.proxy.set_to_server(Flow::Stall);
    let megabyte = vec![7; 1 << 20];
    let writing = async {
        for _ in 0..64 {
            line.client.write_all(&megabyte).await.unwrap();
        }
    };
    assert!(timeout(Duration::from_secs(2), writing).await.is_err());
    // The other direction does not care.
    carry(&mut line.server, &mut line.client, b"still here").await;
}

#[tokio::test]
async fn a_delayed_line_keeps_order_and_takes_its_time() {
    let mut line = line().await;
    line.proxy.set_to_server(Flow::Delay(SHORT));
    let start = Instant::now();
    for part in [b"a", b"b", b"c"] {
        line.client.write_all(part).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut read = [0; 3];
    timeout(SOON, line.server.read_exact(&mut read))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&read, b"abc");
    let took = start.elapsed();
    assert!(took >= SHORT, "{took:?}");
    // Not once for each part.
    assert!(took < 3 * SHORT, "{took:?}");
    let start = Instant::now();
    carry(&mut line.server, &mut line.client, b"fast").await;
    assert!(start.elapsed() < SHORT);
}

#[tokio::test]
async fn a_cut_line_is_reset_and_a_closed_one_ends() {
    let mut cut = line().await;
    cut.proxy.cut();
    let error = cut.client.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(cut.server.read_u8().await.is_err());
    // New connections are welcome.
    let mut next = TcpStream::connect(("127.0.0.1", cut.proxy.port()))
        .await
        .unwrap();
    let (mut server, _) = cut.listener.accept().await.unwrap();
    carry(&mut next, &mut server, b"again").await;

    let mut closed = line().await;
    closed.proxy.close();
    let error = closed.client.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_half_open_line_swallows_everything_and_tells_nobody() {
    let mut line = line().await;
    line.proxy.half_open();
    let moved = line.proxy.bytes();
    for _ in 0..64 {
        let writing = line.client.write_all(&[7; 1 << 14]);
        timeout(SOON, writing).await.unwrap().unwrap();
    }
    silence(&mut line.server).await;
    // The server hangs up, and the client does not hear of it, even when the path is whole again.
    line.server.shutdown().await.unwrap();
    drop(line.server);
    silence(&mut line.client).await;
    line.proxy.set(Flow::Pass);
    silence(&mut line.client).await;
    assert_eq!(line.proxy.bytes(), moved);
    assert_eq!(line.proxy.open_connections(), 1);
    // New connections pass.
    let mut next = TcpStream::connect(("127.0.0.1", line.proxy.port()))
        .await
        .unwrap();
    let (mut server, _) = line.listener.accept().await.unwrap();
    carry(&mut next, &mut server, b"again").await;
}

#[tokio::test]
async fn a_line_that_has_lost_bytes_stays_lost() {
    let mut line = line().await;
    line.proxy.set(Flow::Swallow);
    line.client.write_all(b"lost").await.unwrap();
    silence(&mut line.server).await;
    line.proxy.set(Flow::Pass);
    line.client.write_all(b"corrupt").await.unwrap();
    line.server.write_all(b"corrupt").await.unwrap();
    silence(&mut line.server).await;
    silence(&mut line.client).await;
}

#[tokio::test]
async fn a_proxy_refuses_and_takes_again() {
    let mut line = line().await;
    let address = ("127.0.0.1", line.proxy.port());
    line.proxy.refuse().await;
    let error = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    line.passes().await;
    line.proxy.accept_again().await;
    TcpStream::connect(address).await.unwrap();
}

#[tokio::test]
async fn a_target_goes_away_and_comes_back() {
    let mut target = Target::start().await;
    let address = target.url().strip_prefix("tcp://").unwrap().to_owned();
    TcpStream::connect(&address).await.unwrap();
    target.go_away().await;
    assert!(TcpStream::connect(&address).await.is_err());
    target.come_back().await;
    TcpStream::connect(&address).await.unwrap();
}

#[test]
fn a_reserved_port_is_given_once() {
    let ports: Vec<Port> = (0..200).map(|_| Port::reserve()).collect();
    let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 200);
}

#[tokio::test]
async fn eventually_waits_and_gives_up() {
    let start = Instant::now();
    let late = eventually(SOON, async || (start.elapsed() > SHORT).then_some(7)).await;
    assert_eq!(late, 7);
    let never = eventually(SHORT, async || false);
    let gave_up = std::panic::AssertUnwindSafe(never).catch_unwind().await;
    assert!(gave_up.is_err());
    throughout(SHORT, async || true).await;
    let start = Instant::now();
    let once = throughout(SOON, async || start.elapsed() < SHORT);
    let failed = std::panic::AssertUnwindSafe(once).catch_unwind().await;
    assert!(failed.is_err());
    assert!(start.elapsed() < SOON);
}

fn shell(script: &str) -> Launch {
    Launch::other("/bin/sh".into()).args(["-c", script])
}

#[tokio::test]
async fn a_program_is_heard_signalled_and_measured() {
    let mut process =
        shell("echo ready; echo oops >&2; while read -r x; do echo \"got $x\"; done; exit 7")
            .start();
    process.wait_for_line(SOON, |line| line == "ready").await;
    process.wait_for_line(SOON, |line| line == "oops").await;
    let mark = process.mark();
    process.say("one").await;
    process
        .wait_for_line_after(mark, SOON, |line| line == "got one")
        .await;
    assert!((100_000..50_000_000).contains(&process.memory()));

    process.freeze();
    process.until_frozen(SOON).await;
    let mark = process.mark();
    process.say("two").await;
    throughout(SHORT, async || process.mark() == mark).await;
    process.thaw();
    process
        .wait_for_line_after(mark, SOON, |line| line == "got two")
        .await;

    assert!(process.is_running());
    process.close_input();
    assert_eq!(process.exit(SOON).await.code(), Some(7));
    assert!(!process.is_running());

    let mut process = shell("echo ready; exec sleep 1000").start();
    process.wait_for_line(SOON, |line| line == "ready").await;
    process.terminate();
    let status = process.exit(SOON).await;
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(signal, Some(Signal::TERM.as_raw()));
}

#[tokio::test]
async fn a_program_takes_what_it_started_with_it() {
    let mut process = shell("sleep 1000 & echo $!; wait").start();
    let line = process.wait_for_line(SOON, |_| true).await;
    let child = format!("/proc/{}/stat", line.text);
    assert!(std::fs::exists(&child).unwrap());
    drop(process);
    // Gone, or a zombie that nobody has waited for.
    eventually(SOON, async || {
        std::fs::read_to_string(&child).map_or(true, |stat| stat.contains(") Z"))
    })
    .await;
}

#[tokio::test]
async fn a_line_that_does_not_come_is_not_waited_for_in_vain() {
    let mut process = shell("echo something else").start();
    let start = Instant::now();
    let waiting = process.wait_for_line(SOON, |line| line == "it");
    let gave_up = std::panic::AssertUnwindSafe(waiting).catch_unwind().await;
    assert!(gave_up.is_err());
    assert!(start.elapsed() < SOON);
}

#[tokio::test]
async fn a_program_that_is_not_built_fails_the_test() {
    let looking = std::panic::catch_unwind(|| Launch::program("no-such-program", ["x"]));
    assert!(looking.is_err());
}

#[tokio::test]
async fn virtual_hosts_keep_tests_apart() {
    let (one, two) = (
        broker::inspectable_vhost().await,
        broker::inspectable_vhost().await,
    );
    let ecp = FakeEcp::start(&one.url()).await;
    let there = RawClient::connect(&one.url(), "client").await;
    let elsewhere = RawClient::connect(&two.url(), "client").await;
    assert_eq!(there.command("lvmecp", "ping", SOON).await.codes(), ">:");
    assert!(elsewhere.try_command("lvmecp", "ping", SOON).await.is_err());
    assert_eq!(one.queues().await, ["client_replies", "lvmecp_commands"]);
    assert_eq!(two.queues().await, ["client_replies"]);
    assert_eq!((one.connections().await, two.connections().await), (2, 1));
    ecp.stop().await;
    eventually(SOON, async || one.queues().await.len() == 1).await;
    // With the virtual host, its connections go.
    drop(two);
    eventually(SOON, async || {
        elsewhere
            .try_command("x", "ping", SHORT)
            .await
            .is_err_and(|why| why != "nobody is there")
    })
    .await;
}

#[tokio::test]
async fn an_ecp_behaves_as_told() {
    let vhost = broker::vhost().await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    let client = RawClient::connect(&vhost.url(), "tester").await;
    let answer = client.command("lvmecp", "heartbeat", SOON).await;
    assert_eq!(answer.codes(), ">:");
    assert_eq!(answer.last().sender(), "lvmecp");
    assert_eq!(answer.last().routing_key, "reply.tester.lvmecp");
    ecp.on("heartbeat", Behaviour::Fail);
    let answer = client.command("lvmecp", "heartbeat", SOON).await;
    assert_eq!(answer.codes(), ">f");
    assert_eq!(answer.keyword("error").unwrap(), "Failed to set heartbeat.");
    ecp.on("heartbeat", Behaviour::Hang);
    assert!(
        client
            .try_command("lvmecp", "heartbeat", SHORT)
            .await
            .is_err()
    );
    assert_eq!(client.command("lvmecp", "ping", SOON).await.codes(), ">:");
    ecp.on("heartbeat", Behaviour::DoneAfter(SHORT));
    assert!(client.command("lvmecp", "heartbeat", SOON).await.took >= SHORT);
    assert_eq!(ecp.heartbeats().len(), 4);

    ecp.freeze();
    let waiting = client.outgoing("lvmecp", "heartbeat");
    assert!(client.publish(&waiting).await);
    throughout(SHORT, async || ecp.heartbeats().len() == 4).await;
    ecp.thaw();
    ecp.wait_for_heartbeats(5, SOON).await;
    assert_eq!(ecp.heartbeats()[4].command_id, waiting.id());
    assert_eq!(ecp.heartbeats()[4].commander, "tester.lvmecp");

    let place = client.reply_count();
    ecp.broadcast(&serde_json::json!({ "heartbeat_ack": null }))
        .await;
    let heard = client.wait_for_reply(place, SOON, |reply| reply.routing_key == "reply.broadcast");
    assert!(
        heard
            .await
            .unwrap()
            .body
            .get("heartbeat_ack")
            .unwrap()
            .is_null()
    );
}

#[tokio::test]
async fn a_connection_is_closed_and_a_queue_deleted_from_the_broker() {
    let vhost = broker::inspectable_vhost().await;
    let client = RawClient::connect(&vhost.url(), "client").await;
    let ecp = FakeEcp::start(&vhost.url()).await;
    vhost.delete_queue("lvmecp_commands").await;
    assert_eq!(vhost.queues().await, ["client_replies"]);
    assert_eq!(vhost.connections().await, 2);
    assert!(client.try_command("lvmecp", "ping", SOON).await.is_err());
    drop(ecp);
    let ecp = FakeEcp::start(&vhost.url()).await;
    assert_eq!(vhost.queue_length("lvmecp_commands").await, Some(0));
    ecp.freeze();
    for _ in 0..3 {
        assert!(
            client
                .publish(&client.outgoing("lvmecp", "heartbeat"))
                .await
        );
    }
    assert_eq!(vhost.queue_length("lvmecp_commands").await, Some(3));
    vhost.close_connection_of("lvmecp_commands").await;
    eventually(SOON, async || {
        vhost.queue_length("lvmecp_commands").await.is_none()
    })
    .await;
    assert!(client.try_command("lvmecp", "ping", SOON).await.is_err());
}

#[tokio::test]
async fn a_broker_is_killed_frozen_stopped_and_started_again() {
    let mut broker = Broker::stopped();
    let address = ("127.0.0.1", broker.port());
    assert!(TcpStream::connect(address).await.is_err());
    broker.run().await;
    let vhost = broker.vhost().await;
    let client = RawClient::connect(&vhost.url(), "client").await;

    broker.freeze();
    let message = client.outgoing("nobody", "ping");
    // A process that is being stopped may still take one message.
    eventually(SOON, async || {
        let frozen = client.exchange(&message, SHORT).await;
        frozen.is_err_and(|error| error.contains("not taken"))
    })
    .await;
    broker.thaw();
    eventually(SOON, async || {
        client
            .exchange(&message, SOON)
            .await
            .is_err_and(|why| why == "nobody is there")
    })
    .await;

    broker.kill();
    assert!(TcpStream::connect(address).await.is_err());
    broker.run().await;
    RawClient::connect(&vhost.url(), "client").await;

    broker.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn nothing_is_left_of_a_broker_whose_owner_is_killed() {
    let script = "echo $LVMBEAT_TEST_BROKER; exec sleep 1000";
    let mut owner = Launch::program("with-broker", ["/bin/sh", "-c", script]).start();
    let folder = owner
        .wait_for_line(Duration::from_secs(180), |_| true)
        .await;
    let folder = std::path::PathBuf::from(folder.text);
    let port = Access::in_folder(&folder).port();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // Only the owner itself, so that it has no chance to clean up.
    owner.signal(Signal::KILL);
    owner.exit(SOON).await;
    eventually(SOON, async || {
        TcpStream::connect(("127.0.0.1", port)).await.is_err()
    })
    .await;
    eventually(SOON, async || !folder.exists()).await;
}

#[tokio::test]
async fn the_actor_takes_the_configuration_of_tests() {
    let target = Target::start().await;
    let config = ActorConfig::new("amqp://guest:guest@127.0.0.1:1/x")
        .heartbeat("calibrations", false, 30.0, 5.0)
        .host("lco", &target.url())
        .set("outside_monitor.url", "http://127.0.0.1:1")
        .set("max_close_after", 60);
    let path = config.write().display().to_string();
    let checked = Launch::lvmbeat(["check", "-c", &path]).finish(SOON).await;
    assert_eq!(checked.code(), Some(0), "{}", checked.stderr);
    assert!(
        checked.stdout.contains("calibrations"),
        "{}",
        checked.stdout
    );
}
