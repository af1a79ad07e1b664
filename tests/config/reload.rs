//! Files change; the cores see it whole or not at all.

use super::desk::Desk;
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, interval, timeout},
};
use weir::{
    bridge::{lane::Receiver, weather::Weather},
    control_plane::{
        publisher::{Publisher, Trigger},
        status::ConfigStatus,
    },
    lexicon::operation::Operation,
    snapshot::Snapshot,
};

/// Far above what anything here takes; a test that waits this long has failed.
const DEADLINE: Duration = Duration::from_secs(10);

const LAB: &str = "
type: provider-account/self-hosted-model
name: lab
collaborators: [{subject: team:everyone, role_id: provider-account-access}]
integrations:
  - {name: m, type: integration/model/self-hosted-model, model_types: [chat],
     url: 'http://127.0.0.1:1', auth_data: {type: bearer-auth, bearer_token: 'tfy-secret://t:g:LAB_KEY'}}
";

const OPEN: &str = "
type: provider-account/self-hosted-model
name: open
collaborators: [{subject: team:everyone, role_id: provider-account-access}]
integrations:
  - {name: m, type: integration/model/self-hosted-model, model_types: [chat],
     url: 'http://127.0.0.2:1'}
";

/// Knows the hash of "ada-token".
fn ada() -> String {
    let hash = format!("{:x}", Sha256::digest("ada-token"));
    format!(
        "{{type: personal-access-token, name: ada, subject: 'user:ada', token_sha256: '{hash}'}}\n"
    )
}

/// A publisher at work on a desk.
struct Running {
    desk: Desk,
    snapshots: Receiver<Snapshot>,
    weathers: Receiver<Weather>,
    newest: Arc<Snapshot>,
    status: Arc<ConfigStatus>,
    trigger: Trigger,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn on(files: &[(&str, &str)]) -> Self {
        let desk = Desk::with(files);
        desk.keep_secret("g", "LAB_KEY", "lab-key\n");
        let loaded = desk.loaded();
        let publisher = Publisher::start(desk.manifests(), desk.secrets(), loaded).await;
        let (mut snapshots, weathers) = publisher.subscribe();
        let (stop, stopped) = oneshot::channel();
        let (status, trigger) = (publisher.status(), publisher.trigger());
        let task = tokio::spawn(publisher.run(async {
            let _ = stopped.await;
        }));
        let newest = snapshots.changed().expect("the first snapshot");
        Self { desk, snapshots, weathers, newest, status, trigger, stop, task }
    }

    /// Waits until the newest snapshot is as wished.
    async fn until(&mut self, wish: impl Fn(&Snapshot) -> bool) {
        let mut ticks = interval(Duration::from_millis(2));
        let wait = async {
            while !wish(&self.newest) {
                ticks.tick().await;
                if let Some(newest) = self.snapshots.changed() {
                    self.newest = newest;
                }
            }
        };
        timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("{:?}", self.status.report()));
    }

    /// Waits until so many changes have been refused.
    async fn until_refused(&self, count: u64) {
        let mut ticks = interval(Duration::from_millis(2));
        let wait = async {
            while self.status.report().failures_total < count {
                ticks.tick().await;
            }
        };
        timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("{:?}", self.status.report()));
    }

    async fn end(self) {
        self.stop.send(()).expect("it runs");
        timeout(DEADLINE, self.task).await.expect("it ends").expect("without a panic");
    }
}

fn opens(snapshot: &Snapshot, token: &str) -> bool {
    let hash: [u8; 32] = Sha256::digest(token).into();
    snapshot.tokens.contains_key(&hash)
}

fn is_missing(snapshot: &Snapshot, model: &str) -> Option<bool> {
    let id = snapshot.model_names.get(model)?;
    Some(snapshot.model(*id).target.is_secret_missing)
}

#[tokio::test]
async fn a_change_is_swapped_in_whole_after_its_names_are_resolved() {
    let mut running = Running::on(&[("lab.yaml", LAB)]).await;

    running.desk.write("open.yaml", &format!("{OPEN}---\n{}", ada()));
    running.until(|snapshot| snapshot.version == 2).await;

    let newest = &running.newest;
    assert_eq!(newest.models.len(), 2);
    assert!(opens(newest, "ada-token"));
    let weather = running.weathers.changed().expect("weather");
    for endpoint in &newest.endpoints {
        assert_eq!(weather.addresses[&endpoint.key].len(), 1, "{}", endpoint.host);
    }
    let report = running.status.report();
    assert_eq!((report.version, report.loads_total, report.failures_total), (2, 2, 0));
    running.end().await;
}

#[tokio::test]
async fn a_change_with_an_error_is_refused_whole_until_it_is_mended() {
    let mut running = Running::on(&[("lab.yaml", LAB)]).await;

    running.desk.write("bad.yaml", "{type: team, name: t}\n");
    running.desk.write("open.yaml", OPEN);
    running.until_refused(1).await;

    assert!(running.snapshots.changed().is_none());
    let report = running.status.report();
    assert_eq!(report.version, 1);
    assert_eq!(
        report.problems[0].text,
        "bad.yaml:1: error: members: found nothing, wanted this key"
    );

    running.desk.write("bad.yaml", "{type: team, name: t, members: []}\n");
    running.until(|snapshot| snapshot.model_names.contains_key("open/m")).await;
    assert!(running.status.report().problems.is_empty());
    running.end().await;
}

#[tokio::test]
async fn an_emptied_folder_is_a_mistake_and_not_a_wipe() {
    let mut running = Running::on(&[("lab.yaml", LAB)]).await;

    running.desk.remove("lab.yaml");
    running.until_refused(1).await;
    assert!(running.snapshots.changed().is_none());

    running.desk.write("lab.yaml", "# all gone\n");
    running.until_refused(2).await;
    assert!(running.snapshots.changed().is_none());

    running.desk.write("lab.yaml", LAB);
    let status = Arc::clone(&running.status);
    running.until(|_| status.report().problems.is_empty()).await;
    assert_eq!(running.newest.version, 1);
    running.end().await;
}

#[tokio::test]
async fn a_token_taken_out_of_a_file_stops_working_within_a_second() {
    let mut running = Running::on(&[("lab.yaml", LAB), ("ada.yaml", &ada())]).await;
    assert!(opens(&running.newest, "ada-token"));

    let begun = Instant::now();
    running.desk.remove("ada.yaml");
    running.until(|snapshot| !opens(snapshot, "ada-token")).await;

    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    running.end().await;
}

#[tokio::test]
async fn a_secret_that_vanishes_takes_only_its_own_targets_along() {
    let both = format!("{LAB}---\n{OPEN}");
    let mut running = Running::on(&[("both.yaml", &both), ("ada.yaml", &ada())]).await;

    running.desk.lose_secret("g", "LAB_KEY");
    running.until(|snapshot| is_missing(snapshot, "lab/m") == Some(true)).await;
    assert_eq!(is_missing(&running.newest, "open/m"), Some(false));

    // It does not stand in the way of other changes either.
    running.desk.remove("ada.yaml");
    running.until(|snapshot| !opens(snapshot, "ada-token")).await;
    assert_eq!(is_missing(&running.newest, "lab/m"), Some(true));

    running.desk.keep_secret("g", "LAB_KEY", "another key");
    running.until(|snapshot| is_missing(snapshot, "lab/m") == Some(false)).await;
    let lab = running.newest.model(running.newest.model_names["lab/m"]);
    let head = String::from_utf8_lossy(lab.target.head(Operation::ChatCompletions));
    assert!(head.contains("authorization: Bearer another key\r\n"), "{head}");
    running.end().await;
}

#[tokio::test]
async fn a_new_manifest_whose_secret_is_not_there_is_refused() {
    let mut running = Running::on(&[("lab.yaml", LAB)]).await;

    running.desk.write("more.yaml", &LAB.replace("name: lab", "name: more").replace("LAB", "NEW"));
    running.until_refused(1).await;

    assert!(running.snapshots.changed().is_none());
    running.desk.keep_secret("g", "NEW_KEY", "there now");
    running.trigger.reload();
    running.until(|snapshot| is_missing(snapshot, "more/m") == Some(false)).await;
    running.end().await;
}

#[tokio::test]
async fn a_single_file_is_watched_like_a_folder() {
    let desk = Desk::with(&[("open.yaml", OPEN)]);
    let path = desk.manifests().join("open.yaml");
    let loaded = weir::control_plane::load::load(&path, &desk.secrets(), super::desk::NOW)
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    let publisher = Publisher::start(path, desk.secrets(), loaded).await;
    let (mut snapshots, _) = publisher.subscribe();
    snapshots.changed().expect("the first snapshot");
    let task = tokio::spawn(publisher.run(std::future::pending()));

    desk.write("open.yaml", &format!("{OPEN}---\n{}", ada()));

    let mut ticks = interval(Duration::from_millis(2));
    let wait = async {
        loop {
            ticks.tick().await;
            if let Some(snapshot) = snapshots.changed() {
                return snapshot;
            }
        }
    };
    let snapshot = timeout(DEADLINE, wait).await.expect("a change");
    assert!(opens(&snapshot, "ada-token"));
    task.abort();
}
