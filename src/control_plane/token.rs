//! A new token, and the hash by which manifests know it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::io;

/// What every token begins with, so that scanners for leaked secrets can know it.
const PREFIX: &str = "weir_";

/// A new token.
///
/// **Shape**: `weir_` and 32 random bytes in base64url, 48 characters.
///
/// # Errors
/// The kernel has no randomness to give.
pub fn fresh() -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The value of `token_sha256`: 64 hexadecimal digits.
#[must_use]
pub fn sha256_hex(token: &str) -> String {
    format!("{:x}", Sha256::digest(token))
}
