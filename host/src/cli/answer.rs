//! The body of an HTTP answer, of which no more is read than is needed (X2).

use reqwest::Response;
use serde::de::DeserializeOwned;

/// In bytes.
const ENOUGH: usize = 256 << 10;

pub(super) async fn json<T: DeserializeOwned>(response: Response) -> Option<T> {
    serde_json::from_slice(&bytes(response).await?).ok()
}

async fn bytes(mut response: Response) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ENOUGH {
            return None;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn x2_an_answer_that_is_too_long_is_not_taken() {
        let read = async |body: String| {
            let response = axum::http::Response::new(body.into_bytes());
            json::<Value>(Response::from(response)).await
        };
        let long = format!("\"{}\"", "x".repeat(ENOUGH - 2));
        assert!(read(long.clone()).await.is_some());
        assert_eq!(read(format!("{long} ")).await, None);
        assert_eq!(read("<html>".to_owned()).await, None);
    }
}
