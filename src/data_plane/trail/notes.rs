//! What is rare on the way: attempts that failed and what they used, when to ask again, and what a
//! language has no word for.

use crate::{
    data_plane::stage::respond,
    dialect::pivot::dropped::Dropped,
    lexicon::{
        fault::Fault,
        receipt::{ATTEMPTS_BYTES_MAX, DROPPED_BYTES_MAX},
        usage::Usage,
    },
    wire::json,
};

/// The words for what an attempt failed with, and the spaces around.
const WHAT_FAILED_BYTES_MAX: usize = 24;

/// One word in every trail; of most exchanges there is nothing to note.
#[derive(Debug, Default)]
pub struct Notes(Option<Box<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    /// Target and what it failed with, one after the other.
    attempts: String,
    request_dropped: String,
    reply_dropped: String,
    /// When a busy target has a turn; of several the earliest; 0 is nothing.
    retry_after_seconds: u64,
    /// An earlier attempt was sent.
    was_sent: bool,
    /// Of attempts that failed, and were billed.
    earlier: Option<Earlier>,
    /// What was reserved, where that is charged.
    reserved: Option<Reserved>,
}

/// All that was reserved, where that is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// None where a price is unknown.
    pub cost_nanodollars: Option<u64>,
}

/// What attempts that failed have used, as their vendors reported it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    pub usage: Usage,
    /// At the prices of those that were asked; none where one is unknown.
    pub cost_nanodollars: Option<u64>,
}

impl Notes {
    /// An attempt failed with this status, or before there was one.
    #[cold]
    pub fn fail(&mut self, target: &str, status: u16, fault: Option<Fault>) {
        let failed = &mut self.0.get_or_insert_default().attempts;
        // A receipt has no room for more; how many they were it says anyway.
        if failed.len() + target.len() + WHAT_FAILED_BYTES_MAX > ATTEMPTS_BYTES_MAX {
            return;
        }
        if !failed.is_empty() {
            failed.push(' ');
        }
        failed.push_str(target);
        failed.push(' ');
        match fault {
            None | Some(Fault::Status(_) | Fault::Auth) => failed.push_str(&status.to_string()),
            Some(fault) => failed.push_str(fault.label()),
        }
    }

    /// An attempt was sent that is not the last.
    pub fn note_sent(&mut self) {
        self.0.get_or_insert_default().was_sent = true;
    }

    /// Was an attempt sent before the last one?
    pub fn was_sent(&self) -> bool {
        self.0.as_ref().is_some_and(|noted| noted.was_sent)
    }

    /// An attempt that failed has used this.
    #[cold]
    pub fn bill(&mut self, usage: &Usage, cost_nanodollars: Option<u64>) {
        let known = &mut self.0.get_or_insert_default().earlier;
        let sum = known.unwrap_or(Earlier { cost_nanodollars: Some(0), ..Earlier::default() });
        *known = Some(Earlier {
            usage: sum.usage.plus(usage),
            cost_nanodollars: sum
                .cost_nanodollars
                .zip(cost_nanodollars)
                .map(|(sum, own)| sum.saturating_add(own)),
        });
    }

    /// What attempts that failed have used; none where nobody reported any.
    pub fn earlier(&self) -> Option<&Earlier> {
        self.0.as_ref()?.earlier.as_ref()
    }

    /// All that was reserved is charged.
    #[cold]
    pub fn charge_reserved(&mut self, reserved: Reserved) {
        self.0.get_or_insert_default().reserved = Some(reserved);
    }

    /// What was reserved, where that is charged.
    pub fn reserved(&self) -> Option<Reserved> {
        self.0.as_ref()?.reserved
    }

    /// The target was not told this of the request.
    pub fn drop_of_request(&mut self, dropped: &Dropped) {
        if !dropped.is_empty() {
            self.0.get_or_insert_default().request_dropped = names(dropped);
        }
    }

    /// The client was not told this of the answer.
    pub fn drop_of_reply(&mut self, dropped: &Dropped) {
        if !dropped.is_empty() {
            self.0.get_or_insert_default().reply_dropped = names(dropped);
        }
    }

    /// A target is busy; whoever asks again in so many seconds finds a turn there.
    #[cold]
    pub fn tell_later(&mut self, seconds: u64) {
        let known = &mut self.0.get_or_insert_default().retry_after_seconds;
        *known = if *known == 0 { seconds } else { seconds.min(*known) };
    }

    /// Append when to ask again, where a busy target says it.
    pub fn push_later(&self, out: &mut Vec<u8>) {
        let seconds = self.0.as_ref().map_or(0, |noted| noted.retry_after_seconds);
        if seconds > 0 {
            respond::push_raw(out, b"retry-after", seconds.to_string().as_bytes());
        }
    }

    pub fn attempts(&self) -> &str {
        self.0.as_ref().map_or("", |noted| &noted.attempts)
    }

    pub fn request_dropped(&self) -> &str {
        self.0.as_ref().map_or("", |noted| &noted.request_dropped)
    }

    pub fn reply_dropped(&self) -> &str {
        self.0.as_ref().map_or("", |noted| &noted.reply_dropped)
    }

    /// Append `,"fallback":{"attempts":[{"target":"…","failed":"…"}]}` where attempts failed.
    pub fn push_failed(&self, out: &mut Vec<u8>) {
        if self.attempts().is_empty() {
            return;
        }
        out.extend_from_slice(b",\"fallback\":{\"attempts\":[");
        let mut words = self.attempts().split(' ');
        let mut is_first = true;
        while let (Some(target), Some(what)) = (words.next(), words.next()) {
            if !is_first {
                out.push(b',');
            }
            is_first = false;
            out.extend_from_slice(b"{\"target\":");
            push_ascii(out, target);
            out.extend_from_slice(b",\"failed\":");
            push_ascii(out, what);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
}

#[cold]
fn names(dropped: &Dropped) -> String {
    let mut names = Vec::new();
    dropped.push_within(&mut names, DROPPED_BYTES_MAX);
    String::from_utf8(names).unwrap_or_default()
}

/// A JSON string for a header's value: what is not ASCII is escaped.
fn push_ascii(out: &mut Vec<u8>, text: &str) {
    let mut json = Vec::new();
    json::value::push_json_string(&mut json, text);
    for character in String::from_utf8_lossy(&json).chars() {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => out.push(byte),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                }
            }
        }
    }
}
