//! The stand-in on a real socket.
use std::time::Duration;

use callcard::sandbox::{Sandbox, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Served {
    crm: Sandbox,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

async fn serve(settings: Settings) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, crm) = (listener.local_addr().unwrap(), Sandbox::new(settings));
    let (stop, stopped) = oneshot::channel();
    let served = crm.clone();
    let server = tokio::spawn(async move { served.serve(listener, async { drop(stopped.await) }).await });
    Served { crm, address, stop, server }
}

/// Sends one request and reads until the other side closes.
async fn exchange(served: &Served, path: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(served.address).await?;
    let token = &served.crm.settings().token;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n",
        served.address
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn it_answers_over_http() {
    let served = serve(Settings::default()).await;
    let answer = String::from_utf8(exchange(&served, "/api/v4/contacts?query=4155550123").await.unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("Anna Ivanova"));
    assert!(answer.contains(&format!("http://{}/api/v4/contacts/7", served.address)));
}

#[tokio::test]
async fn a_reset_connection_brings_no_byte_and_a_cut_one_brings_half() {
    let served = serve(Settings::default()).await;
    served.crm.inject("contacts_query:reset*1".parse().unwrap());
    served.crm.inject("contacts_query:cut*1".parse().unwrap());
    let path = "/api/v4/contacts?query=4155550123";
    assert_eq!(exchange(&served, path).await.unwrap_or_default(), b"");
    let cut = String::from_utf8(exchange(&served, path).await.unwrap()).unwrap();
    assert!(cut.starts_with("HTTP/1.1 200 OK\r\n") && cut.contains("_embedded"), "{cut}");
    assert!(!cut.ends_with("0\r\n\r\n"), "the body is unfinished");
}

#[tokio::test]
async fn when_it_stops_every_connection_is_dropped_at_once() {
    let served = serve(Settings::default()).await;
    served.crm.inject("all:stall".parse().unwrap());
    let Served { crm, address, stop, server } = served;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /api/v4/account HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    while crm.count_all() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    stop.send(()).unwrap();
    server.await.unwrap();
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).await.unwrap_or_default(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}
