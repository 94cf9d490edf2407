use std::future::pending;

use tokio::net::TcpListener;
use tokio::time::sleep;

use super::dead::DeadPort;
use super::*;

const LIMIT: Duration = Duration::from_secs(2);

fn addresses(count: u16) -> Vec<SocketAddr> {
    let address = |index| SocketAddr::from(([127, 0, 0, 1], 1000 + index));
    (0..count).map(address).collect()
}

#[tokio::test]
async fn l1_dead_addresses_before_a_live_one_cost_a_moment() {
    let dead = DeadPort::new().await.unwrap();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let live = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let live = live.local_addr().map(|address| (live, address)).unwrap();
    let tried = [dead.address, closed, dead.address, live.1];
    let stream = connect(&tried, LIMIT).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), live.1);

    let error = connect(&[dead.address, closed], LIMIT).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&format!("{}: no answer in time", dead.address)),
        "{text}"
    );
    assert!(
        text.contains(&format!("{closed}: Connection refused")),
        "{text}"
    );
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn the_next_one_has_its_turn_after_a_moment_or_a_failure_and_the_first_answer_wins() {
    let started = Instant::now();
    let at = addresses(4);
    let attempt = |address: SocketAddr| async move {
        match address.port() {
            1000 => pending().await,
            1001 => return Err("refused"),
            1002 => sleep(MOMENT * 3).await,
            _ => sleep(MOMENT).await,
        }
        Ok(address.port())
    };
    // The second one's turn comes after a moment, the third's at once, the fourth's after another.
    assert_eq!(race(&at, LIMIT, attempt).await, Ok(1003));
    assert_eq!(started.elapsed(), MOMENT * 3);
}

#[tokio::test(start_paused = true)]
async fn every_address_has_its_turn_within_the_limit() {
    for count in [1, 2, 5, 16] {
        let at = addresses(count);
        let started = Instant::now();
        let last = 1000 + count - 1;
        let attempt = |address: SocketAddr| async move {
            if address.port() < last {
                pending::<()>().await;
            }
            // As far as a host may be whose turn comes last.
            sleep(Duration::from_millis(980)).await;
            Ok::<_, String>(address.port())
        };
        assert_eq!(race(&at, LIMIT, attempt).await, Ok(last), "{count}");
        assert!(started.elapsed() < LIMIT);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_was_tried_is_named_with_what_became_of_it() {
    let at = addresses(3);
    let attempt = |address: SocketAddr| async move {
        if address.port() == 1001 {
            pending::<()>().await;
        }
        Err::<(), _>("refused")
    };
    let started = Instant::now();
    let tried = race(&at, LIMIT, attempt).await.unwrap_err();
    assert_eq!(
        Tried(&tried).to_string(),
        "127.0.0.1:1000: refused, 127.0.0.1:1001: no answer in time, 127.0.0.1:1002: refused"
    );
    assert_eq!(started.elapsed(), LIMIT);
    let failed = race(&at[..1], LIMIT, attempt).await.unwrap_err();
    assert_eq!(failed.len(), 1);
    // Nobody is waited for when all have failed.
    assert_eq!(started.elapsed(), LIMIT);
}

#[test]
fn families_take_turns_and_the_number_is_bounded() {
    let all = |texts: &[&str]| -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    };
    let found = all(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
    let expected = all(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
    assert_eq!(by_turns(found.into_iter()), expected);
    assert_eq!(by_turns(addresses(500).into_iter()), addresses(16));
    assert_eq!(by_turns(addresses(0).into_iter()), []);
}

#[tokio::test]
async fn an_address_is_no_name_and_a_name_without_one_says_so() {
    for (host, address) in [
        ("127.0.0.1", "127.0.0.1:7"),
        ("::1", "[::1]:7"),
        ("[::1]", "[::1]:7"),
    ] {
        let found = lookup(host, 7, LIMIT).await.unwrap();
        assert_eq!(found, [address.parse().unwrap()]);
    }
    let error = lookup("no-such-host.invalid", 7, LIMIT).await.unwrap_err();
    assert!(
        error.to_string().starts_with("no-such-host.invalid "),
        "{error}"
    );
}
