//! Keeps the cores on the newest good snapshot.
//!
//! A change is read, compiled and its names resolved off the cores; then the weather is published,
//! then the snapshot, both whole. A change with an error is refused whole and reported.

use crate::{
    bridge::{
        lane::{self, Receiver, Sender},
        weather::Weather,
    },
    control_plane::{
        edit::{self, Edit, EditFault, Edits, Written},
        load::{Loaded, Machine, Previous, Rejected, load_again, load_next, now, rehearse},
        resolver::{self, Answer, Place},
        secrets::SecretSource,
        status::ConfigStatus,
        tokens::{CHANGE_WAIT, START_WAIT, Tokens},
        watch::{RESCAN, SETTLE, Watch, stamp},
    },
    lexicon::{
        problem::{Problem, Severity},
        secret::Secret,
    },
    manifest::{
        read::Document,
        secret_ref::{self, SecretRef},
    },
    snapshot::{Snapshot, compile::Compiled},
};
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    task::{JoinSet, spawn_blocking},
    time::{MissedTickBehavior, interval, sleep},
};

/// How often names are resolved again.
const REFRESH: Duration = Duration::from_secs(30);
/// Owns the configuration and the lanes down.
pub struct Publisher {
    path: PathBuf,
    secrets: SecretSource,
    snapshots: Sender<Snapshot>,
    weathers: Sender<Weather>,
    snapshot: Arc<Snapshot>,
    weather: Weather,
    status: Arc<ConfigStatus>,
    trigger: Trigger,
    secrets_named: HashSet<SecretRef>,
    /// What the snapshot was compiled from, for the next token.
    source: Arc<Compilable>,
    tokens: Tokens,
    machine: Machine,
    digest: [u8; 32],
    /// Of the change that was refused last, so that it is refused (and counted) once.
    digest_refused: Option<[u8; 32]>,
    stamp: [u8; 32],
    refreshes: JoinSet<Vec<Answer>>,
    edits: (Edits, mpsc::Receiver<Edit>),
}

/// What was read, to be compiled again.
struct Compilable {
    documents: Vec<Document>,
    secrets: HashMap<SecretRef, Secret>,
}

/// Asks a running publisher to look at its files now, as SIGHUP does.
#[derive(Clone, Debug, Default)]
pub struct Trigger(Arc<Notify>);

impl Trigger {
    pub fn reload(&self) {
        self.0.notify_one();
    }

    /// Returns once it was asked; safe to cancel.
    pub(super) async fn asked(&self) {
        self.0.notified().await;
    }
}

impl Publisher {
    /// Fetches the tokens of a first snapshot, resolves its names and makes the lanes that hold it.
    pub async fn start(path: PathBuf, secrets: SecretSource, loaded: Loaded) -> Self {
        let (mut tokens, mut machine) = (Tokens::new(), Machine::here());
        let Loaded { compiled, secrets_named, digest, documents, secrets: resolved } = loaded;
        let source = Arc::new(Compilable { documents, secrets: resolved });
        let version = compiled.snapshot.version;
        let patience = (&mut tokens, START_WAIT);
        let compiled = equip(compiled, &source, patience, (&mut machine, version)).await;
        let snapshot = Arc::new(compiled.snapshot);
        let mut weather = Weather::default();
        let answers = resolver::resolve(resolver::unknown(&snapshot, &weather)).await;
        resolver::adopt(&mut weather, answers);
        let status = Arc::new(ConfigStatus::new(snapshot.version, now(), &compiled.warnings));
        warn(&compiled.warnings);
        let (snapshots, _) = lane::lane(Arc::clone(&snapshot));
        let (weathers, _) = lane::lane(Arc::new(weather.clone()));
        Self {
            path,
            secrets,
            snapshots,
            weathers,
            snapshot,
            weather,
            status,
            trigger: Trigger::default(),
            secrets_named,
            source,
            tokens,
            machine,
            digest,
            digest_refused: None,
            // Unlike any: what changed since `load` is found by the first look.
            stamp: [0; 32],
            refreshes: JoinSet::new(),
            edits: edit::lane(),
        }
    }

    /// The ends of both lanes for one more core.
    #[must_use]
    pub fn subscribe(&self) -> (Receiver<Snapshot>, Receiver<Weather>) {
        (self.snapshots.subscribe(), self.weathers.subscribe())
    }

    #[must_use]
    pub fn status(&self) -> Arc<ConfigStatus> {
        Arc::clone(&self.status)
    }

    #[must_use]
    pub fn trigger(&self) -> Trigger {
        self.trigger.clone()
    }

    /// Where budgets are written while it runs.
    #[must_use]
    pub fn edits(&self) -> Edits {
        self.edits.0.clone()
    }

    /// Runs until `shutdown` is ready.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let watch = Watch::new(&self.path, &self.secrets);
        let trigger = Arc::clone(&self.trigger.0);
        let mut rescan = interval(RESCAN);
        let mut refresh = interval(REFRESH);
        rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        refresh.tick().await;
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                () = watch.changed() => {
                    watch.quiet().await;
                    self.reload().await;
                }
                () = trigger.notified() => {
                    self.digest_refused = None;
                    self.reload().await;
                }
                _ = rescan.tick() => self.rescan().await,
                _ = refresh.tick() => self.refresh(),
                () = self.tokens.changed() => self.renew().await,
                Some(Ok(answers)) = self.refreshes.join_next() => self.adopt(answers),
                Some(edit) = self.edits.1.recv() => self.edit(edit).await,
            }
        }
    }

    /// Reloads if files have changed that nobody told of.
    async fn rescan(&mut self) {
        let mut seen = self.look().await;
        if seen == self.stamp {
            return;
        }
        loop {
            sleep(SETTLE).await;
            let again = self.look().await;
            if again == seen {
                break;
            }
            seen = again;
        }
        self.reload().await;
    }

    async fn look(&self) -> [u8; 32] {
        let (path, secrets) = (self.path.clone(), self.secrets.clone());
        let names = self.secrets_named.clone();
        let look = move || {
            let mut names: Vec<_> = names.iter().collect();
            names.sort_unstable();
            stamp(&path, &secrets, names.into_iter())
        };
        spawn_blocking(look).await.unwrap_or(self.stamp)
    }

    async fn reload(&mut self) {
        // Looked at before it is read: a change in between is found by the next look.
        let stamp = self.look().await;
        let (path, secrets) = (self.path.clone(), self.secrets.clone());
        let previous = self.previous();
        let load = move || load_next(&path, &secrets, now(), &previous);
        let outcome = spawn_blocking(load).await.unwrap_or_else(|_| Err(panicked()));
        match outcome {
            Ok(loaded) => self.publish(loaded).await,
            Err(rejected) => self.refuse(rejected),
        }
        self.stamp = stamp;
    }

    /// What the next snapshot must know of this one.
    fn previous(&mut self) -> Previous {
        self.machine.tokens = self.tokens.credentials(now());
        Previous {
            version: self.snapshot.version + 1,
            known_secrets: self.secrets_named.clone(),
            machine: self.machine.clone(),
        }
    }

    async fn edit(&mut self, edit: Edit) {
        let Edit { wish, subject, told } = edit;
        let outcome =
            match edit::plan(&wish, subject.as_deref(), &self.source.documents, &self.path) {
                Ok(Some(change)) => self.change(change).await,
                Ok(None) => Ok(()),
                Err(fault) => Err(fault),
            };
        let written: Result<Vec<Written>, EditFault> =
            outcome.map(|()| edit::list(&self.source.documents));
        // Who asked may have left.
        let _ = told.send(written);
    }

    /// Changes a file if all can be obeyed with it, and obeys it.
    async fn change(&mut self, change: edit::Change) -> Result<(), EditFault> {
        let (path, secrets) = (self.path.clone(), self.secrets.clone());
        let (previous, is_dry) = (self.previous(), change.is_dry);
        let make = move || {
            let rehearsed = rehearse(&path, &change, &secrets, now(), &previous);
            let refused = |rejected: Rejected| EditFault::Refused(rejected.problems);
            rehearsed.map_err(refused)?;
            if is_dry { Ok(()) } else { change.make(&path).map_err(EditFault::Disk) }
        };
        let made = spawn_blocking(make).await;
        made.unwrap_or_else(|_| Err(EditFault::Refused(panicked().problems)))?;
        if !is_dry {
            self.reload().await;
        }
        Ok(())
    }

    async fn publish(&mut self, loaded: Loaded) {
        self.digest_refused = None;
        if loaded.digest == self.digest {
            self.status.unchanged();
            return;
        }
        let Loaded { compiled, secrets_named, digest, documents, secrets } = loaded;
        let source = Arc::new(Compilable { documents, secrets });
        let version = compiled.snapshot.version;
        let machine = (&mut self.machine, version);
        let patience = (&mut self.tokens, CHANGE_WAIT);
        let compiled = equip(compiled, &source, patience, machine).await;
        self.source = source;
        let snapshot = Arc::new(compiled.snapshot);
        let places = resolver::unknown(&snapshot, &self.weather);
        if !places.is_empty() {
            resolver::adopt(&mut self.weather, resolver::resolve(places).await);
            self.weathers.publish(Arc::new(self.weather.clone()));
        }
        self.snapshots.publish(Arc::clone(&snapshot));
        self.status.loaded(snapshot.version, now(), &compiled.warnings);
        tracing::info!(version = snapshot.version, "the configuration has changed");
        warn(&compiled.warnings);
        (self.snapshot, self.secrets_named, self.digest) = (snapshot, secrets_named, digest);
    }

    /// A snapshot for the tokens that there are now; nothing else is different in it.
    async fn renew(&mut self) {
        let previous = self.previous();
        let version = previous.version;
        let Some(compiled) = compile_again(&self.source, previous).await else {
            tracing::error!("what was obeyed cannot be compiled again");
            return;
        };
        self.snapshot = Arc::new(compiled.snapshot);
        self.snapshots.publish(Arc::clone(&self.snapshot));
        self.status.renewed(version);
    }

    fn refuse(&mut self, rejected: Rejected) {
        if rejected.digest.is_some() && rejected.digest == self.digest_refused {
            return;
        }
        self.digest_refused = rejected.digest;
        tracing::error!("the change is refused, the configuration before it stays in force");
        for problem in &rejected.problems {
            match problem.severity {
                Severity::Error => tracing::error!("{problem}"),
                Severity::Warning => tracing::warn!("{problem}"),
            }
        }
        self.status.refused(&rejected.problems);
    }

    /// Begins to resolve all names again, unless that is still going on.
    fn refresh(&mut self) {
        if self.refreshes.is_empty() {
            let places: Vec<Place> = resolver::unknown(&self.snapshot, &Weather::default());
            self.refreshes.spawn(resolver::resolve(places));
        }
    }

    fn adopt(&mut self, answers: Vec<Answer>) {
        let before = self.weather.clone();
        resolver::adopt(&mut self.weather, answers);
        let keys: HashSet<_> = self.snapshot.endpoints.iter().map(|it| it.key).collect();
        self.weather.addresses.retain(|key, _| keys.contains(key));
        if self.weather != before {
            self.weathers.publish(Arc::new(self.weather.clone()));
        }
    }
}

/// Wants the tokens of what was compiled, and compiles again with those that came.
async fn equip(
    compiled: Compiled,
    source: &Arc<Compilable>,
    (tokens, patience): (&mut Tokens, Duration),
    (machine, version): (&mut Machine, u64),
) -> Compiled {
    tokens.want(&compiled.sources, patience).await;
    machine.tokens = tokens.credentials(now());
    if compiled.sources.is_empty() {
        return compiled;
    }
    // Every secret was judged when it was compiled first.
    let known_secrets = secret_ref::named(source.documents.iter().map(|it| &it.tree));
    let known_secrets = known_secrets.into_iter().collect();
    let previous = Previous { version, known_secrets, machine: machine.clone() };
    match compile_again(source, previous).await {
        Some(again) => Compiled { warnings: compiled.warnings, ..again },
        None => compiled,
    }
}

async fn compile_again(source: &Arc<Compilable>, previous: Previous) -> Option<Compiled> {
    let source = Arc::clone(source);
    let compile = move || load_again(&source.documents, &source.secrets, now(), &previous).ok();
    spawn_blocking(compile).await.ok().flatten()
}

fn warn(warnings: &[Problem]) {
    for problem in warnings {
        tracing::warn!("{problem}");
    }
}

/// A compiler that panics is our fault; the configuration in force is none the worse for it.
fn panicked() -> Rejected {
    let problem = Problem {
        severity: Severity::Error,
        document: "configuration".to_owned(),
        line: 0,
        path: String::new(),
        found: "a panic while it was compiled".to_owned(),
        wanted: "a snapshot".to_owned(),
        hint: "this is a fault of the gateway: please report it".to_owned(),
    };
    Rejected { problems: vec![problem], digest: None }
}
