//! The OpenAPI document: all routes, as they are. What the handlers say of themselves, and what
//! follows from the doors before them.

use utoipa::OpenApi as _;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, PathItem, Ref, RefOr, Response};

use super::answer::Detail;
use super::doors::Need;

/// The names of the ways in, for each need: as a bearer token, and as a password.
const PING: [&str; 2] = ["ping_token", "ping_password"];
const ADMIN: [&str; 2] = ["admin_token", "admin_password"];

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "lvmbeat monitor",
        description = "Alerts people when the observatory has gone silent. Requests that change something work by GET and by POST; \
            reads also answer HEAD. A token is sent as a bearer token, or as the password of any user. \
            Every error is a sentence in `detail`.",
    ),
    components(schemas(Detail))
)]
struct Frame;

/// The document before any route is in it.
pub(super) fn frame() -> OpenApi {
    let mut document = Frame::openapi();
    let components = document.components.get_or_insert_default();
    for ([token, password], who) in [(PING, "LVMBEAT_PING_TOKEN"), (ADMIN, "LVMBEAT_ADMIN_TOKEN")] {
        for (name, scheme) in [
            (token, HttpAuthScheme::Bearer),
            (password, HttpAuthScheme::Basic),
        ] {
            let mut way = Http::new(scheme);
            way.description = Some(format!("The monitor's {who}"));
            components.add_security_scheme(name, SecurityScheme::Http(way));
        }
    }
    document
}

/// Adds to each operation what the door before it does, and a name of its own.
pub(super) fn describe(document: &mut OpenApi, need: Need, locked: bool) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations_mut(item) {
            operation.operation_id = Some(format!(
                "{method}{}",
                path.replace('/', "_").replace(['{', '}'], "")
            ));
            let tag = match need {
                Need::Nothing => "read",
                Need::Ping => "heartbeat",
                Need::Admin => "change",
            };
            operation.tags = Some(vec![tag.to_owned()]);
            through_door(operation, method, need, locked);
        }
    }
}

fn through_door(operation: &mut Operation, method: &str, need: Need, locked: bool) {
    let has_body = operation.request_body.is_some();
    let mut answer = |status: &str, description: &str| {
        operation
            .responses
            .responses
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::T(problem(description)));
    };
    if has_body {
        answer("400", "The body cannot be read");
        answer("408", "The body did not arrive in time");
        answer("413", "The body is too long");
    }
    let ways: &[&str] = match need {
        Need::Nothing => return,
        Need::Ping => &[PING[0], PING[1], ADMIN[0], ADMIN[1]],
        Need::Admin => &ADMIN,
    };
    answer("403", "Another site asked a browser for this");
    if locked {
        answer("401", "The token is missing or wrong");
        answer("429", "Too many wrong tokens came from this client");
    }
    if need == Need::Admin && method == "post" {
        let back =
            ResponseBuilder::new().description("A form was sent by a browser: back to the page");
        operation
            .responses
            .responses
            .insert("303".to_owned(), RefOr::T(back.build()));
    }
    if locked {
        let way = |way: &&str| SecurityRequirement::new::<_, [String; 0], _>(*way, []);
        operation.security = Some(ways.iter().map(way).collect());
    }
}

fn problem(description: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Detail")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build()
}

/// The operations of a path, each with its method.
fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [("get", &mut item.get), ("post", &mut item.post)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}
