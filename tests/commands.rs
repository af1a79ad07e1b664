//! The command line: what it prints works when pasted.

mod harness;

use harness::{
    DEADLINE, House,
    client::{Ask, Client},
    gateway, manifest,
};
use serde_json::Value;
use std::{
    process::{Child, Command, Stdio},
    sync::mpsc::Receiver,
    time::Instant,
};

/// A child that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A `quickstart` on free ports, with nothing of this machine in its environment.
fn quickstart(home: &tempfile::TempDir) -> (Running, Receiver<String>) {
    quickstart_with(home, &[])
}

fn quickstart_with(
    home: &tempfile::TempDir,
    variables: &[(&str, &str)],
) -> (Running, Receiver<String>) {
    let mut command = gateway::binary();
    command.arg("quickstart").env_clear().env("HOME", home.path());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("WEIR_LISTEN", "127.0.0.1:0").env("WEIR_ADMIN_LISTEN", "127.0.0.1:0");
    command.envs(variables.iter().copied());
    command.env("WEIR_CORES", "1").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary runs");
    let output = gateway::lines(child.stdout.take().expect("piped"));
    (Running(child), output)
}

/// The first command of the output that starts with `first`, with the lines it goes on over.
fn printed(output: &Receiver<String>, first: &str) -> String {
    let until = Instant::now() + DEADLINE;
    let mut command = String::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let line = output.recv_timeout(left).unwrap_or_else(|_| panic!("no line {first:?}"));
        if command.is_empty() && !line.trim_start().starts_with(first) {
            continue;
        }
        command.push_str(&line);
        command.push('\n');
        if !line.ends_with('\\') {
            return command;
        }
    }
}

#[test]
fn the_curl_line_that_quickstart_prints_works_when_pasted() {
    let home = manifest::folder();
    let (_running, output) = quickstart(&home);

    let line = printed(&output, "curl ");
    let pasted = Command::new("bash").args(["-c", &line]).output().expect("bash is here");

    let said = String::from_utf8_lossy(&pasted.stdout);
    assert!(pasted.status.success(), "{line}\n{}", String::from_utf8_lossy(&pasted.stderr));
    assert!(said.contains("chat.completion"), "{line}\n{said}");
}

#[test]
fn quickstart_adds_the_vendors_whose_keys_are_set_and_never_prints_a_key() {
    let home = manifest::folder();
    let keys = [
        ("OPENAI_API_KEY", "sk-of-openai"),
        ("GROQ_API_KEY", "gsk-of-groq"),
        ("DEEPSEEK_API_KEY", "sk-of-deepseek"),
    ];
    let (_running, output) = quickstart_with(&home, &keys);

    let line = printed(&output, "curl ");
    let (base, rest) = line.split_once("/chat/completions").expect("the line names the API");
    let url = format!("{}/models", base.rsplit(' ').next().expect("a URL"));
    let key = rest.split("Bearer ").nth(1).and_then(|key| key.split('\'').next()).expect("a key");
    let header = format!("Authorization: Bearer {key}");
    let listed = Command::new("curl").args(["-s", &url, "-H", &header]).output().expect("curl");

    let models = String::from_utf8_lossy(&listed.stdout);
    assert!(models.contains("\"rehearsal/") && models.contains("\"openai/gpt-"), "{models}");
    assert!(models.contains("\"groq/") && !models.contains("\"mistral/"), "{models}");
    assert!(models.contains("\"deepseek/deepseek-v4-flash"), "{models}");
    for (_, secret) in keys {
        assert!(!line.contains(secret) && !models.contains(secret));
    }
}

/// Every vendor that Weir is for, each by what its own clients read.
#[test]
fn quickstart_adds_each_vendor_whose_usual_variables_are_set() {
    let home = manifest::folder();
    let server = harness::vendor();
    let url = format!("http://{}/v1", server.address());
    let keys = [
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
        "AZURE_OPENAI_API_KEY",
        "MISTRAL_API_KEY",
        "GROQ_API_KEY",
        "XAI_API_KEY",
        "CO_API_KEY",
        "TOGETHER_API_KEY",
        "PERPLEXITY_API_KEY",
        "DEEPSEEK_API_KEY",
    ];
    let mut variables: Vec<(&str, &str)> = keys.map(|name| (name, "the-key")).to_vec();
    variables.extend([
        ("AZURE_OPENAI_ENDPOINT", "https://a.example"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        ("VLLM_BASE_URL", &url),
        ("VLLM_MODEL", "my/model"),
        ("OLLAMA_HOST", "127.0.0.1:1"),
        ("OLLAMA_MODEL", "qwen3:8b"),
    ]);
    let (_running, output) = quickstart_with(&home, &variables);

    let line = printed(&output, "curl ");
    let (base, rest) = line.split_once("/chat/completions").expect("the line names the API");
    let base = base.rsplit(' ').next().expect("a URL").to_owned();
    let key = rest.split("Bearer ").nth(1).and_then(|key| key.split('\'').next()).expect("a key");
    let header = format!("Authorization: Bearer {key}");
    let curl = |more: &[&str]| {
        let mut command = Command::new("curl");
        let out = command.args(["-s", "-H", &header]).args(more).output().expect("curl");
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let models = curl(&[&format!("{base}/models")]);
    for name in [
        "openai/gpt-5.2",
        "anthropic/claude-sonnet-4-5",
        "gemini/gemini-2.5-flash",
        "bedrock/openai.gpt-oss-120b-1:0",
        "azure/gpt-4o",
        "mistral/mistral-small-latest",
        "groq/",
        "xai/grok-4",
        "cohere/command-a-03-2025",
        "together/",
        "perplexity/sonar",
        "deepseek/deepseek-v4-pro",
        "vllm/my/model",
        "ollama/qwen3:8b",
    ] {
        assert!(models.contains(&format!("\"{name}")), "{name} is not in {models}");
    }
    let body = r#"{"model":"vllm/my/model","messages":[{"role":"user","content":"Hi"}]}"#;
    let said = curl(&[&format!("{base}/chat/completions"), "-d", body]);
    assert!(said.contains("chat.completion"), "{said}");
}

#[test]
fn a_new_token_opens_the_gateway_with_the_manifest_printed_beside_it() {
    let (code, output, log) = gateway::run(&["token", "new", "--subject", "user:you@example.com"]);
    assert_eq!(code, Some(0), "{log}");
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let words: Vec<&str> = output.split(|c| !is_word(c)).filter(|word| word.len() > 16).collect();
    let token = words.iter().find(|word| output.contains(&manifest::sha256(word)));
    let token = *token.expect("one word is the token, and its digest stands in the manifest");
    assert_eq!(output.matches(token).count(), 1, "it is printed once");

    let house = House::open(&["plain"]);
    let document = manifest::token("fresh", manifest::OWNER, token);
    manifest::write(house.gateway.manifests.path(), "fresh", &document);

    house.ask_until(&Ask::chat("plain").key(token), |reply| reply.status == 200);
}

#[test]
fn check_names_what_is_wrong_where_and_what_is_wanted() {
    let folder = manifest::folder();
    let path = folder.path().to_str().expect("UTF-8");
    let vendor = ([127, 0, 0, 1], 1).into();
    manifest::write(folder.path(), "good", &manifest::account(vendor, &["plain"]));
    assert_eq!(gateway::run(&["check", "--config", path]).0, Some(0));

    let mut wrong = manifest::account(vendor, &["plain"]);
    wrong["integrations"][0]["model_server"] = "abacus".into();
    manifest::write(folder.path(), "wrong", &wrong);
    let (code, output, log) = gateway::run(&["check", "--config", path]);

    let said = format!("{output}{log}");
    assert_eq!(code, Some(1));
    for part in ["wrong.yaml", "integrations[0].model_server", "abacus", "openai-compatible"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn no_secret_is_printed_or_served() {
    let mut house = House::open(&["plain", "e401"]);

    house.ask(&Ask::chat("plain"));
    house.ask(&Ask::chat("e401"));
    let metrics = house.gateway.admin("/metrics").text();
    let receipts: Vec<Value> = house.receipts(2).into_iter().map(|one| one.0).collect();
    let log = house.gateway.log();

    let all = format!("{metrics}{receipts:?}{log}");
    for secret in [manifest::VENDOR_KEY, harness::client::KEY] {
        assert!(!all.contains(secret), "{secret} is in {all}");
    }
}

#[test]
fn a_port_that_is_taken_is_an_error_at_start() {
    let house = House::open(&["plain"]);
    let (folder, data) = (manifest::folder(), manifest::folder());
    manifest::write_usual(&folder, house.vendor.address(), &["plain"]);
    let taken = house.gateway.address.to_string();

    let path = |folder: &tempfile::TempDir| folder.path().to_str().expect("UTF-8").to_owned();
    let (code, _, log) = gateway::run(&[
        "serve",
        "--config",
        &path(&folder),
        "--data-dir",
        &path(&data),
        "--listen",
        &taken,
        "--admin-listen",
        "127.0.0.1:0",
    ]);

    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(&taken), "{log}");
    let mut client = Client::connect(house.gateway.address);
    client.send(&Ask::chat("plain").bytes());
    assert_eq!(client.reply().status, 200, "and the first serves on");
}
