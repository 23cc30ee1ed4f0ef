//! `GET /docs`: the OpenAPI document as a page for people.
//!
//! It is made from the document itself and loads nothing, so it works offline and under a policy that allows one style sheet and
//! nothing else.

use std::sync::LazyLock;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use serde_json::Value;
use sha2::{Digest, Sha256};

const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{max-width:56rem;margin:0 auto;padding:1rem}\
section{border-top:1px solid #8885;margin-top:1.5rem}\
h2{font-size:1.1rem}h2 code{font-weight:700}\
table{border-collapse:collapse;width:100%}\
caption{text-align:left;font-weight:600;padding-top:.75rem}\
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0}\
th{font-weight:600;white-space:nowrap}\
td:last-child{width:100%}";

/// The page and its policy, made once.
static PAGE: LazyLock<(String, String)> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(super::json()).expect("the document is JSON");
    let page = Page::of(&document).render().expect("the template writes into a string");
    let digest = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    (
        page,
        format!(
            "default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        ),
    )
});

/// This interface as a page.
#[utoipa::path(
    get, path = "/docs", tag = "documentation", security(()),
    responses((status = 200, description = "A page.", body = String, content_type = "text/html")),
)]
pub(in crate::http) async fn page() -> Response {
    let (page, policy) = &*PAGE;
    let headers = [
        (CONTENT_SECURITY_POLICY, policy.as_str()),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, Html(page.as_str())).into_response()
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} {{ version }}</title>
<style>{{ style|safe }}</style>
</head>
<body>
<main>
<h1>{{ title }} {{ version }}</h1>
<p>{{ description }} For programs: <a href="openapi.json">openapi.json</a>.</p>
{% for operation in operations %}
<section>
<h2><code>{{ operation.method }} {{ operation.path }}</code></h2>
<p>{{ operation.summary }}</p>
{% if !operation.parameters.is_empty() %}
<table>
<caption>Parameters</caption>
{% for row in operation.parameters %}
<tr><th scope="row">{{ row.name }}</th><td>{% for piece in row.pieces() %}{% if piece.is_code %}<code>{{ piece.text }}</code>{% else %}{{ piece.text }}{% endif %}{% endfor %}</td></tr>
{% endfor %}
</table>
{% endif %}
<table>
<caption>Answers</caption>
{% for row in operation.responses %}
<tr><th scope="row">{{ row.name }}</th><td>{% for piece in row.pieces() %}{% if piece.is_code %}<code>{{ piece.text }}</code>{% else %}{{ piece.text }}{% endif %}{% endfor %}</td></tr>
{% endfor %}
</table>
</section>
{% endfor %}
</main>
</body>
</html>
"#
)]
struct Page<'a> {
    title: &'a str,
    version: &'a str,
    description: &'a str,
    style: &'static str,
    operations: Vec<Operation<'a>>,
}

struct Operation<'a> {
    method: String,
    path: &'a str,
    tag: &'a str,
    summary: &'a str,
    parameters: Vec<Row<'a>>,
    responses: Vec<Row<'a>>,
}

struct Row<'a> {
    name: &'a str,
    text: &'a str,
}

/// A part of a text that is code or is not.
struct Piece<'a> {
    is_code: bool,
    text: &'a str,
}

impl<'a> Row<'a> {
    /// Descriptions are Markdown, of which ours use the backtick only.
    fn pieces(&self) -> impl Iterator<Item = Piece<'a>> + use<'a> {
        self.text.split('`').enumerate().map(|(index, text)| Piece { is_code: index % 2 == 1, text })
    }
}

impl<'a> Page<'a> {
    fn of(document: &'a Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, item)| {
            let item = item.as_object().into_iter().flatten();
            item.filter(|(method, _)| *method != "head")
                .map(|(method, operation)| Operation::of(method, path, operation))
        });
        let mut operations: Vec<_> = operations.collect();
        // What the service is for comes first, its description last.
        operations.sort_by_key(|operation| operation.tag != "lookup");
        Self {
            title: text(&document["info"]["title"]),
            version: text(&document["info"]["version"]),
            description: text(&document["info"]["description"]),
            style: STYLE,
            operations,
        }
    }
}

impl<'a> Operation<'a> {
    fn of(method: &str, path: &'a str, operation: &'a Value) -> Self {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let responses = operation["responses"].as_object().into_iter().flatten();
        let row = |parameter: &'a Value| Row { name: text(&parameter["name"]), text: text(&parameter["description"]) };
        Self {
            method: method.to_ascii_uppercase(),
            path,
            tag: text(&operation["tags"][0]),
            summary: text(&operation["summary"]),
            parameters: parameters.map(row).collect(),
            responses: responses
                .map(|(status, response)| Row { name: status, text: text(&response["description"]) })
                .collect(),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
