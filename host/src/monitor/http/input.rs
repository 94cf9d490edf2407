//! What clients send, and what is wrong with it.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FormRejection};
use axum::extract::{Form, FromRequest as _, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use serde::de::value::{self, MapDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _};

use super::answer::Problem;

/// The longest body. A report of the actor has about 2 KiB.
pub(super) const BODY_LIMIT: usize = 64 * 1024;
/// An error of a parser may quote what it was given; so much of it is shown.
const SHOWN_CHARS: usize = 200;

/// The parameters after the question mark.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    match Query::try_from_uri(uri) {
        Ok(Query(parameters)) => Ok(parameters),
        Err(rejection) => Err(Problem::value(shown(&rejection))),
    }
}

/// The same as FastAPI takes it: of one that is given several times the last one counts, and what
/// nobody asks for is ignored.
pub(super) fn forgiving_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let given = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(given) = given.map_err(|rejection| Problem::value(shown(&rejection)))?;
    let last: BTreeMap<String, String> = given.into_iter().collect();
    let parameters = MapDeserializer::new(last.into_iter());
    T::deserialize(parameters).map_err(|error: value::Error| Problem::value(shown(&error)))
}

/// The fields of a form; none if there is no body.
pub(super) async fn form<T: DeserializeOwned + Default>(request: Request) -> Result<T, Problem> {
    if request.headers().contains_key(CONTENT_TYPE) {
        return match Form::from_request(request, &()).await {
            Ok(Form(fields)) => Ok(fields),
            Err(FormRejection::BytesRejection(rejection)) => Err(body_problem(&rejection)),
            Err(FormRejection::InvalidFormContentType(_)) => Err(no_form()),
            Err(rejection) => Err(Problem::value(shown(&rejection))),
        };
    }
    match Bytes::from_request(request, &()).await {
        Ok(body) if body.is_empty() => Ok(T::default()),
        Ok(_) => Err(no_form()),
        Err(rejection) => Err(body_problem(&rejection)),
    }
}

fn no_form() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The body is not a form; send no body, or one of the type application/x-www-form-urlencoded.",
    )
}

/// A JSON object.
pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // serde would take the elements of an array for the fields of a structure.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::value("The body is not a JSON object."));
    }
    serde_json::from_slice(body).map_err(|error| Problem::value(shown(&error)))
}

/// Why a body could not be read.
pub(super) fn body_problem(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The body is longer than {BODY_LIMIT} bytes."),
        );
    }
    let mut cause = rejection.source();
    while let Some(error) = cause {
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        {
            return Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "The body did not arrive in time.",
            );
        }
        cause = error.source();
    }
    Problem::new(StatusCode::BAD_REQUEST, "The body cannot be read.")
}

/// A truth as FastAPI understands it.
pub(super) fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
        "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
        _ => Err(D::Error::custom("neither true nor false")),
    }
}

fn shown(error: &dyn Error) -> String {
    let mut text = error.to_string();
    if let Some(cause) = error.source() {
        text = format!("{text}: {cause}");
    }
    match text.char_indices().nth(SHOWN_CHARS) {
        None => format!("{text}."),
        Some((end, _)) => format!("{}…", text.split_at(end).0),
    }
}
