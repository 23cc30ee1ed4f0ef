//! A child process that ends with its test.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "waits for processes, which know no other clock"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Killed when dropped. What it says is kept.
pub(crate) struct Process {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let said = Arc::new(Mutex::new(String::new()));
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let pipes: [Option<Box<dyn Read + Send>>; 2] =
            [out.map(|pipe| Box::new(pipe) as _), err.map(|pipe| Box::new(pipe) as _)];
        for pipe in pipes.into_iter().flatten() {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let mut said = said.lock().unwrap();
                    said.push_str(&line);
                    said.push('\n');
                }
            });
        }
        Self { child, said }
    }

    /// Everything it has said.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The first line with this mark, once it has been said.
    pub(crate) fn line_with(&self, mark: &str) -> String {
        let begin = Instant::now();
        loop {
            if let Some(line) = self.said().lines().find(|line| line.contains(mark)) {
                return line.to_owned();
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "{mark:?} was never said: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success(), "kill -{name}");
    }

    /// Until it has ended; whether it says that all went well.
    pub(crate) fn wait(&mut self) -> bool {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
