//! RabbitMQ for the tests.
//!
//! Three sources, so that each test gets the cheapest broker that it can do with:
//!
//! * only talks AMQP: [`vhost`], the broker at `LVMBEAT_TEST_AMQP_URL` if that is set, else the
//!   shared node
//! * looks into the broker, closes a connection there, deletes a queue: [`inspectable_vhost`], the
//!   shared node
//! * stops, kills, freezes or restarts the broker: [`Broker::start`], then [`Access::vhost`], a
//!   node of its own
//!
//! The shared node is the one in the folder that `LVMBEAT_TEST_BROKER` names, which `with-broker`
//! starts once for a whole run; otherwise each test process starts one when it first needs it.
//!
//! On a broker at `LVMBEAT_TEST_AMQP_URL` no virtual host can be made: AMQP has no means for it.
//! There the tests take turns on the one that the URL names, across all test processes of the
//! machine; it should be empty.

mod control;
mod node;

use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::time::Duration;

use tokio::sync::OnceCell;
use uuid::Uuid;

pub use control::Control;
pub use node::Broker;

use crate::client::EXCHANGE;
use crate::eventually;
use control::binary;

/// The turns of all other tests before ours.
const TURN_LIMIT: Duration = Duration::from_secs(1800);

static SHARED: OnceCell<Broker> = OnceCell::const_new();

/// A virtual host for a test that only talks AMQP.
pub async fn vhost() -> Vhost {
    match std::env::var("LVMBEAT_TEST_AMQP_URL") {
        Ok(url) if !url.is_empty() => Vhost::in_turn(&url).await,
        _ => inspectable_vhost().await,
    }
}

/// A virtual host on a node that the harness can look into. Others use the node too.
pub async fn inspectable_vhost() -> Vhost {
    match std::env::var_os("LVMBEAT_TEST_BROKER") {
        Some(folder) if !folder.is_empty() => Access::in_folder(Path::new(&folder)).vhost().await,
        _ => SHARED.get_or_init(Broker::start).await.vhost().await,
    }
}

/// How to reach a node.
#[derive(Clone, Debug)]
pub struct Access {
    port: u16,
    control: Control,
}

impl Access {
    /// The node whose [`Broker::folder`] this is.
    ///
    /// # Panics
    /// If there is none.
    pub fn in_folder(folder: &Path) -> Self {
        let port = fs::read_to_string(folder.join("port"))
            .ok()
            .and_then(|port| port.parse().ok());
        Self {
            port: port
                .unwrap_or_else(|| panic!("LVMBEAT_TEST_BROKER: no node in {}", folder.display())),
            control: Control::new(folder),
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of its default virtual host; it works before the node has been started for the first
    /// time.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// For commands in Erlang.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Makes a virtual host, named after the test.
    pub async fn vhost(&self) -> Vhost {
        let name = new_name();
        let vhost = binary(&name);
        self.control
            .eval(&format!(
                "ok = rabbit_vhost:add({vhost}, <<\"tests\">>), \
                 ok = rabbit_auth_backend_internal:set_permissions(\
                     <<\"guest\">>, {vhost}, <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"tests\">>), \
                 mnesia:sync_log()"
            ))
            .await;
        Vhost {
            credentials: "guest:guest".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: self.port,
            path: name.clone(),
            node: Some((self.control.clone(), name)),
            _turn: None,
        }
    }
}

/// A virtual host: a broker as if it were the test's own. It is deleted, and all connections to it
/// are closed, when this is dropped.
#[derive(Debug)]
pub struct Vhost {
    credentials: String,
    host: String,
    port: u16,
    path: String,
    /// The node to command and the name, if it is the harness's.
    node: Option<(Control, String)>,
    _turn: Option<UnixListener>,
}

impl Vhost {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.path
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url_at(&self.host, self.port)
    }

    /// Its URL through a proxy on that port.
    pub fn url_via(&self, port: u16) -> String {
        self.url_at("127.0.0.1", port)
    }

    /// Its URL by another name.
    pub fn url_by(&self, host: &str, port: u16) -> String {
        self.url_at(host, port)
    }

    /// Where the broker listens, for a proxy.
    pub fn address(&self) -> (String, u16) {
        (self.host.clone(), self.port)
    }

    fn url_at(&self, host: &str, port: u16) -> String {
        let Self {
            credentials, path, ..
        } = self;
        format!("amqp://{credentials}@{host}:{port}/{path}")
    }

    async fn in_turn(url: &str) -> Self {
        let lock = SocketAddr::from_abstract_name("lvmbeat-test-amqp-url").expect("a short name");
        let turn = eventually(TURN_LIMIT, async || UnixListener::bind_addr(&lock)).await;
        let expected = "LVMBEAT_TEST_AMQP_URL has to be amqp://[USER:PASSWORD@]HOST[:PORT][/VHOST]";
        let rest = url.strip_prefix("amqp://").expect(expected);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, "%2f"));
        let (credentials, place) = authority
            .rsplit_once('@')
            .unwrap_or(("guest:guest", authority));
        let (host, port) = place.rsplit_once(':').unwrap_or((place, "5672"));
        Self {
            credentials: credentials.to_owned(),
            host: host.to_owned(),
            port: port.parse().expect(expected),
            path: path.to_owned(),
            node: None,
            _turn: Some(turn),
        }
    }

    fn node(&self) -> (&Control, String) {
        let (control, name) = self
            .node
            .as_ref()
            .expect("only an inspectable_vhost can be commanded");
        (control, binary(name))
    }

    /// Adds a user who may do everything here, with any signs in name and password.
    pub async fn add_user(&self, user: &str, password: &str) {
        let (control, vhost) = self.node();
        let any = |text: &str| {
            format!(
                "<<{}>>",
                text.as_bytes()
                    .iter()
                    .map(u8::to_string)
                    .collect::<Vec<_>>()
                    .join(",")
            )
        };
        let user = any(user);
        control
            .eval(&format!(
                "_ = (catch rabbit_auth_backend_internal:delete_user({user}, <<\"tests\">>)), \
                 ok = rabbit_auth_backend_internal:add_user({user}, {password}, <<\"tests\">>), \
                 ok = rabbit_auth_backend_internal:set_permissions(\
                     {user}, {vhost}, <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"tests\">>), \
                 mnesia:sync_log()",
                password = any(password)
            ))
            .await;
    }

    /// The names of its queues, in order.
    pub async fn queues(&self) -> Vec<String> {
        let (control, vhost) = self.node();
        let names = control
            .eval(&format!(
                "string:join(lists:sort([binary_to_list(element(4, amqqueue:get_name(Q))) \
                 || Q <- rabbit_amqqueue:list({vhost})]), \" \")"
            ))
            .await;
        names
            .trim_matches(['"', '[', ']'])
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    /// How many connections there are.
    pub async fn connections(&self) -> usize {
        let (control, vhost) = self.node();
        let count = control
            .eval(&format!(
                "length([C || C <- rabbit_networking:connection_info_all([vhost]), \
                 C =:= [{{vhost, {vhost}}}]])"
            ))
            .await;
        count.parse().expect("a number")
    }

    /// How many messages wait in a queue, delivered and not acknowledged ones included. `None` if
    /// there is no such queue.
    pub async fn queue_length(&self, queue: &str) -> Option<usize> {
        let (control, vhost) = self.node();
        let length = control
            .eval(&format!(
                "case rabbit_amqqueue:lookup(rabbit_misc:r({vhost}, queue, {queue})) of \
                 {{ok, Q}} -> [{{messages, N}}] = rabbit_amqqueue:info(Q, [messages]), N; \
                 {{error, not_found}} -> none end",
                queue = binary(queue)
            ))
            .await;
        length.parse().ok()
    }

    /// How many messages, and bytes, may wait in a queue. `None` if there is no such limit or
    /// queue.
    pub async fn queue_limits(&self, queue: &str) -> [Option<u64>; 2] {
        let (control, vhost) = self.node();
        let limits = ["x-max-length", "x-max-length-bytes"].map(async |limit| {
            let limit = control
                .eval(&format!(
                    "case rabbit_amqqueue:lookup(rabbit_misc:r({vhost}, queue, {queue})) of \
                     {{ok, Q}} -> case rabbit_misc:table_lookup(amqqueue:get_arguments(Q), {limit}) of \
                     {{_, N}} -> N; undefined -> none end; \
                     {{error, not_found}} -> none end",
                    queue = binary(queue),
                    limit = binary(limit)
                ))
                .await;
            limit.parse().ok()
        });
        let [messages, bytes] = limits;
        [messages.await, bytes.await]
    }

    /// Closes the connection that owns an exclusive queue, as an operator would: its client
    /// is informed.
    ///
    /// # Panics
    /// If there is none.
    pub async fn close_connection_of(&self, queue: &str) {
        let (control, vhost) = self.node();
        control
            .eval(&format!(
                "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r({vhost}, queue, {queue})), \
                 [{{owner_pid, Owner}}] = rabbit_amqqueue:info(Q, [owner_pid]), \
                 true = is_pid(Owner), \
                 ok = rabbit_networking:close_connection(Owner, \"closed by a test\")",
                queue = binary(queue)
            ))
            .await;
    }

    /// Its URL for a user that [`add_bare_user`](Self::add_bare_user) has made.
    pub fn url_as(&self, user: &str) -> String {
        let Self {
            host, port, path, ..
        } = self;
        let user = self.user(user);
        format!("amqp://{user}:{user}@{host}:{port}/{path}")
    }

    /// Users are the broker's, so each virtual host has its own.
    fn user(&self, user: &str) -> String {
        match user {
            "guest" => user.to_owned(),
            user => format!("{}-{user}", self.path),
        }
    }

    /// Makes a user that may do nothing yet. It goes with the virtual host.
    pub async fn add_bare_user(&self, user: &str) {
        let (control, _) = self.node();
        let user = binary(&self.user(user));
        control
            .eval(&format!(
                "rabbit_auth_backend_internal:add_user({user}, {user}, <<\"tests\">>)"
            ))
            .await;
    }

    /// `rabbitmqctl set_permissions`: what it may configure, write and read.
    pub async fn permit(&self, user: &str, patterns: [&str; 3]) {
        let (control, vhost) = self.node();
        let user = binary(&self.user(user));
        let [configure, write, read] = patterns.map(pattern);
        control
            .eval(&format!(
                "ok = rabbit_auth_backend_internal:set_permissions(\
                 {user}, {vhost}, {configure}, {write}, {read}, <<\"tests\">>)"
            ))
            .await;
    }

    /// `rabbitmqctl set_topic_permissions`: which routing keys it may write and read.
    pub async fn permit_topics(&self, user: &str, exchange: &str, patterns: [&str; 2]) {
        let (control, vhost) = self.node();
        let (user, exchange) = (binary(&self.user(user)), binary(exchange));
        let [write, read] = patterns.map(pattern);
        control
            .eval(&format!(
                "ok = rabbit_auth_backend_internal:set_topic_permissions(\
                 {user}, {vhost}, {exchange}, {write}, {read}, <<\"tests\">>)"
            ))
            .await;
    }

    /// `rabbitmqctl set_policy` for everything: the definition in Erlang, without the brackets.
    pub async fn set_policy(&self, definition: &str) {
        let (control, vhost) = self.node();
        control
            .eval(&format!(
                "ok = rabbit_policy:set({vhost}, <<\"tests\">>, <<\".*\">>, [{definition}], 0, \
                 <<\"all\">>, <<\"tests\">>)"
            ))
            .await;
    }

    /// `rabbitmqctl clear_permissions`.
    pub async fn forbid(&self, user: &str) {
        let (control, vhost) = self.node();
        let user = binary(&self.user(user));
        control
            .eval(&format!(
                "ok = rabbit_auth_backend_internal:clear_permissions({user}, {vhost}, <<\"tests\">>)"
            ))
            .await;
    }

    /// Removes a binding of a queue to CLU's exchange, as anybody with the right to can.
    ///
    /// # Panics
    /// If there is none.
    pub async fn unbind(&self, queue: &str, key: &str) {
        let (control, vhost) = self.node();
        control
            .eval(&format!(
                "ok = rabbit_binding:remove({{binding, rabbit_misc:r({vhost}, exchange, {exchange}), \
                 <<\"{key}\">>, rabbit_misc:r({vhost}, queue, {queue}), []}}, <<\"tests\">>)",
                exchange = binary(EXCHANGE),
                queue = binary(queue),
            ))
            .await;
    }

    /// Deletes a queue, even an exclusive one: its consumers are cancelled, its connection stays.
    ///
    /// # Panics
    /// If there is none.
    pub async fn delete_queue(&self, queue: &str) {
        let (control, vhost) = self.node();
        control
            .eval(&format!(
                "{{ok, _}} = rabbit_amqqueue:with(rabbit_misc:r({vhost}, queue, {queue}), \
                 fun(Q) -> rabbit_amqqueue:delete(Q, false, false, <<\"tests\">>) end)",
                queue = binary(queue)
            ))
            .await;
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        if let Some((control, name)) = &self.node {
            // The node may be dead by now, which is as good.
            let _ = control.eval_now(&format!(
                "rabbit_vhost:delete({}, <<\"tests\">>)",
                binary(name)
            ));
        }
    }
}

/// A regular expression as an Erlang binary.
fn pattern(pattern: &str) -> String {
    format!("<<\"{}\">>", pattern.replace('\\', "\\\\"))
}

/// After the test, whose thread carries its name.
fn new_name() -> String {
    let thread = std::thread::current();
    let test: String = thread
        .name()
        .unwrap_or("test")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(60)
        .collect();
    let id = Uuid::new_v4().simple().to_string();
    format!("{test}-{}", &id[..8])
}
