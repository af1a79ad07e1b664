//! What is done to a call once its body is written: what the vendor does not take is left out, and
//! where each call proves itself, it is signed.

use crate::{
    dialect::pivot::dropped::Dropped,
    lexicon::{fault::Fault, time::UnixMillis},
    provider::{
        auth::sigv4::{Signer, Unsigned},
        vendor::fit::Fit,
    },
    wire::json::prune::prune,
};

/// Leave out what the target does not take of the body at `body_at`, and name it.
pub fn fit(out: &mut Vec<u8>, body_at: usize, fit: &Fit, dropped: &mut Dropped) {
    if fit.is_nothing() {
        return;
    }
    // What is no object was refused when it was read.
    let bits = prune(out, body_at, fit.drops, fit.renames).unwrap_or_default();
    let names = fit.drops.iter().copied().chain(fit.renames.iter().map(|(old, _)| *old));
    let gone = names.enumerate().filter(|(index, _)| bits >> index & 1 == 1);
    gone.for_each(|(_, name)| dropped.name(name));
}

/// Name the version in the body at `body_at`, and not the model, which stands in the path.
pub fn say_version(out: &mut Vec<u8>, body_at: usize, version: &str) {
    // What is no object was refused when it was read.
    let _ = prune(out, body_at, &["model", "anthropic_version"], &[]);
    let Some(brace) = out[body_at..].iter().position(|byte| *byte == b'{') else { return };
    let inside = body_at + brace + 1;
    let is_empty = out[inside..].trim_ascii_start().starts_with(b"}");
    let comma = if is_empty { "" } else { "," };
    let member = format!("\"anthropic_version\":\"{version}\"{comma}");
    out.splice(inside..inside, member.into_bytes());
}

/// Sign the call in `out`, whose empty line ends at `body_at`.
///
/// **Cost**: as `Signer::sign` says, and one move of the body; for signed targets alone.
pub fn sign(
    out: &mut Vec<u8>,
    body_at: usize,
    signer: &Signer,
    now: UnixMillis,
) -> Result<(), Fault> {
    let (head, body) = out.split_at(body_at);
    let head = std::str::from_utf8(head).map_err(|_| Fault::SecretUnavailable)?;
    // `Target::head` says how it begins.
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or("POST"), words.next().unwrap_or("/"));
    let host = lines.next().and_then(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let request = Unsigned { method, target, host, content_type: "application/json", body };
    let mut proof = Vec::with_capacity(512);
    signer.sign(&mut proof, request, now).map_err(|_| Fault::SecretUnavailable)?;
    let empty_line = body_at - b"\r\n".len();
    out.splice(empty_line..empty_line, proof);
    Ok(())
}
