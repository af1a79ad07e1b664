//! What few exchanges have to tell: attempts that failed, and when to ask again.

use crate::{
    data_plane::stage::respond,
    lexicon::{fault::Fault, receipt::ATTEMPTS_BYTES_MAX},
    wire::json,
};

/// The words for what an attempt failed with, and the spaces around.
const WHAT_FAILED_BYTES_MAX: usize = 24;

/// Kept in a box of the Trail, where there is any of it.
#[derive(Debug, Default)]
pub struct Rare {
    /// Attempts that failed: target and what it failed with, one after the other.
    pub failed: String,
    /// When a busy target has a turn; of several the earliest; 0 is nothing.
    pub retry_after_seconds: u64,
}

impl Rare {
    /// An attempt failed with this status, or before there was one.
    pub fn fail(&mut self, target: &str, status: u16, fault: Option<Fault>) {
        let failed = &mut self.failed;
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

    /// Append `,"fallback":{"attempts":[{"target":"…","failed":"…"}]}` where attempts failed.
    pub fn push_failed(&self, out: &mut Vec<u8>) {
        if self.failed.is_empty() {
            return;
        }
        out.extend_from_slice(b",\"fallback\":{\"attempts\":[");
        let mut words = self.failed.split(' ');
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

    /// A target is busy; whoever asks again in so many seconds finds a turn there.
    pub fn tell_later(&mut self, seconds: u64) {
        self.retry_after_seconds = match self.retry_after_seconds {
            0 => seconds,
            known => known.min(seconds),
        };
    }

    /// Append when to ask again, where a busy target says it.
    pub fn push_later(&self, out: &mut Vec<u8>) {
        if self.retry_after_seconds > 0 {
            let seconds = self.retry_after_seconds.to_string();
            respond::push_raw(out, b"retry-after", seconds.as_bytes());
        }
    }
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
