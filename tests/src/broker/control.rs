//! Commands to a node, in its own language.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For the node to answer.
const LIMIT: Duration = Duration::from_secs(30);

/// The socket on which a node evaluates Erlang expressions (`control.erl`).
#[derive(Clone, Debug)]
pub struct Control {
    socket: PathBuf,
}

impl Control {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            socket: folder.join("control"),
        }
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Evaluates expressions, and gives the value of the last one as Erlang writes it. The final
    /// dot is added.
    ///
    /// # Panics
    /// If the node does not answer, or with an error.
    pub async fn eval(&self, expressions: &str) -> String {
        let answer = self.try_eval(expressions).await;
        answer.unwrap_or_else(|cause| panic!("{expressions}: {cause}"))
    }

    pub(super) async fn try_eval(&self, expressions: &str) -> Result<String, String> {
        let (control, text) = (self.clone(), expressions.to_owned());
        tokio::task::spawn_blocking(move || control.eval_now(&text))
            .await
            .map_err(|cause| cause.to_string())?
    }

    /// The same where nothing can be awaited.
    pub(super) fn eval_now(&self, expressions: &str) -> Result<String, String> {
        let answer = self.exchange(&format!("{expressions}."));
        let answer = answer.map_err(|cause| format!("the node does not answer: {cause}"))?;
        let text = String::from_utf8_lossy(&answer);
        match text.split_once(' ') {
            Some(("ok", value)) => Ok(value.to_owned()),
            _ => Err(text.into_owned()),
        }
    }

    fn exchange(&self, text: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let length = u32::try_from(text.len()).map_err(std::io::Error::other)?;
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(text.as_bytes())?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or(0)];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

/// A name as an Erlang binary.
pub(super) fn binary(name: &str) -> String {
    assert!(
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
        "the name {name} would need quoting"
    );
    format!("<<\"{name}\">>")
}
