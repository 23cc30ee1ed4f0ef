//! Two processes on one token file, and every step of a renewal at which a process can die.
//!
//! The processes are real, and so are the deaths: a driver, started from this very binary, aborts between two system calls. The CRM is
//! the sandbox with its grace rule: a refresh token is good until the pair that replaced it is used. Whatever happens, the processes
//! that live on must get tokens that the CRM takes.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use callcard::crm::auth::{Disk, FileStore, Owner, SystemDisk, Times};
use callcard::crm::gate::{self, Gate};
use callcard::crm::http::{self as wire, HttpTransport};
use callcard::crm::{self, Ask, CrmClient, CrmRequest, CrmResponse, TokenSource, Transport, TransportError};
use callcard::metrics::Metrics;
use callcard::sandbox::{Endpoint, Sandbox, Settings};
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use url::Url;

use crate::harness::service::integration;

/// Where a process dies, in the order of a renewal.
const STEPS: [&str; 9] =
    ["before-request", "sent", "answered", "written", "synced", "renamed", "folder-synced", "before-use", "used"];
const RENEWALS: usize = 500;
/// More would mean that the drivers make no headway.
const MOST_DRIVERS: usize = 400;
/// One driver's renewals, if it lives that long.
const LIFE: u32 = 12;
const PATIENCE: Duration = Duration::from_secs(30);

const URL: &str = "TOKEN_CRASHES_URL";
const FILE: &str = "TOKEN_CRASHES_FILE";
const STEP: &str = "TOKEN_CRASHES_STEP";
const TIMES: &str = "TOKEN_CRASHES_TIMES";

// === the processes that die ===

/// Ends the process when it has come to a step so many times.
#[derive(Debug)]
struct Death {
    step: String,
    left: AtomicU32,
}

impl Death {
    fn is_due(&self, step: &str) -> bool {
        self.step == step && self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }

    fn at(&self, step: &str) {
        if self.is_due(step) {
            std::process::abort();
        }
    }
}

#[derive(Debug)]
struct MortalDisk(Arc<Death>);

impl Disk for MortalDisk {
    fn write(&self, file: &mut File, text: &[u8]) -> io::Result<()> {
        SystemDisk.write(file, text).inspect(|()| self.0.at("written"))
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        SystemDisk.sync(file).inspect(|()| self.0.at("synced"))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to).inspect(|()| self.0.at("renamed"))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        SystemDisk.sync_folder(folder).inspect(|()| self.0.at("folder-synced"))
    }
}

#[derive(Debug)]
struct MortalWire {
    wire: HttpTransport,
    url: Url,
    /// Locked while the CRM is asked for tokens: who finds it locked is the second at once.
    witness: PathBuf,
    death: Arc<Death>,
}

impl Transport for MortalWire {
    fn send(&self, request: CrmRequest) -> BoxFuture<'_, Result<CrmResponse, TransportError>> {
        Box::pin(async move {
            if request.path_and_query != "/oauth2/access_token" {
                return self.wire.send(request).await;
            }
            let witness = File::create(&self.witness).unwrap();
            witness.try_lock().expect("no two renewals at once");
            self.death.at("before-request");
            if self.death.is_due("sent") {
                self.send_and_die(&request).await;
            }
            let answer = self.wire.send(request).await;
            self.death.at("answered");
            answer
        })
    }
}

impl MortalWire {
    /// The whole request is the kernel's to deliver; nobody is there to read the answer.
    async fn send_and_die(&self, request: &CrmRequest) {
        let body = request.json.as_ref().unwrap();
        let host = format!("{}:{}", self.url.host_str().unwrap(), self.url.port().unwrap());
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            request.path_and_query,
            body.len()
        );
        let mut stream = TcpStream::connect(&host).await.unwrap();
        stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        stream.flush().await.unwrap();
        std::process::abort();
    }
}

/// Uses and renews tokens until its death, or until it has done so often enough.
#[tokio::test]
#[ignore = "a process of its own, which the test below starts and kills"]
async fn driver() {
    let told = |name| std::env::var(name).expect("the test below tells the driver what to do");
    let (url, file): (Url, PathBuf) = (told(URL).parse().unwrap(), told(FILE).into());
    let death = Arc::new(Death { step: told(STEP), left: AtomicU32::new(told(TIMES).parse().unwrap()) });
    let (tokens, client) = put_together(&url, &file, &death);
    let ask = || Ask::live(PATIENCE);
    tokens.open().await.expect("the file is ours and whole");
    for _ in 0..LIFE {
        client.account(ask()).await.expect("the CRM takes the token");
        death.at("used");
        let token = tokens.current(ask()).await.expect("there is a token");
        tokens.instead_of(&token, ask()).await.expect("there is a next token");
        death.at("before-use");
    }
    tokens.close().await;
}

fn put_together(url: &Url, file: &Path, death: &Arc<Death>) -> (TokenSource, CrmClient) {
    let metrics = Arc::new(Metrics::new());
    let gate = gate::Settings { rate: 500, ..gate::Settings::default() };
    let gate = Arc::new(Gate::new(gate, Arc::clone(&metrics)));
    let transport: Arc<dyn Transport> = Arc::new(MortalWire {
        wire: HttpTransport::new(wire::Settings::new(url.clone())).unwrap(),
        witness: file.with_extension("witness"),
        url: url.clone(),
        death: Arc::clone(death),
    });
    let integration = integration(&Settings::default());
    let store = FileStore::on(MortalDisk(Arc::clone(death)), file, Owner::new(url, &integration.client_id));
    // Any token may be replaced at any age, so that renewals follow each other at once.
    let times = Times { least_age: Duration::ZERO, ..Times::default() };
    let tokens = TokenSource::oauth(
        integration,
        Arc::new(store),
        times,
        Arc::clone(&transport),
        Arc::clone(&gate),
        Arc::clone(&metrics),
    );
    let client = CrmClient::new(crm::Settings::default(), tokens.clone(), transport, gate, metrics);
    (tokens, client)
}

// === the test ===

struct Scene {
    crm: Sandbox,
    url: String,
    folder: TempDir,
    drivers: AtomicU32,
    deaths: [AtomicU32; STEPS.len()],
}

impl Scene {
    async fn drive(&self, step: &str, times: u32) -> Output {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "token_crashes::driver", "--ignored", "--nocapture"])
            .envs([(URL, self.url.as_str()), (FILE, self.file().to_str().unwrap())])
            .envs([(STEP, step), (TIMES, &times.to_string())])
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("token.json")
    }

    /// Starts one driver after the other, each with another death, until there have been enough renewals.
    async fn worker(&self) {
        while self.crm.count(Endpoint::Oauth) < RENEWALS {
            let number = self.drivers.fetch_add(1, Ordering::SeqCst) as usize;
            assert!(number < MOST_DRIVERS, "only {} renewals", self.crm.count(Endpoint::Oauth));
            let step = number % STEPS.len();
            let times = 1 + number as u32 * 5 % 9;
            let ended = self.drive(STEPS[step], times).await;
            match ended.status.signal() {
                Some(_) => drop(self.deaths[step].fetch_add(1, Ordering::SeqCst)),
                // The other process may have renewed so often that this one did not come to its step.
                None => assert!(ended.status.success(), "{}", told(&ended)),
            }
        }
    }
}

fn told(ended: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_die_at_every_step_never_lose_the_tokens() {
    let mut settings = Settings { rate: None, contacts: 40, ..Settings::default() };
    settings.oauth.grace = true;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scene = Scene {
        url: format!("http://{}", listener.local_addr().unwrap()),
        crm: Sandbox::new(settings),
        folder: TempDir::new().unwrap(),
        drivers: AtomicU32::default(),
        deaths: Default::default(),
    };
    let crm = scene.crm.clone();
    let served = tokio::spawn(async move { crm.serve(listener, std::future::pending()).await });

    tokio::join!(scene.worker(), scene.worker());
    let last = scene.drive("never", u32::MAX).await;

    assert!(last.status.success(), "a process that lives gets tokens: {}", told(&last));
    let deaths = scene.deaths.map(AtomicU32::into_inner);
    println!("{} drivers, deaths by step: {STEPS:?} {deaths:?}", scene.drivers.into_inner());
    assert!(deaths.iter().all(|&deaths| deaths >= 2), "each step was died at: {STEPS:?} {deaths:?}");
    let calls = scene.crm.calls();
    let asked = calls.iter().filter(|call| call.endpoint == Endpoint::Oauth);
    let refused = asked.filter(|call| call.status == 401).count();
    // A request whose sender died may reach the CRM after another process has used the next pair.
    assert!(refused <= deaths[1] as usize, "{refused} renewals were refused");
    assert!(calls.iter().all(|call| call.endpoint == Endpoint::Oauth || call.status == 200), "every token was taken");
    served.abort();
}
