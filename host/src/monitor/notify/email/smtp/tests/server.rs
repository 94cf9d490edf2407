//! A mail server of few lines, which answers what a test says.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::super::session::Stream;

/// What it does.
pub(super) enum Does {
    Says(Vec<u8>),
    /// Says it after so many seconds.
    Later(u64, Vec<u8>),
    /// Says it, and closes the connection.
    Closes(Vec<u8>),
    /// Says nothing any more.
    Nothing,
    /// Says that, without end.
    Floods(Vec<u8>),
}

impl From<&str> for Does {
    fn from(text: &str) -> Self {
        Self::Says(format!("{text}\r\n").into())
    }
}

/// What a usual server does: to the command, to `""` at first, and to `"."` after a message.
pub(super) fn usual(command: &str) -> Does {
    let command = command.to_ascii_uppercase();
    match command.split([' ', ':']).next().unwrap_or_default() {
        "" => "220 mail.example ready",
        "DATA" => "354 go on",
        "QUIT" => return Does::Closes(b"221 bye\r\n".to_vec()),
        _ => "250 2.0.0 ok",
    }
    .into()
}

/// What was said to it: each command, and `"."` for a whole message.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn count(&self, begin: &str) -> usize {
        let all = self.all();
        all.iter().filter(|said| said.starts_with(begin)).count()
    }

    fn note(&self, said: &str) {
        self.0.lock().unwrap().push(said.to_owned());
    }
}

/// Serves on the loopback.
pub(super) async fn start(does: impl Fn(&str) -> Does + Send + Sync + 'static) -> (u16, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, does) = (Heard::default(), Arc::new(does));
    let noted = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (does, noted) = (Arc::clone(&does), noted.clone());
            tokio::spawn(async move { serve(stream, &*does, &noted).await });
        }
    });
    (port, heard)
}

/// One conversation.
pub(super) async fn serve(
    stream: impl Stream,
    does: &(impl Fn(&str) -> Does + Sync),
    heard: &Heard,
) {
    let mut stream = BufReader::new(stream);
    let mut command = String::new();
    loop {
        let asks_for_data = match does(&command) {
            Does::Says(text) => {
                if stream.write_all(&text).await.is_err() {
                    return;
                }
                text.starts_with(b"354")
            }
            Does::Later(seconds, text) => {
                tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
                let _ = stream.write_all(&text).await;
                false
            }
            Does::Closes(text) => {
                let _ = stream.write_all(&text).await;
                let _ = stream.shutdown().await;
                return;
            }
            Does::Nothing => std::future::pending().await,
            Does::Floods(text) => loop {
                if stream.write_all(&text).await.is_err() {
                    return;
                }
            },
        };
        command = if asks_for_data {
            loop {
                match line(&mut stream).await.as_deref() {
                    Some(".") => break ".".to_owned(),
                    Some(_) => {}
                    None => return,
                }
            }
        } else {
            match line(&mut stream).await {
                Some(line) => line,
                None => return,
            }
        };
        heard.note(&command);
    }
}

async fn line(stream: &mut BufReader<impl Stream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}
