//! The whole monitor, as an operator starts it, and a mail server that fails: people are notified
//! by the other channel meanwhile, beats are answered, what is wrong is said, and once the server
//! is well both the alert and the all-clear arrive (M2).

use lvmbeat_tests::authority::Authority;
use lvmbeat_tests::hook::Hook;
use lvmbeat_tests::mail::{MailOptions, MailServer, Tls};
use lvmbeat_tests::monitor::Monitor;
use lvmbeat_tests::proxy::Proxy;
use lvmbeat_tests::{eventually, http};

use super::*;

/// Anything happens within this time, on the slowest machine.
const SOON: Duration = Duration::from_secs(30);
/// A try to send may take this long, in seconds: much longer than the rest of each test, unless the
/// server is silent.
const PATIENT: f64 = 300.0;
/// What nobody may see: the address as a whole, and how one logs in, also in Base64 (X1).
const SECRETS: [&str; 5] = [PASSWORD, "hunter2", "aHVudGVy", USER, JANE];

/// A monitor that notifies by e-mail and by a webhook.
struct Scene {
    monitor: Monitor,
    hook: Hook,
    server: MailServer,
    /// Before the server.
    proxy: Proxy,
    /// Trusted by the monitor.
    _authority: Authority,
}

impl Scene {
    async fn start(tls: fn(&Authority) -> Tls<'_>, limit: f64) -> Self {
        Self::with(Authority::new(), tls, limit).await
    }

    async fn with(authority: Authority, tls: fn(&Authority) -> Tls<'_>, limit: f64) -> Self {
        let server = MailServer::start(MailOptions {
            tls: tls(&authority),
            login: Some((USER, PASSWORD)),
            ..MailOptions::default()
        })
        .await;
        let word = match tls(&authority) {
            Tls::None => "0",
            Tls::StartTls(_) => "1",
            Tls::Implicit(_) => "implicit",
        };
        let proxy = Proxy::start(("127.0.0.1", server.port)).await;
        let hook = Hook::start().await;
        let monitor = Monitor::new(&[&hook])
            .set("monitor.delivery_timeout", limit)
            .env("LVMBEAT_DEBUG", "1")
            .env("LVMBEAT_EMAIL_RECIPIENTS", format!("Jane Doe <{JANE}>"))
            .env("LVMBEAT_EMAIL_FROM_ADDRESS", "lvmbeat <lvmbeat@sdss.org>")
            .env("LVMBEAT_EMAIL_HOST", "localhost")
            .env("LVMBEAT_EMAIL_PORT", proxy.port().to_string())
            .env("LVMBEAT_EMAIL_TLS", word)
            .env("LVMBEAT_EMAIL_USERNAME", USER)
            .env("LVMBEAT_EMAIL_PASSWORD", PASSWORD)
            .env("SSL_CERT_FILE", &authority.root);
        Self {
            monitor,
            hook,
            server,
            proxy,
            _authority: authority,
        }
    }

    /// The webhook has taken exactly that; whatever is done meanwhile goes on until then.
    async fn notified(&self, expected: &[&str], meanwhile: impl AsyncFn()) {
        eventually(SOON, async || {
            meanwhile().await;
            let notified = self.hook.notified();
            if notified == expected {
                Ok(())
            } else {
                Err(notified)
            }
        })
        .await;
    }

    /// What is known of the e-mail.
    async fn email(&self) -> Value {
        self.monitor.status().await["channels"][0].clone()
    }

    /// The e-mail fails, and it is said everywhere why: `/status`, the page, the log, the metrics.
    /// Nowhere is a secret.
    async fn says(&mut self, sentence: &str) {
        let here = format!("the mail server localhost:{}", self.proxy.port());
        let sentence = sentence.replace("HERE", &here);
        let known = eventually(SOON, async || {
            let email = self.email().await;
            let why = email["last_error"].as_str().unwrap_or_default();
            if why.starts_with(&sentence) {
                Ok(email)
            } else {
                Err(format!("not {sentence}: {email}"))
            }
        })
        .await;
        assert!(known["failures"].as_u64() >= Some(1), "{known}");
        assert_eq!(known["last_delivered"], Value::Null, "{known}");
        let log = self.monitor.process();
        log.wait_for_line(SOON, |line| {
            line.contains(&sentence) && line.contains("WARN")
        })
        .await;
        let (page, metrics) = (self.text("/").await, self.text("/metrics").await);
        let shown = sentence.replace('<', "&lt;").replace('>', "&gt;");
        assert!(page.contains(&shown), "{page}");
        let fails = |line: &str| {
            line.starts_with("lvmbeat_monitor_channel_failures_in_row")
                && line.contains("j…@lco.cl")
                && !line.ends_with(" 0")
        };
        assert!(metrics.lines().any(fails), "{metrics}");
        for text in [&page, &metrics, &self.text("/status").await] {
            for secret in SECRETS {
                assert!(!text.contains(secret), "X1: {secret} is in {text}");
            }
        }
    }

    async fn text(&self, path: &str) -> String {
        let (status, text) = http::get(self.monitor.address(), path).await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// A mail that arrives, right to the parser and over TLS. The observatory beats meanwhile, if
    /// it is `heard`.
    async fn mail(&mut self, is_heard: bool) -> Value {
        let monitor = &self.monitor;
        let mail = self.server.message();
        let beats = async {
            loop {
                if is_heard {
                    monitor.beat().await;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let mail = tokio::select! {
            mail = mail => mail,
            () = beats => unreachable!("it never ends"),
        };
        assert_eq!(mail["defects"], json!([]), "{mail}");
        assert_eq!(mail["tls"], true, "{mail}");
        assert_eq!(mail["rcpt_to"], json!([JANE]), "{mail}");
        mail
    }

    /// The alert arrives.
    async fn alert(&mut self) -> Value {
        let alert = self.mail(false).await;
        assert_eq!(alert["subject"], "LCO internet is down");
        assert_eq!(alert["in-reply-to"], Value::Null);
        alert
    }

    /// The all-clear arrives, as a reply to the alert, and then nothing more is due.
    async fn all_clear(&mut self, alert: &Value) {
        let all_clear = self.mail(true).await;
        assert_eq!(all_clear["subject"], "RESOLVED: LCO internet is up");
        for header in ["in-reply-to", "references"] {
            assert_eq!(all_clear[header], alert["message-id"], "{all_clear}");
        }
        eventually(SOON, async || {
            self.monitor.beat().await;
            let status = self.monitor.status().await;
            let email = &status["channels"][0];
            let is_well = status["outbox"] == 0
                && email["failures"] == 0
                && email["last_error"].is_null()
                && email["last_delivered"].is_string();
            is_well.then_some(()).ok_or(status)
        })
        .await;
        assert_eq!(self.server.count("message"), 2, "M4: each arrives once");
        assert_eq!(self.hook.notified(), ["down", "up"]);
        self.monitor.process().tells_none_of(&SECRETS);
    }
}

/// An outage begins and ends while the server fails like that, which is said in that sentence; its
/// begin is `HERE`, if the server is named there. After each the server is made well.
async fn is_survived(
    mut scene: Scene,
    ill: impl AsyncFn(&mut Scene),
    well: impl AsyncFn(&mut Scene),
    sentence: &str,
) {
    ill(&mut scene).await;
    scene.monitor.start().await;
    scene.notified(&["down"], async || ()).await;
    scene.says(sentence).await;
    well(&mut scene).await;
    let alert = scene.alert().await;
    eventually(SOON, async || scene.email().await["failures"] == 0).await;

    ill(&mut scene).await;
    let beats = async || scene.monitor.beat().await;
    scene.notified(&["down", "up"], beats).await;
    eventually(SOON, async || {
        scene.monitor.beat().await;
        scene.email().await["failures"].as_u64() >= Some(1)
    })
    .await;
    well(&mut scene).await;
    scene.all_clear(&alert).await;
}

/// The same for a fault of the server.
async fn fault_is_survived(fault: &str, sentence: &str) {
    let ill = async |scene: &mut Scene| scene.server.fault(fault).await;
    is_survived(starttls(PATIENT).await, ill, is_well, sentence).await;
}

async fn starttls(limit: f64) -> Scene {
    Scene::start(|authority| Tls::StartTls(authority), limit).await
}

async fn is_well(scene: &mut Scene) {
    scene.server.fault("none").await;
}

async fn arrives(mut scene: Scene) {
    scene.monitor.start().await;
    let alert = scene.alert().await;
    scene.notified(&["down"], async || ()).await;
    scene.monitor.beat().await;
    scene.all_clear(&alert).await;
    assert_eq!(scene.server.count("login"), 2);
}

#[tokio::test]
async fn m2_alert_and_all_clear_arrive_by_starttls_with_a_login() {
    arrives(starttls(PATIENT).await).await;
}

#[tokio::test]
async fn m2_alert_and_all_clear_arrive_by_implicit_tls_with_a_login() {
    arrives(Scene::start(|authority| Tls::Implicit(authority), PATIENT).await).await;
}

#[tokio::test]
async fn m2_a_wrong_password_is_survived() {
    let sentence = "HERE refuses the login: 535 5.7.8 Authentication credentials invalid";
    fault_is_survived("password another", sentence).await;
}

#[tokio::test]
async fn m2_an_unknown_authority_is_survived() {
    let unknown = Authority::new();
    let (certificate, key) = (unknown.certificate.display(), unknown.key.display());
    fault_is_survived(
        &format!("certificate {certificate} {key}"),
        "HERE cannot be trusted: invalid peer certificate: UnknownIssuer; SSL_CERT_FILE can name your own authorities",
    )
    .await;
}

#[tokio::test]
async fn m2_a_refused_recipient_is_survived() {
    let sentence = "HERE refuses the e-mail: 550 5.1.1 <j…@lco.cl>: user unknown";
    fault_is_survived(&format!("refuse {JANE}"), sentence).await;
}

#[tokio::test]
async fn m2_a_server_that_refuses_for_now_is_survived() {
    let sentence = "HERE refuses the e-mail: 451 4.3.0 The disk is full, try again later";
    fault_is_survived("later", sentence).await;
}

#[tokio::test]
async fn m2_a_server_that_refuses_for_good_is_survived() {
    let sentence = "HERE refuses the e-mail: 554 5.7.1 Message refused by policy";
    fault_is_survived("never", sentence).await;
}

#[tokio::test]
async fn m2_a_server_that_disconnects_in_data_is_survived() {
    // The end of the stream, or its reset, whichever is seen first.
    let sentence = "the connection to HERE broke before it accepted the e-mail: ";
    fault_is_survived("disconnect", sentence).await;
}

/// Megabytes that the monitor may take, whatever a server sends.
const MEMORY: u64 = 200;

#[tokio::test]
async fn x2_a_line_without_end_ends_neither_the_monitor_nor_its_memory() {
    let mut scene = starttls(PATIENT).await;
    scene.server.fault("floods").await;
    scene.monitor.start().await;
    scene.notified(&["down"], async || ()).await;
    scene
        .says("HERE cannot be reached: its answer does not end")
        .await;
    let memory = scene.monitor.process().memory() / (1 << 20);
    assert!(memory < MEMORY, "{memory} MB");
    is_well(&mut scene).await;
    let alert = scene.alert().await;
    scene.all_clear(&alert).await;
}

#[tokio::test]
async fn m2_a_certificate_that_is_its_own_authority_is_trusted_where_it_is_named() {
    // As `openssl req -x509` makes it.
    let scene = Scene::with(
        Authority::of_itself("localhost"),
        |authority| Tls::StartTls(authority),
        PATIENT,
    );
    arrives(scene.await).await;
}

#[tokio::test]
async fn m2_a_refused_connection_is_survived() {
    let ill = async |scene: &mut Scene| scene.proxy.refuse().await;
    let well = async |scene: &mut Scene| scene.proxy.accept_again().await;
    let sentence = "HERE cannot be reached: ";
    is_survived(starttls(PATIENT).await, ill, well, sentence).await;
}

#[tokio::test]
async fn m2_a_server_that_says_nothing_holds_up_neither_the_webhook_nor_a_beat() {
    let mut scene = starttls(PATIENT).await;
    scene.server.fault("silent").await;
    scene.monitor.start().await;
    scene.notified(&["down"], async || ()).await;
    // Each is answered while the one and only try is under way.
    let beats = async || {
        scene.monitor.beat().await;
        let email = scene.email().await;
        assert_eq!(email["delivering"], true, "{email}");
        assert_eq!(email["failures"], 0, "{email}");
    };
    scene.notified(&["down", "up"], beats).await;
    assert_eq!(scene.proxy.connections(), 1, "one at a time");
}

#[tokio::test]
async fn m2_a_server_that_says_nothing_is_survived() {
    let ill = async |scene: &mut Scene| scene.server.fault("silent").await;
    let sentence = "HERE did not answer while connecting within 3.6 s";
    is_survived(starttls(4.0).await, ill, is_well, sentence).await;
}

#[tokio::test]
async fn m4_a_kill_during_the_farewell_does_not_double_the_mail() {
    // The farewell would be waited for much longer than this test takes.
    let mut scene = starttls(20.0 * PATIENT).await;
    scene.server.fault("no_farewell").await;
    scene.monitor.start().await;
    let alert = scene.alert().await;
    scene.notified(&["down"], async || ()).await;
    eventually(SOON, async || {
        let pending = scene.monitor.saved()["outbox"]["pending"].take();
        let is_empty = |pending: &Value| pending.as_array().is_some_and(Vec::is_empty);
        let mut queues = pending
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, queue)| queue);
        let is_told = !pending.is_null() && queues.all(is_empty);
        is_told.then_some(()).ok_or(pending)
    })
    .await;
    scene.monitor.restart().await;
    scene.monitor.is("down").await;
    // The next mail is the all-clear, and the second one of all.
    scene.all_clear(&alert).await;
}
