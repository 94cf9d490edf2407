//! The images: what is in them, and that they work as they declare themselves, where everything
//! outside is known by name only.
//!
//! They run as a container would, without a container runtime: in a chroot that is read-only, as
//! the image's unprivileged user, with a network of their own, and with the environment that the
//! image declares and an operator would add.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod container;
mod image;
mod outside;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

use lvmbeat_tests::authority::Authority;
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::mail::{MailOptions, MailServer, Tls};
use lvmbeat_tests::scratch::Scratch;
use lvmbeat_tests::{broker, eventually, http};

use container::{Cable, Container, user};
use image::Image;
use outside::{Names, forward};

const SOON: Duration = Duration::from_secs(30);
const NAMES: [&str; 3] = ["lvmbeat", "lvmbeat-monitor", "lvmbeat-sim"];
const ROOTS: &str = "etc/ssl/certs/ca-certificates.crt";

#[tokio::test]
async fn the_images_hold_the_binary_what_it_loads_and_roots_and_nothing_else() {
    for name in NAMES {
        let image = Image::unpack(name).await;
        for (label, value) in [
            ("title", name),
            ("version", env!("CARGO_PKG_VERSION")),
            ("licenses", "BSD-3-Clause"),
            ("source", "https://github.com/sdss/lvmbeat"),
        ] {
            let labels = image.declared("Labels");
            let label = format!("org.opencontainers.image.{label}");
            assert_eq!(labels[&label], value, "{labels}");
        }
        for label in ["description", "revision", "created"] {
            let label = &image.declared("Labels")[format!("org.opencontainers.image.{label}")];
            assert!(
                label.as_str().is_some_and(|text| text.len() > 10),
                "{label}"
            );
        }
        let (libraries, rest): (Vec<_>, Vec<_>) = image
            .files()
            .into_iter()
            .partition(|file| file.starts_with("lib"));
        let mut expected = vec![
            "data/",
            "etc/group",
            "etc/nsswitch.conf",
            "etc/passwd",
            ROOTS,
            "usr/bin/lvmbeat",
        ];
        if name == "lvmbeat-sim" {
            expected.push("usr/bin/sim");
        }
        assert_eq!(rest, expected);
        assert!((1..=6).contains(&libraries.len()), "{libraries:?}");
        let (user, group) = user(&image);
        assert!(user > 0 && group > 0);
        // Its user may change nothing but what is mounted, and nothing runs with other rights than
        // its own.
        for file in rest.iter().chain(&libraries) {
            let metadata = fs::metadata(image.root().join(file)).unwrap();
            let owner = if file == "data/" {
                (user, group)
            } else {
                (0, 0)
            };
            assert_eq!((metadata.uid(), metadata.gid()), owner, "{file}");
            let mode = metadata.permissions().mode() & 0o7777;
            assert!(
                mode & 0o7022 == 0 && mode & 0o444 == 0o444,
                "{file}: {mode:o}"
            );
        }
    }
}

#[tokio::test]
async fn two_builds_of_one_commit_give_the_same_images() {
    image::build_again_and_compare(&NAMES).await;
}

#[tokio::test]
async fn the_monitor_answers_on_port_80_and_sends_mail_to_a_server_given_by_name() {
    let image = Image::unpack("lvmbeat-monitor").await;
    assert_eq!(image.list("Cmd"), ["monitor"]);
    assert!(image.declared("ExposedPorts")["80/tcp"].is_object());
    // The only authority that it may trust is one that is in the image.
    let authority = Authority::of("mail.observatory.test");
    let mut roots = OpenOptions::new()
        .append(true)
        .open(image.root().join(ROOTS))
        .unwrap();
    roots
        .write_all(&fs::read(&authority.root).unwrap())
        .unwrap();
    let mut mail = MailServer::start(MailOptions {
        tls: Tls::StartTls(&authority),
        ..MailOptions::default()
    })
    .await;
    let cable = Cable::lay();
    let names = Names::serve(cable.here, ".observatory.test").await;
    let port = forward(cable.here, ("localhost".to_owned(), mail.port)).await;
    let data = Scratch::new();
    let variables = [
        ("LVMBEAT_EMAIL_HOST", "mail.observatory.test".to_owned()),
        ("LVMBEAT_EMAIL_PORT", port.to_string()),
        ("LVMBEAT_EMAIL_TLS", "1".to_owned()),
        (
            "LVMBEAT_EMAIL_FROM_ADDRESS",
            "lvmbeat@observatory.test".to_owned(),
        ),
        (
            "LVMBEAT_EMAIL_RECIPIENTS",
            "Ann <ann@observatory.test>".to_owned(),
        ),
        ("LVMBEAT_STATE_FILE", "/data/state.json".to_owned()),
    ];
    let container = Container::start(image, &cable, data.path(), &variables).await;
    let address = SocketAddr::from((cable.there, 80));
    eventually(SOON, async || {
        http::get(address, "/healthz")
            .await
            .map(|(status, _)| status == 200)
    })
    .await;
    let check = container.health_check().await;
    assert_eq!(check.code(), Some(0), "{check:?}");
    let (status, body) = http::get(address, "/heartbeat").await.unwrap();
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"message":"Heartbeat received."}"#)
    );
    let (status, body) = http::get(address, "/email-test").await.unwrap();
    assert_eq!(status, 200, "{body}");
    let message = mail.message().await;
    assert!(
        message.to_string().contains("ann@observatory.test"),
        "{message}"
    );
    assert!(names.were_asked_for("mail.observatory.test"));
    // The mounted folder is all that it can write.
    eventually(SOON, async || data.path().join("state.json").is_file()).await;
}

#[tokio::test]
async fn the_actor_reaches_a_broker_given_by_name() {
    let image = Image::unpack("lvmbeat").await;
    assert_eq!(image.list("Cmd"), ["actor"]);
    let vhost = broker::vhost().await;
    let cable = Cable::lay();
    let names = Names::serve(cable.here, ".observatory.test").await;
    let port = forward(cable.here, vhost.address()).await;
    let (user, rest) = vhost
        .url()
        .rsplit_once('@')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    let url = format!("{user}@broker.observatory.test:{port}/{path}");
    let data = Scratch::new();
    let variables = [("LVMBEAT_AMQP_URL", url)];
    let mut container = Container::start(image, &cable, data.path(), &variables).await;
    let client = RawClient::connect(&vhost.url(), "tester").await;
    eventually(SOON, async || {
        client
            .try_command("lvmbeat", "ping", Duration::from_secs(2))
            .await
    })
    .await;
    assert!(names.were_asked_for("broker.observatory.test"));
    let check = container.health_check().await;
    assert_eq!(check.code(), Some(0), "{check:?}");
    // The built-in configuration writes its logs where the image lets it.
    let logs = data.path().join("logs/lvmbeat");
    eventually(SOON, async || {
        fs::read_dir(&logs).is_ok_and(|mut files| files.next().is_some())
    })
    .await;
    // A container that is stopped ends in order.
    container.process.terminate();
    assert_eq!(container.process.exit(SOON).await.code(), Some(0));
}

#[tokio::test]
async fn a_health_check_fails_where_nobody_answers() {
    let image = Image::unpack("lvmbeat-monitor").await;
    let cable = Cable::lay();
    let data = Scratch::new();
    let variables = [("LVMBEAT_LISTEN", "0.0.0.0:81".to_owned())];
    let container = Container::start(image, &cable, data.path(), &variables).await;
    let address = SocketAddr::from((cable.there, 81));
    eventually(SOON, async || {
        http::get(address, "/healthz")
            .await
            .map(|(status, _)| status == 200)
    })
    .await;
    let check = container.health_check().await;
    assert_eq!(check.code(), Some(0), "{check:?}");
    container.process.freeze();
    let check = container.health_check().await;
    assert_eq!(check.code(), Some(1), "{check:?}");
    assert!(
        check.stderr.contains("does not answer within 5 s"),
        "{check:?}"
    );
}
