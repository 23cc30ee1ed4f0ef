//! The whole service with its sockets, in front of the sandbox CRM on one.

use std::collections::HashMap;
use std::net::SocketAddr;

use callcard::app::App;
use callcard::config::{Config, Strings};
use callcard::http::Drained;
use callcard::sandbox::{Sandbox, Settings};
use reqwest::{Client, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Service {
    pub(crate) sandbox: Sandbox,
    address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<Drained>,
}

impl Service {
    /// Started with these variables beside those it cannot do without.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        let crm = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", crm.local_addr().unwrap());
        let sandbox = Sandbox::new(Settings::default());
        let token = sandbox.settings().token.clone();
        let own = [
            ("CALLCARD_LISTEN", "127.0.0.1:0"),
            ("CALLCARD_ADMIN_LISTEN", "127.0.0.1:0"),
            ("CALLCARD_KOMMO_URL", &base),
            ("CALLCARD_KOMMO_TOKEN", &token),
            ("CALLCARD_DRAIN_DELAY", "0s"),
            ("CALLCARD_DEADLINE", "8s"),
        ];
        let texts: HashMap<_, _> = own.iter().chain(variables).copied().collect();
        let config = Config::check(&Strings::of(|name| texts.get(name).map(|text| (*text).to_owned()))).unwrap();
        let app = App::build(config).await.unwrap();
        let (address, stop) = (app.lookup_address(), CancellationToken::new());
        tokio::spawn({
            let sandbox = sandbox.clone();
            async move { sandbox.serve(crm, std::future::pending()).await }
        });
        let running = tokio::spawn(app.run(stop.clone().cancelled_owned()));
        Self { sandbox, address, stop, running }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("http://{}{path}", self.address));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn end(self) -> Drained {
        self.stop.cancel();
        self.running.await.unwrap()
    }
}
