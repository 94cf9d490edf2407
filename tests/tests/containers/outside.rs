//! What a container finds outside: names, and servers that have them.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

const TYPE_A: [u8; 2] = [0, 1];

/// A DNS server that knows the address of every name in one domain, and of nothing else.
#[derive(Debug)]
pub(super) struct Names {
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Names {
    /// All names under `domain` are at `address`, where this answers, too.
    pub(super) async fn serve(address: Ipv4Addr, domain: &'static str) -> Self {
        let socket = UdpSocket::bind((address, 53)).await.unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = asked.clone();
        let task = tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((size, from)) = socket.recv_from(&mut packet).await {
                let Some((name, answer)) = answer(&packet[..size], address, domain) else {
                    continue;
                };
                remembered.lock().unwrap().push(name);
                let _ = socket.send_to(&answer, from).await;
            }
        });
        Self { asked, task }
    }

    /// Whether anybody wanted to know that name.
    pub(super) fn were_asked_for(&self, name: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|asked| asked == name)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// RFC 1035, section 4: the name that is asked for and the answer, if it is a question.
fn answer(query: &[u8], address: Ipv4Addr, domain: &str) -> Option<(String, Vec<u8>)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let name = labels.join(".");
    let question = query.get(12..at + 4)?;
    let known = name.ends_with(domain);
    // Only IPv4: a name without an address of the type that is asked for has an empty answer.
    let has_address = known && query.get(at..at + 2)? == TYPE_A;
    let mut answer = query.get(..2)?.to_vec();
    // A response with recursion; no such name, if it is not ours.
    answer.extend([0x81, if known { 0x80 } else { 0x83 }]);
    answer.extend([0, 1, 0, u8::from(has_address), 0, 0, 0, 0]);
    answer.extend(question);
    if has_address {
        // The question's name, type A, class IN, for a second, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(address.octets());
    }
    Some((name, answer))
}

/// Serves on a port of that address what a server of this machine says; gives the port.
pub(super) async fn forward(address: Ipv4Addr, to: (String, u16)) -> u16 {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let to = to.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect((to.0.as_str(), to.1)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}
