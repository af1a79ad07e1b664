//! `x-tfy-retry-config`: how often one request may be asked again.
//!
//! **Shape**: `{"attempts":3,"onStatusCodes":[429,500],"useRetryAfterHeader":true,"delay":100}`;
//! only `attempts` must be there.

use crate::{
    policy::route::retry::{ATTEMPTS_MAX, Codes, DELAY_MS_MAX, Retry},
    wire::json::document::{Document, Kind, Value},
};

/// Read the header's value.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(header: &[u8]) -> Result<Retry, &'static str> {
    let mut document = Document::default();
    let root = document.parse(header).ok().filter(|root| root.kind() == Kind::Object);
    let root = root.ok_or("It must be a JSON object.")?;
    let mut retry = Retry::default();
    let attempts = root.get("attempts").and_then(Value::as_u64);
    let attempts = attempts.filter(|it| *it <= u64::from(ATTEMPTS_MAX));
    let attempts = attempts.ok_or("\"attempts\" must be a whole number from 0 to 10.")?;
    retry.attempts = u8::try_from(attempts).unwrap_or_default();
    if let Some(delay) = root.get("delay") {
        let delay = delay.as_u64().filter(|it| *it <= u64::from(DELAY_MS_MAX));
        let delay = delay.ok_or("\"delay\" must be milliseconds, 60000 at most.")?;
        retry.delay_ms = u32::try_from(delay).unwrap_or(DELAY_MS_MAX);
    }
    if let Some(codes) = root.get("onStatusCodes") {
        let wrong = "\"onStatusCodes\" must be a list of error statuses.";
        if codes.kind() != Kind::Array {
            return Err(wrong);
        }
        let codes = codes.items().try_fold(Codes::default(), |codes, item| {
            let text = item.plain().and_then(|text| text.parse().ok());
            let status = item.as_u64().or(text).and_then(|it| u16::try_from(it).ok());
            let status = status.filter(|status| (400..600).contains(status))?;
            Some(codes.with(status))
        });
        retry.codes = codes.ok_or(wrong)?;
    }
    if let Some(flag) = root.get("useRetryAfterHeader") {
        let wrong = "\"useRetryAfterHeader\" must be true or false.";
        retry.uses_retry_after = flag.as_bool().ok_or(wrong)?;
    }
    Ok(retry)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_header_is_read_or_refused_in_words() {
        let read_str = |text: &str| read(text.as_bytes());
        let retry = read_str(
            r#"{"attempts":3,"onStatusCodes":[429,"503"],
            "useRetryAfterHeader":true,"delay":5}"#,
        )
        .expect("it is as it should be");
        assert_eq!((retry.attempts, retry.delay_ms, retry.uses_retry_after), (3, 5, true));
        assert!(retry.codes.has(503) && retry.codes.has(429) && !retry.codes.has(500));
        assert!(read_str(r#"{"attempts":1}"#).is_ok_and(|it| it.codes.has(502)));
        for bad in [
            "",
            "3",
            "{}",
            r#"{"attempts":11}"#,
            r#"{"attempts":-1}"#,
            r#"{"attempts":1,"delay":70000}"#,
            r#"{"attempts":1,"onStatusCodes":[200]}"#,
            r#"{"attempts":1,"onStatusCodes":429}"#,
            r#"{"attempts":1,"useRetryAfterHeader":"yes"}"#,
        ] {
            assert!(read_str(bad).is_err(), "{bad}");
        }
    }
}
