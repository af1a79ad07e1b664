//! The real binary as a child process.

use super::{
    DEADLINE,
    client::{Ask, Client, Reply},
};
use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A running gateway; its process ends when this is dropped.
pub struct Gateway {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub manifests: TempDir,
    data: Option<TempDir>,
    child: Child,
    stderr: Receiver<String>,
    stdout: Receiver<String>,
}

/// The binary built with this test, or the one that `WEIR_TEST_BINARY` names.
pub fn binary() -> Command {
    let other = std::env::var_os("WEIR_TEST_BINARY");
    Command::new(other.unwrap_or_else(|| env!("CARGO_BIN_EXE_weir").into()))
}

impl Gateway {
    /// Serves what is in `manifests`, on ports of the system's choice.
    pub fn start(manifests: TempDir, arguments: &[&str]) -> Self {
        let data = super::manifest::folder();
        Self::start_on(manifests, data, arguments)
    }

    /// The same in an environment with these names too.
    pub fn start_in(manifests: TempDir, environment: &[(&str, &str)]) -> Self {
        let mut command = binary();
        command.envs(environment.iter().copied());
        Self::start_by(command, manifests, super::manifest::folder(), &[])
    }

    /// The same over a data directory that may have a past.
    pub fn start_on(manifests: TempDir, data: TempDir, arguments: &[&str]) -> Self {
        Self::start_by(binary(), manifests, data, arguments)
    }

    /// The same by a command that ends as the binary.
    pub fn start_by(
        mut command: Command,
        manifests: TempDir,
        data: TempDir,
        arguments: &[&str],
    ) -> Self {
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.arg("--config").arg(manifests.path());
        command.arg("--data-dir").arg(data.path());
        if !arguments.contains(&"--cores") {
            command.args(["--cores", "1"]);
        }
        if let Ok(driver) = std::env::var("WEIR_TEST_DRIVER") {
            command.args(["--driver", &driver]);
        }
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary was built with this test");
        let stdout = lines(child.stdout.take().expect("piped"));
        let stderr = lines(child.stderr.take().expect("piped"));
        let mut gateway = Self {
            address: ([127, 0, 0, 1], 0).into(),
            admin: ([127, 0, 0, 1], 0).into(),
            manifests,
            data: Some(data),
            child,
            stderr,
            stdout,
        };
        gateway.address = gateway.announced("weir: listening on ");
        gateway.admin = gateway.announced("weir: admin on ");
        gateway
    }

    /// The address after `prefix` and a scheme on a line of its output.
    fn announced(&mut self, prefix: &str) -> SocketAddr {
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.stdout.recv_timeout(left) {
                Ok(line) => {
                    if let Some(address) = line.strip_prefix(prefix) {
                        let bare = address.trim().split("//").last().unwrap_or_default();
                        return bare.parse().expect("an address follows");
                    }
                }
                Err(error) => {
                    let log = self.log();
                    panic!("{error} before {prefix:?}; its log:\n{log}");
                }
            }
        }
    }

    /// What it has written to its log so far.
    pub fn log(&mut self) -> String {
        let mut text = String::new();
        while let Ok(line) = self.stderr.recv_timeout(Duration::ZERO) {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// Waits for the next line of the log or the output that holds `wanted`.
    pub fn wait_for_line(&mut self, wanted: &str) -> Option<String> {
        const TURN: Duration = Duration::from_millis(5);
        let until = Instant::now() + DEADLINE;
        while Instant::now() < until {
            for lines in [&self.stderr, &self.stdout] {
                if let Ok(line) = lines.recv_timeout(TURN)
                    && line.contains(wanted)
                {
                    return Some(line);
                }
            }
        }
        None
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of its own memory, without what is backed by files.
    pub fn anonymous_bytes(&self) -> u64 {
        self.status_bytes("RssAnon:")
    }

    /// The most bytes that it ever held, with what is backed by files.
    pub fn peak_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let status = self.status(name);
        let kibibytes = status.strip_suffix(" kB").and_then(|number| number.parse::<u64>().ok());
        kibibytes.expect("the kernel says so") << 10
    }

    /// The names of its threads, in order, but for those that the kernel lends for `io_uring` and
    /// those of the control plane's pool, which come and go.
    pub fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
        let mut names: Vec<String> = tasks.flatten().filter_map(name).collect();
        names.retain(|name| !name.starts_with("iou-") && !name.starts_with("tokio-"));
        names.sort();
        names
    }

    /// What the kernel says of the process, by the name it has there.
    fn status(&self, name: &str) -> String {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.expect("the kernel says so").trim().to_owned()
    }

    /// Asks the admin port.
    pub fn admin(&self, path: &str) -> Reply {
        let mut client = Client::connect(self.admin);
        client.send(&Ask::get(path).header("connection", "close").bytes());
        client.reply()
    }

    /// Asks for the metrics until they hold `wanted`: they follow the store by its look.
    pub fn get_metrics_until(&self, wanted: &str) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let text = self.admin("/metrics").text();
            if text.contains(wanted) {
                return text;
            }
            assert!(Instant::now() < until, "{wanted} is not in {text}");
            std::thread::yield_now();
        }
    }

    /// Asks the open port on a new connection.
    pub fn get(&self, path: &str) -> Reply {
        let mut client = Client::connect(self.address);
        client.send(&Ask::get(path).bytes());
        client.reply()
    }

    /// Asks it to drain (SIGTERM).
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(killed.expect("kill(1) is everywhere").success());
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }

    /// Waits for its end.
    pub fn exit(&mut self) -> ExitStatus {
        // Its output ends with it, and that can be waited for with a deadline.
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.stdout.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("still running:\n{}", self.log()),
            }
        }
        self.child.wait().expect("it is ours")
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    pub fn data(&self) -> &Path {
        self.data.as_ref().expect("it was not taken").path()
    }

    /// Its data directory, for the next gateway.
    pub fn take_data(&mut self) -> TempDir {
        self.data.take().expect("it was not taken")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the gateway's log ---\n{}", self.log());
        }
    }
}

/// The lines of a pipe, read by a thread of their own so that the child never blocks on it.
pub fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Runs `weir ARGUMENTS` to its end: exit code, output, log. One that does not end is ended, and a
/// failure.
pub fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = binary();
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let stdout = lines(child.stdout.take().expect("piped"));
    let stderr = lines(child.stderr.take().expect("piped"));
    let until = Instant::now() + DEADLINE;
    let mut all = |lines: Receiver<String>| {
        let mut text = String::new();
        loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => text.extend([line.as_str(), "\n"]),
                Err(RecvTimeoutError::Disconnected) => return text,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("{arguments:?} does not end; so far:\n{text}");
                }
            }
        }
    };
    let (output, log) = (all(stdout), all(stderr));
    (child.wait().expect("it is ours").code(), output, log)
}
