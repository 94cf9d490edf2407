//! `/openapi.json`, and `/docs`: the same for people, with a form to try each operation. Without
//! script, and from this server alone.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Web;
use super::mount::{self, Root};

const CSS: &str = include_str!("docs.css");

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(openapi_json))
        .routes(routes!(docs))
}

/// The document, as it is served: made once, for whoever asks for it often.
#[derive(Debug)]
pub(super) struct Rendered {
    json: Bytes,
    /// With and without a slash at the end of the path: links are relative.
    pages: [(Root, Bytes); 2],
}

impl Rendered {
    pub(super) fn of(document: &OpenApi, prefix: &str) -> Self {
        // A document that its own library cannot write would be a defect, which the tests would
        // show.
        let document = serde_json::to_value(document).unwrap_or_default();
        let pages = ["/docs", "/docs/"].map(|path| {
            let root = mount::root(prefix, path);
            let page = page(&document, &root).into_string().into();
            (root, page)
        });
        Self {
            json: format!("{document:#}\n").into(),
            pages,
        }
    }

    /// Gives it to the routes that serve it, and serves the style sheet. `/redoc`, where FastAPI
    /// has another view of it, leads to `/docs`.
    pub(super) fn give_to(self, router: Router) -> Router {
        let style = get(async || ([(CONTENT_TYPE, "text/css; charset=utf-8")], CSS));
        let redoc = get(async |request: Request| to_docs(&Root::of(&request)));
        router
            .route("/docs.css", style)
            .route("/redoc", redoc)
            .layer(Extension(Arc::new(self)))
    }
}

fn to_docs(root: &Root) -> Redirect {
    Redirect::temporary(&root.link("docs"))
}

/// This description, for programs
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, description = "An OpenAPI 3.1 document", body = Object)))]
async fn openapi_json(Extension(rendered): Extension<Arc<Rendered>>) -> impl IntoResponse {
    served("application/json", rendered.json.clone())
}

/// This description, for people
#[utoipa::path(get, path = "/docs", responses((status = 200, description = "A page", body = String, content_type = "text/html")))]
async fn docs(Extension(rendered): Extension<Arc<Rendered>>, request: Request) -> Response {
    let root = Root::of(&request);
    match rendered.pages.iter().find(|(known, _)| *known == root) {
        Some((_, page)) => served("text/html; charset=utf-8", page.clone()).into_response(),
        None => to_docs(&root).into_response(),
    }
}

fn served(kind: &'static str, body: Bytes) -> impl IntoResponse {
    (
        [
            (CONTENT_TYPE, HeaderValue::from_static(kind)),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ],
        body,
    )
}

fn page(document: &Value, root: &Root) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (text(&document["info"]["title"])) ": HTTP interface" }
                link rel="stylesheet" href=(root.link("page.css"));
                link rel="stylesheet" href=(root.link("docs.css"));
            }
            body {
                header {
                    h1 { (text(&document["info"]["title"])) " " small { (text(&document["info"]["version"])) } }
                    p { (prose(text(&document["info"]["description"]))) }
                    p { a href=(root.link("")) { "The page" } " · " a href=(root.link("openapi.json")) { "The same as an OpenAPI document" } }
                }
                main {
                    @for (path, operations) in entries(&document["paths"]) {
                        @for (method, operation) in entries(operations) {
                            (self::operation(path, method, operation, root))
                        }
                    }
                    h2 { "Bodies" }
                    @for (name, schema) in entries(&document["components"]["schemas"]) {
                        (self::schema(name, schema))
                    }
                }
            }
        }
    }
}

fn operation(path: &str, method: &str, operation: &Value, root: &Root) -> Markup {
    let id = text(&operation["operationId"]);
    let parameters = elements(&operation["parameters"]);
    let body = &operation["requestBody"]["content"];
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { span.method { (method.to_uppercase()) } " " code { (path) } }
            p { strong { (prose(text(&operation["summary"]))) } }
            @if let Some(long) = operation["description"].as_str() { p { (prose(long)) } }
            @if !operation["security"].is_null() {
                p { "Needs one of: " (operation["security"].as_array().into_iter().flatten().flat_map(entries).map(|(way, _)| way.replace('_', " ")).collect::<Vec<_>>().join(", ")) "." }
            }
            @if !parameters.is_empty() {
                table {
                    caption { "Parameters" }
                    tr { th scope="col" { "Name" } th scope="col" { "In" } th scope="col" { "Type" } th scope="col" { "Meaning" } }
                    @for parameter in parameters {
                        tr {
                            td { code { (text(&parameter["name"])) } @if parameter["required"] == true { " (required)" } }
                            td { (text(&parameter["in"])) }
                            td { (kind(&parameter["schema"])) }
                            td { (prose(text(&parameter["description"]))) }
                        }
                    }
                }
            }
            @for (media, content) in entries(body) {
                p { "Body: " code { (media) } ", " (kind(&content["schema"])) ". " (text(&operation["requestBody"]["description"])) "." }
            }
            table {
                caption { "Answers" }
                tr { th scope="col" { "Status" } th scope="col" { "Meaning" } th scope="col" { "Body" } }
                @for (status, answer) in entries(&operation["responses"]) {
                    tr {
                        td { (status) }
                        td { (prose(text(&answer["description"]))) }
                        td { @for (media, content) in entries(&answer["content"]) { code { (media) } " " (kind(&content["schema"])) } }
                    }
                }
            }
            (forms(path, method, operation, root))
        }
    }
}

/// A form to try the operation; where the path has a value of a few, one for each. A form cannot
/// send JSON.
fn forms(path: &str, method: &str, operation: &Value, root: &Root) -> Markup {
    let all = elements(&operation["parameters"]);
    let mut actions = vec![path.to_owned()];
    for parameter in all.iter().filter(|parameter| parameter["in"] == "path") {
        let place = format!("{{{}}}", text(&parameter["name"]));
        let values = elements(&parameter["schema"]["enum"]);
        actions = actions
            .iter()
            .flat_map(|action| {
                values
                    .iter()
                    .map(|value| action.replace(&place, text(value)))
            })
            .collect();
    }
    html! {
        @for action in actions {
            form action=(root.link(action.trim_start_matches('/'))) method=(method) target="_blank" {
                @for parameter in all.iter().filter(|parameter| parameter["in"] == "query") {
                    @let name = text(&parameter["name"]);
                    label {
                        (name) " "
                        @if parameter["schema"]["type"] == "boolean" { input type="checkbox" name=(name) value="true"; }
                        @else { input name=(name) placeholder=(text(&parameter["example"])) required[parameter["required"] == true]; }
                    }
                }
                button { (method.to_uppercase()) " " (action) }
            }
        }
    }
}

fn schema(name: &str, schema: &Value) -> Markup {
    let mut properties = entries(&schema["properties"]);
    for part in elements(&schema["allOf"]) {
        properties.extend(entries(&part["properties"]));
    }
    html! {
        details id={ "schema-" (name) } {
            summary { code { (name) } }
            p { (prose(text(&schema["description"]))) }
            @if let Some(values) = schema["enum"].as_array() { p { (values.iter().map(text).collect::<Vec<_>>().join(", ")) } }
            @if !properties.is_empty() {
                table {
                    tr { th scope="col" { "Name" } th scope="col" { "Type" } th scope="col" { "Meaning" } }
                    @for (name, property) in properties {
                        tr { td { code { (name) } } td { (kind(property)) } td { (prose(text(&property["description"]))) } }
                    }
                }
            }
        }
    }
}

/// The type of a schema in a few words, with links to those that have a name.
fn kind(schema: &Value) -> Markup {
    let alternatives = ["oneOf", "anyOf", "allOf"]
        .map(|key| elements(&schema[key]))
        .concat();
    html! {
        @if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
            a href={ "#schema-" (name) } { (name) }
        } @else if !schema["items"].is_null() {
            "list of " (kind(&schema["items"]))
        } @else if let Some(name) = schema["type"].as_str() {
            (name) @if let Some(format) = schema["format"].as_str() { " (" (format) ")" }
        } @else if let Some(names) = schema["type"].as_array() {
            (names.iter().map(text).collect::<Vec<_>>().join(" or "))
        } @else {
            @for (index, alternative) in alternatives.iter().enumerate() { @if index > 0 { " or " } (kind(alternative)) }
        }
    }
}

/// A text with what stands between backticks as code.
fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn elements(value: &Value) -> Vec<&Value> {
    value.as_array().into_iter().flatten().collect()
}

fn entries(value: &Value) -> Vec<(&str, &Value)> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.as_str(), value)).collect()
}
