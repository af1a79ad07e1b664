//! What became of messages, by channel; for Prometheus.
//!
//! **Invariants**: as many series as there are channels, which operators write.

use crate::policy::alert::Channel;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Shared by what sends and what is asked.
#[derive(Debug, Default)]
pub struct Counts {
    channels: Mutex<BTreeMap<Box<str>, Count>>,
    untold_total: AtomicU64,
}

/// Of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// As its document calls it.
    pub kind: &'static str,
    pub sent_total: u64,
    /// Tries that came to nothing.
    pub failed_total: u64,
    /// Tries that were not the first.
    pub retried_total: u64,
    /// Messages that were no news any more.
    pub given_up_total: u64,
    /// Messages that are not sent yet.
    pub waiting: u64,
}

impl Counts {
    /// By name.
    #[must_use]
    pub fn look(&self) -> BTreeMap<Box<str>, Count> {
        self.channels.lock().clone()
    }

    /// Thresholds that nobody is told of, since too many were reached; each as often as it was
    /// looked at.
    #[must_use]
    pub fn untold_total(&self) -> u64 {
        self.untold_total.load(Relaxed)
    }

    pub(super) fn set_untold(&self, total: u64) {
        self.untold_total.store(total, Relaxed);
    }

    /// For these channels alone, and those by which something waits.
    pub(super) fn keep(&self, channels: &HashMap<Box<str>, Channel>) {
        let counts = &mut *self.channels.lock();
        counts.retain(|name, count| channels.contains_key(name) || count.waiting > 0);
        for (name, channel) in channels {
            counts.entry(name.clone()).or_default().kind = channel.label();
        }
    }

    /// So many wait, by channel.
    pub(super) fn wait<'a>(&self, channels: impl Iterator<Item = &'a Box<str>>) {
        let counts = &mut *self.channels.lock();
        for count in counts.values_mut() {
            count.waiting = 0;
        }
        for name in channels {
            counts.entry(name.clone()).or_default().waiting += 1;
        }
    }

    pub(super) fn add(&self, channel: &str, add: impl FnOnce(&mut Count)) {
        if let Some(count) = self.channels.lock().get_mut(channel) {
            add(count);
        }
    }

    /// Its end for whoever is asked.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;
    use crate::policy::alert::Channel;
    use std::collections::HashMap;

    #[test]
    fn a_channel_is_counted_as_long_as_it_is_written_or_something_waits_for_it() {
        let counts = Counts::default();
        let channels = HashMap::from([(Box::from("mail"), Channel::Lost)]);
        let (mail, gone): (Box<str>, Box<str>) = ("mail".into(), "gone".into());
        counts.keep(&channels);
        counts.wait([&gone, &gone].into_iter());
        counts.add("mail", |count| count.sent_total += 1);
        counts.keep(&channels);

        let seen = counts.look();
        assert_eq!((seen[&mail].sent_total, seen[&gone].waiting), (1, 2));

        counts.wait([].into_iter());
        counts.keep(&channels);
        assert_eq!(counts.look().keys().collect::<Vec<_>>(), [&mail]);
    }
}
