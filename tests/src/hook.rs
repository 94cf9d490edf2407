//! A webhook that answers as the test says, and keeps what was posted to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

use crate::eventually;
use crate::http;
use crate::port::Port;

/// What it does with a post.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Answers 200 at once.
    Take,
    /// Answers 200 after this time.
    TakeAfter(Duration),
    /// Answers with this status.
    Refuse(u16),
    /// Answers nothing until the test says otherwise.
    Hold,
}

/// A post that came in whole.
#[derive(Clone, Debug)]
pub struct Post {
    /// When.
    pub at: Instant,
    /// The notices in it, oldest first: number and kind.
    pub notices: Vec<(u64, String)>,
    /// Where it can be acknowledged, if it says so.
    pub link: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a post.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It waits for an answer.
    Held,
    /// Its sender went away before it was answered.
    Cut,
    /// It was answered otherwise than by 200.
    Refused,
    /// It was answered 200.
    Taken,
}

impl Post {
    /// The kinds of its notices: `down+up` for instance.
    pub fn kinds(&self) -> String {
        let kinds: Vec<&str> = self.notices.iter().map(|(_, kind)| kind.as_str()).collect();
        kinds.join("+")
    }
}

/// A webhook.
#[derive(Debug)]
pub struct Hook {
    port: Port,
    answer: watch::Sender<Answer>,
    posts: Arc<Mutex<Vec<Post>>>,
    serving: Option<JoinHandle<()>>,
}

impl Hook {
    /// One that takes everything.
    pub async fn start() -> Self {
        let mut hook = Self {
            port: Port::reserve(),
            answer: watch::Sender::new(Answer::Take),
            posts: Arc::default(),
            serving: None,
        };
        hook.come_back().await;
        hook
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.port.address())
    }

    /// What it does from now on, also with the posts that it holds.
    pub fn answer(&self, answer: Answer) {
        self.answer.send_replace(answer);
    }

    /// From now on connections are refused, and those that there are, are cut.
    pub async fn go_away(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// It can be reached again.
    pub async fn come_back(&mut self) {
        if self.serving.is_none() {
            let listener = bind(self.port.address()).await;
            let (answer, posts) = (self.answer.subscribe(), Arc::clone(&self.posts));
            self.serving = Some(tokio::spawn(serve(listener, answer, posts)));
        }
    }

    /// All that was posted.
    pub fn posts(&self) -> Vec<Post> {
        lock(&self.posts).clone()
    }

    /// The links by which what was posted can be acknowledged.
    pub fn links(&self) -> Vec<String> {
        let posts = self.posts().into_iter();
        posts.filter_map(|post| post.link).collect()
    }

    /// The kinds of what it took, by posts.
    pub fn notified(&self) -> Vec<String> {
        let posts = self.posts();
        let taken = posts.iter().filter(|post| post.outcome == Outcome::Taken);
        taken.map(Post::kinds).collect()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

async fn bind(address: SocketAddr) -> TcpListener {
    eventually(Duration::from_secs(10), async || {
        TcpListener::bind(address).await
    })
    .await
}

async fn serve(
    listener: TcpListener,
    answer: watch::Receiver<Answer>,
    posts: Arc<Mutex<Vec<Post>>>,
) {
    // Cut with this task.
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(exchange(stream, answer.clone(), Arc::clone(&posts)));
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One post, if it comes in whole.
async fn exchange(
    stream: TcpStream,
    mut answer: watch::Receiver<Answer>,
    posts: Arc<Mutex<Vec<Post>>>,
) {
    let mut stream = BufReader::new(stream);
    let Some(request) = http::request(&mut stream).await else {
        return;
    };
    let index = {
        let mut posts = lock(&posts);
        posts.push(Post {
            at: Instant::now(),
            notices: notices(&request.body),
            link: link(&request.body),
            outcome: Outcome::Held,
        });
        posts.len() - 1
    };
    let mut nothing = [0];
    let status = tokio::select! {
        status = decide(&mut answer) => Some(status),
        _ = stream.read(&mut nothing) => None,
    };
    lock(&posts)[index].outcome = match status {
        None => Outcome::Cut,
        Some(200) => Outcome::Taken,
        Some(_) => Outcome::Refused,
    };
    let Some(status) = status else {
        return;
    };
    let answer = format!("HTTP/1.1 {status} As ordered\r\nContent-Length: 0\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// Waits for something to answer.
async fn decide(answer: &mut watch::Receiver<Answer>) -> u16 {
    loop {
        let now = *answer.borrow_and_update();
        match now {
            Answer::Take => return 200,
            Answer::TakeAfter(time) => {
                sleep(time).await;
                return 200;
            }
            Answer::Refuse(status) => return status,
            Answer::Hold => {
                if answer.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

fn link(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).expect("a post is JSON");
    body["acknowledge"].as_str().map(str::to_owned)
}

fn notices(body: &[u8]) -> Vec<(u64, String)> {
    let body: Value = serde_json::from_slice(body).expect("a post is JSON");
    let notices = body["notices"].as_array().expect("a post has notices");
    notices
        .iter()
        .map(|notice| {
            let id = notice["id"].as_u64().expect("a notice has a number");
            let kind = notice["event"]["kind"].as_str();
            (id, kind.expect("a notice has a kind").to_owned())
        })
        .collect()
}

fn lock(posts: &Mutex<Vec<Post>>) -> std::sync::MutexGuard<'_, Vec<Post>> {
    posts.lock().unwrap_or_else(PoisonError::into_inner)
}
