//! The yardstick: a bare hyper server that answers every request with the same bytes. Nothing that answers over hyper can cost less.
//!
//! `bare --listen ADDRESS --body FILE [--header 'Name: value']… [--threads N] [--hold]`; it prints the address it listens on and serves until
//! it is killed. With `--hold` nobody is answered before somebody has asked for `/release`. Run by `scripts/bench`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a script")]

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::watch;

const USAGE: &str = "bare --listen ADDRESS --body FILE [--header 'Name: value']… [--threads N] [--hold]";

/// What every request is answered with, and where.
struct Settings {
    listen: String,
    threads: usize,
    headers: HeaderMap,
    body: Bytes,
    hold: bool,
}

fn main() -> ExitCode {
    let settings = match read(std::env::args().skip(1)) {
        Ok(settings) => settings,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let runtime = Builder::new_multi_thread().worker_threads(settings.threads).enable_all().build();
    let served = runtime.and_then(|runtime| runtime.block_on(serve(settings)));
    served.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// `--bench` is what cargo adds.
fn read(mut arguments: impl Iterator<Item = String>) -> Result<Settings, String> {
    let mut settings =
        Settings { listen: String::new(), threads: 1, headers: HeaderMap::new(), body: Bytes::new(), hold: false };
    while let Some(argument) = arguments.next() {
        if argument == "--bench" || argument == "--hold" {
            settings.hold |= argument == "--hold";
            continue;
        }
        let value = arguments.next().ok_or(format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--listen" => settings.listen = value,
            "--threads" => settings.threads = value.parse().map_err(|_| "--threads needs a number")?,
            "--body" => settings.body = std::fs::read(&value).map_err(|error| format!("{value}: {error}"))?.into(),
            "--header" => {
                let (name, value) = value.split_once(": ").ok_or("a header is 'Name: value'")?;
                let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
                settings.headers.append(name, HeaderValue::try_from(value).map_err(|error| error.to_string())?);
            }
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    if settings.listen.is_empty() { Err("--listen is missing".to_owned()) } else { Ok(settings) }
}

async fn serve(settings: Settings) -> std::io::Result<()> {
    let listener = TcpListener::bind(&settings.listen).await?;
    println!("{}", listener.local_addr()?);
    let (headers, body) = (settings.headers, settings.body);
    let (release, released) = watch::channel(!settings.hold);
    let release = Arc::new(release);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (headers, body) = (headers.clone(), body.clone());
        let answer = move || {
            let mut response = Response::new(Full::new(body.clone()));
            *response.headers_mut() = headers.clone();
            response
        };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new());
        let stream = TokioIo::new(stream);
        // A connection that breaks is its client's business.
        if settings.hold {
            let (release, released) = (Arc::clone(&release), released.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let (response, release, mut released) = (answer(), Arc::clone(&release), released.clone());
                async move {
                    if request.uri().path() == "/release" {
                        release.send_replace(true);
                    }
                    // The sender is held by this very task.
                    let _ = released.wait_for(|released| *released).await;
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(http.serve_connection(stream, service));
        } else {
            let service = service_fn(move |_| std::future::ready(Ok::<_, Infallible>(answer())));
            tokio::spawn(http.serve_connection(stream, service));
        }
    }
}
