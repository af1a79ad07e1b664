//! People are told when a threshold of a budget is reached: by every kind of channel, over real
//! sockets, once, and across failures and restarts.

mod harness;

use harness::{
    House,
    client::Ask,
    counted,
    gateway::{self, Gateway},
    hook::Hook,
    mail::MailServer,
    manifest, tls,
};
use serde_json::{Value, json};

/// What one call costs: 1,000 tokens in at $1 and 100 out at $10 a million.
const CALL_DOLLARS: f64 = 0.002;

/// A house with these documents; a call costs `CALL_DOLLARS`.
fn house(documents: &[Value], environment: &[(&str, &str)]) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &[]);
    let mut account = manifest::account(vendor.address(), &["raw-priced"]);
    manifest::put_prices(&mut account, &[0]);
    manifest::write(folder.path(), "account", &account);
    manifest::write_each(&folder, documents);
    let house = House { gateway: Gateway::start_in(folder, environment), vendor };
    house.teach("priced", counted(1_000, 100));
    house
}

/// Calls that all count for the same project.
fn spend(house: &House, count: usize) {
    for _ in 0..count {
        let body = harness::client::chat_body("raw-priced", r#","max_tokens":1"#);
        let ask = Ask::post("/v1/chat/completions", body);
        let ask = ask.header("x-tfy-metadata", r#"{"project":"<!here> & \"x\""}"#);
        assert_eq!(house.ask(&ask).status, 200);
    }
}

/// A budget of so many calls a day that is only counted, for each project.
fn budget(name: &str, calls: f64, thresholds: Value, targets: Value) -> Value {
    json!({"type": "tenant-budget-config", "name": name, "mode": "audit",
        "limits": {"cost_per_day": calls * CALL_DOLLARS},
        "applies_to": {"type": "metadata", "metadata": "project"},
        "alerts": {"thresholds": thresholds, "notification_target": targets}})
}

fn webhook(name: &str, url: &str) -> Value {
    json!({"type": "notification-channel", "name": name, "kind": "slack-webhook", "url": url})
}

fn to_webhook(name: &str) -> Value {
    json!({"type": "slack-webhook", "notification_channel": name})
}

/// Checklist 141: each service gets a message in its own shape, in which no name is markup.
#[test]
fn every_service_is_told_in_its_own_words() {
    let hook = Hook::start();
    let channel = |name: &str, more: Value| {
        let mut channel = json!({"type": "notification-channel", "name": name, "kind": name,
            "url": hook.url(&format!("/{name}"))});
        channel.as_object_mut().expect("it is").extend(more.as_object().expect("it is").clone());
        channel
    };
    let target = |name: &str| json!({"type": name, "notification_channel": name});
    let mut bot = target("slack-bot");
    bot["channels"] = json!(["#spending", "C0123"]);
    let targets = json!([
        target("slack-webhook"),
        bot,
        target("pagerduty"),
        target("ms-teams-webhook"),
        // Told once, though named twice.
        target("pagerduty"),
    ]);
    let house = house(
        &[
            channel("slack-webhook", json!({})),
            channel("slack-bot", json!({"key": "tfy-secret://us:alerts:BOT"})),
            channel("pagerduty", json!({"key": "tfy-secret://us:alerts:ROUTE"})),
            channel("ms-teams-webhook", json!({})),
            budget("a & b", 2.0, json!([99.5]), targets),
        ],
        &[("BOT", "bot-token"), ("ROUTE", "routing-key")],
    );

    spend(&house, 2);
    let mut posts: Vec<_> = (0..5).map(|_| hook.next()).collect();
    posts.sort_by_key(|post| (post.path.clone(), post.body.to_string()));

    let title = r#"Budget "a & b": 99.5% of cost_per_day is spent"#;
    let text = r#""<!here> & \"x\"" spent $0.004 of $0.004 until "#;
    let [teams, duty, bot, other, hooked] = &posts[..] else { panic!("{posts:?}") };
    let card = &teams.body["attachments"][0]["content"];
    assert_eq!(card["body"][0]["inlines"][0]["text"], title);
    let told = card["body"][1]["inlines"][0]["text"].as_str().unwrap_or_default();
    assert!(told.starts_with(text) && told.ends_with("nothing is refused."), "{told}");
    assert_eq!(duty.body["routing_key"], "routing-key");
    assert_eq!(duty.body["event_action"], "trigger");
    assert_eq!(duty.body["payload"]["summary"], title);
    assert_eq!(duty.body["payload"]["severity"], "critical");
    assert_eq!(duty.body["payload"]["custom_details"]["facts"]["entity"], r#"<!here> & "x""#);
    for (post, channel) in [(bot, "#spending"), (other, "C0123")] {
        assert_eq!(post.authorization.as_deref(), Some("Bearer bot-token"));
        assert_eq!(post.body["channel"], channel);
    }
    let told = hooked.body["text"].as_str().unwrap_or_default();
    assert!(told.contains("&lt;!here&gt; &amp;") && !told.contains('<'), "{told}");
    assert_eq!((hooked.authorization.as_deref(), hook.rest().len()), (None, 0));
}

/// Mail goes by TLS only, to each recipient by itself.
#[test]
fn mail_is_handed_to_a_server_that_is_known_and_to_each_recipient_alone() {
    for (security, is_wrapped) in [("tls", true), ("starttls", false)] {
        let pair = tls::Pair::of(&["127.0.0.1"]);
        let folder = manifest::folder();
        let (trusted, _) = pair.write(folder.path(), "trusted");
        let server = MailServer::start(&pair, is_wrapped);
        let channel = json!({"type": "notification-channel", "name": "mail", "kind": "email",
            "smtp": {"host": "127.0.0.1", "port": server.address.port(), "security": security,
                "username": "weir", "password": "tfy-secret://us:alerts:PASSWORD"},
            "from": "Weir <weir@example.com>", "to_emails": ["money@example.com"]});
        let own = json!({"type": "email", "notification_channel": "mail",
            "to_emails": ["ada@example.com", "bob@example.com"]});
        let usual = json!({"type": "email", "notification_channel": "mail"});
        let house = house(
            &[channel, budget("żółw", 4.0, json!([25]), json!([own, usual]))],
            &[("SSL_CERT_FILE", trusted.to_str().expect("UTF-8")), ("PASSWORD", "sesame")],
        );

        spend(&house, 1);
        let mails = [server.next(), server.next(), server.next()];

        for (mail, to) in mails.iter().zip(["ada", "bob", "money"]) {
            // "\0weir\0sesame".
            assert!(mail.said.contains(&"AUTH PLAIN AHdlaXIAc2VzYW1l".to_owned()), "{mail:?}");
            let recipients = mail.said.iter().filter(|line| line.starts_with("RCPT"));
            let recipients: Vec<_> = recipients.map(String::as_str).collect();
            assert_eq!(recipients, [format!("RCPT TO:<{to}@example.com>")]);
            let sender = "MAIL FROM:<weir@example.com>";
            assert!(mail.said.iter().any(|line| line.starts_with(sender)), "{mail:?}");
            assert!(mail.text.contains(&format!("\r\nTo: {to}@example.com\r\n")), "{mail:?}");
            assert!(mail.text.contains("spent $0.002 of $0.008"), "{mail:?}");
        }
        let id = |text: &str| text.lines().any(|line| line.starts_with("Message-ID: <"));
        assert!(id(&mails[0].text), "{mails:?}");
    }
}

#[test]
fn a_mail_server_that_nobody_vouches_for_is_not_told_the_password() {
    let pair = tls::Pair::of(&["127.0.0.1"]);
    let folder = manifest::folder();
    let (trusted, _) = tls::Pair::of(&["127.0.0.1"]).write(folder.path(), "trusted");
    let server = MailServer::start(&pair, true);
    let channel = json!({"type": "notification-channel", "name": "mail", "kind": "email",
        "smtp": {"host": "127.0.0.1", "port": server.address.port(), "security": "tls",
            "username": "weir", "password": "tfy-secret://us:alerts:PASSWORD"},
        "from": "weir@example.com", "to_emails": ["money@example.com"]});
    let target = json!({"type": "email", "notification_channel": "mail"});
    let mut house = house(
        &[channel, budget("all", 1.0, json!([100]), json!([target]))],
        &[("SSL_CERT_FILE", trusted.to_str().expect("UTF-8")), ("PASSWORD", "sesame")],
    );

    spend(&house, 1);

    let log = house.gateway.wait_for_line("people cannot be told yet").expect("it says so");
    assert!(log.contains("no TLS with the mail server") && !log.contains("sesame"), "{log}");
    assert!(server.is_unasked());
}

#[test]
fn a_threshold_is_told_once_in_its_period_and_the_next_one_too() {
    let hook = Hook::start();
    let house = house(
        &[
            webhook("hook", &hook.url("/")),
            budget("first", 4.0, json!([50, 100]), json!([to_webhook("hook")])),
            budget("last", 6.0, json!([100]), json!([to_webhook("hook")])),
        ],
        &[],
    );
    let told = || hook.next().body["text"].as_str().unwrap_or_default().to_owned();

    spend(&house, 1);
    house.receipts(1);
    spend(&house, 1);
    let half = told();
    spend(&house, 2);
    let whole = told();
    // What comes next by the same channel is the last budget's: nothing was told twice.
    spend(&house, 2);
    let last = told();

    assert!(half.contains("50%") && half.contains("$0.004 of $0.008"), "{half}");
    assert!(whole.contains("100%") && whole.contains("$0.008 of $0.008"), "{whole}");
    assert!(last.contains("last") && last.contains("$0.012 of $0.012"), "{last}");
    assert!(hook.rest().is_empty());
}

#[test]
fn what_a_service_refuses_is_sent_again_until_it_is_taken() {
    let hook = Hook::start();
    hook.answer(503, "later");
    hook.answer(200, r#"{"ok":false,"error":"ratelimited"}"#);
    let mut house = house(
        &[
            webhook("hook", &hook.url("/")),
            budget("all", 1.0, json!([100]), json!([to_webhook("hook")])),
        ],
        &[],
    );

    spend(&house, 1);
    let [first, second, third] = [hook.next(), hook.next(), hook.next()];

    assert_eq!((&first.body, &second.body), (&second.body, &third.body));
    let log = house.gateway.wait_for_line("status 503").expect("the operator is told");
    assert!(log.contains("people cannot be told yet"), "{log}");
    assert!(house.gateway.wait_for_line("status 200, ratelimited").is_some());
    assert!(house.gateway.wait_for_line("people were told").is_some());
}

/// A port on which nobody listens.
fn closed_port() -> u16 {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    closed.local_addr().expect("it is bound").port()
}

/// Checklist 141 and 142: each kind of channel is tried again until it takes what it is told, once
/// for each threshold, also across a restart; and the metrics say so.
#[test]
fn every_kind_of_channel_is_tried_again_and_told_once_and_the_metrics_say_so() {
    let pair = tls::Pair::of(&["127.0.0.1"]);
    let keys = manifest::folder();
    let (trusted, _) = pair.write(keys.path(), "trusted");
    let server = MailServer::start(&pair, true);
    let hook = Hook::start();
    for _ in 0..4 {
        hook.answer(503, "later");
    }
    let posted = ["slack-webhook", "slack-bot", "pagerduty", "ms-teams-webhook"];
    let mail = |port: u16| {
        json!({"type": "notification-channel", "name": "email", "kind": "email",
        "smtp": {"host": "127.0.0.1", "port": port, "security": "tls"},
        "from": "weir@example.com", "to_emails": ["money@example.com"]})
    };
    let channel = |kind: &&str| {
        let mut channel = json!({"type": "notification-channel", "name": kind, "kind": kind,
            "url": hook.url(&format!("/{kind}"))});
        if matches!(*kind, "slack-bot" | "pagerduty") {
            channel["key"] = "tfy-secret://us:alerts:KEY".into();
        }
        channel
    };
    let target = |kind: &&str| {
        let mut target = json!({"type": kind, "notification_channel": kind});
        if *kind == "slack-bot" {
            target["channels"] = json!(["C0123"]);
        }
        target
    };
    let targets = posted.iter().chain(&["email"]).map(target).collect();
    // Nobody listens there at first.
    let mut documents = vec![mail(closed_port()), budget("all", 2.0, json!([50]), targets)];
    documents.extend(posted.iter().map(channel));
    let environment =
        [("SSL_CERT_FILE", trusted.to_str().expect("UTF-8")), ("KEY", "key-of-alerts")];
    let mut house = house(&documents, &environment);

    spend(&house, 1);
    for kind in posted {
        let sent = format!("weir_alerts_sent_total{{channel=\"{kind}\",kind=\"{kind}\"}} 1");
        let metrics = house.gateway.get_metrics_until(&sent);
        for name in ["failed", "retried"] {
            let row = format!("weir_alerts_{name}_total{{channel=\"{kind}\",kind=\"{kind}\"}} 1");
            assert!(metrics.contains(&row), "{row}");
        }
    }
    let mut posts: Vec<String> = (0..8).map(|_| hook.next().path).collect();
    posts.sort();
    assert_eq!(posts.iter().filter(|path| *path == "/pagerduty").count(), 2);
    let waiting = "weir_alerts_waiting{channel=\"email\",kind=\"email\"} 1";
    let metrics = house.gateway.get_metrics_until(waiting);
    assert!(metrics.contains("weir_alerts_sent_total{channel=\"email\",kind=\"email\"} 0"));

    // The mail is owed across a restart, and told when there is a server; nothing is told twice.
    house.gateway.terminate();
    house.gateway.exit();
    manifest::write_each(&house.gateway.manifests, &[mail(server.address.port())]);
    let data = house.gateway.take_data();
    let folder = std::mem::replace(&mut house.gateway.manifests, manifest::folder());
    let mut command = gateway::binary();
    command.envs(environment);
    house.gateway = Gateway::start_by(command, folder, data, &[]);
    let mail = server.next();
    assert!(mail.text.contains("spent $0.002 of $0.004"), "{mail:?}");
    let sent = "weir_alerts_sent_total{channel=\"email\",kind=\"email\"} 1";
    house.gateway.get_metrics_until(sent);
    assert!(hook.rest().is_empty());
}

/// What is owed survives a kill, and what was told is not told again.
#[test]
fn after_a_restart_what_is_owed_is_sent_and_what_was_sent_is_not() {
    let hook = Hook::start();
    hook.answer(500, "");
    let mut house = house(
        &[
            webhook("hook", &hook.url("/")),
            budget("all", 2.0, json!([50, 100]), json!([to_webhook("hook")])),
        ],
        &[],
    );
    spend(&house, 1);
    let refused = hook.next();

    house.gateway.kill();
    house.begin_again();
    let sent = hook.next();
    assert_eq!(sent.body, refused.body);
    assert!(house.gateway.wait_for_line("people were told").is_some());
    house.gateway.terminate();
    house.gateway.exit();
    house.begin_again();
    spend(&house, 1);
    let next = hook.next();

    assert!(next.body["text"].as_str().is_some_and(|text| text.contains("100%")), "{next:?}");
    assert!(hook.rest().is_empty());
}

/// A threshold that is written later is told if it is reached already; so is one whose channel was
/// mended.
#[test]
fn a_threshold_that_is_added_by_a_change_is_told_if_it_is_reached() {
    let hook = Hook::start();
    let silent = budget("all", 4.0, json!([100]), json!([to_webhook("hook")]));
    let house = house(&[webhook("hook", &hook.url("/")), silent], &[]);
    spend(&house, 2);
    house.receipts(2);

    let loud = budget("all", 4.0, json!([50]), json!([to_webhook("hook")]));
    manifest::write_each(&house.gateway.manifests, &[webhook("hook", &hook.url("/")), loud]);

    let told = hook.next();
    assert!(told.body["text"].as_str().is_some_and(|text| text.contains("50%")), "{told:?}");
}

#[test]
fn alerts_that_cannot_be_obeyed_are_refused_with_words() {
    let folder = manifest::folder();
    let vendor = harness::vendor();
    manifest::write_usual(&folder, vendor.address(), &["chat"]);
    let hook = || webhook("hook", "https://hooks.example.com/x");
    let told = |targets: Value| vec![hook(), budget("a", 1.0, json!([50]), targets)];
    let at = |thresholds| vec![hook(), budget("a", 1.0, thresholds, json!([to_webhook("hook")]))];
    let channel = |kind: &str, more: Value| {
        let mut channel = json!({"type": "notification-channel", "name": "a", "kind": kind});
        channel.as_object_mut().expect("it is").extend(more.as_object().expect("it is").clone());
        vec![channel]
    };
    let mail = |more: Value| {
        let mut smtp = json!({"host": "mail.example.com"});
        smtp.as_object_mut().expect("it is").extend(more.as_object().expect("it is").clone());
        channel("email", json!({"from": "weir@example.com", "smtp": smtp}))
    };
    for (documents, words) in [
        (told(json!([to_webhook("gone")])), "\"gone\", wanted the name of a channel"),
        (told(json!([{"type": "pagerduty", "notification_channel": "hook"}])), "another kind"),
        (told(json!([{"type": "pigeon", "notification_channel": "hook"}])), "slack-webhook"),
        (told(json!([])), "who are told"),
        (
            told(json!([{"type": "slack-webhook", "notification_channel": "hook",
                "to_emails": ["a@example.com"]}])),
            "a key that slack-webhook has not",
        ),
        (at(json!([0])), "percent"),
        (at(json!([1001])), "percent"),
        (at(json!([50, 50.0])), "each once"),
        (at(json!([])), "each once"),
        (channel("slack-webhook", json!({})), "url"),
        (channel("slack-webhook", json!({"url": "ftp://a.example.com"})), "https://HOST"),
        (channel("slack-webhook", json!({"url": "https://a.example", "key": "x"})), "has not"),
        (channel("pagerduty", json!({})), "key"),
        (channel("email", json!({"from": "weir@example.com"})), "a mail server"),
        (mail(json!({"username": "weir"})), "username and password"),
        (
            mail(json!({"security": "none", "username": "weir", "password": "x"})),
            "never goes in the clear",
        ),
        (mail(json!({"security": "loud"})), "starttls"),
        (
            channel("email", json!({"from": "nobody", "smtp": {"host": "mail.example.com"}})),
            "a mail address",
        ),
    ] {
        for stale in 0..2 {
            let _ = std::fs::remove_file(folder.path().join(format!("more-{stale}.yaml")));
        }
        manifest::write_each(&folder, &documents);
        let config = folder.path().to_str().expect("a temporary folder is UTF-8");
        let (code, output, _) = gateway::run(&["check", "--config", config]);
        assert_eq!(code, Some(1), "{words}: {output}");
        assert!(output.contains(words), "{words}: {output}");
    }
}
