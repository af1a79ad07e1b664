//! How Bedrock's clients are told no, and how its API says it.
//!
//! ```text
//! {"message":"…"}                              x-amzn-errortype: ThrottlingException (or __type)
//! :message-type exception, :exception-type throttlingException, {"message":"…"}     in a stream
//! ```
//! **Source**: docs.aws.amazon.com/bedrock/latest/APIReference, `API_runtime_ConverseStream`, and
//! smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html, read 2026-11-21: where the header is
//! absent, clients read `__type`.

use crate::{
    dialect::pivot::{
        failure::{Failure, FailureKind},
        text::Text,
    },
    lexicon::refusal::Refused,
    wire::{
        eventstream::{self, FrameError, Message},
        json::{
            document::{Document, Value},
            write::Object,
        },
    },
};
use std::borrow::Cow;

/// The class of an exception by its name; a class is told by the first name of its own.
const NAMES: [(&str, FailureKind); 15] = [
    ("ValidationException", FailureKind::Invalid),
    ("UnrecognizedClientException", FailureKind::Authentication),
    ("InvalidSignatureException", FailureKind::Authentication),
    ("ExpiredTokenException", FailureKind::Authentication),
    ("AccessDeniedException", FailureKind::Permission),
    ("ResourceNotFoundException", FailureKind::NotFound),
    ("RequestEntityTooLargeException", FailureKind::TooLarge),
    ("ThrottlingException", FailureKind::RateLimit),
    ("ServiceQuotaExceededException", FailureKind::RateLimit),
    ("ServiceUnavailableException", FailureKind::Overloaded),
    ("ModelNotReadyException", FailureKind::Overloaded),
    ("ModelTimeoutException", FailureKind::Timeout),
    ("InternalServerException", FailureKind::Internal),
    ("ModelErrorException", FailureKind::Internal),
    ("ModelStreamErrorException", FailureKind::Internal),
];

/// Exceptions that a stream can end in; another is told as the first.
const OF_STREAMS: [&str; 4] = [
    "internalServerException",
    "serviceUnavailableException",
    "throttlingException",
    "validationException",
];

/// What a vendor's words are where it has none.
const NO_WORDS: &str = "The model's vendor failed and says no more.";

/// The class of an exception, whose first letter is small in streams.
fn class(name: &str) -> Option<FailureKind> {
    // Older answers: `ValidationException:http://internal.amazon.com/…`, `com.amazon#Name`.
    let name = name.split(':').next().unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default();
    let found = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, kind)| *kind)
}

/// Read an error; `None` where it is none. `status` is what it came with, if it came alone.
#[must_use]
pub fn decode<'b>(root: Value<'_, 'b>, status: Option<u16>) -> Option<Failure<'b>> {
    let text = |name: &str| root.get(name).and_then(Text::of);
    let message = text("message").or_else(|| text("Message"))?;
    let code = text("__type").or_else(|| text("code"));
    let by_status = status.map(|status| match status {
        // The model failed, not the request.
        424 => FailureKind::Internal,
        status => FailureKind::of_status(status),
    });
    let known = code.as_ref().and_then(|code| class(&code.read()));
    let kind = known.or(by_status).unwrap_or(FailureKind::Internal);
    Some(Failure { kind, message, code, param: None })
}

/// Read a frame that is an error; `None` where it is an event, or of a type that nobody knows.
#[must_use]
pub fn decode_frame<'b>(
    message: &Message<'b>,
    payload: Option<Value<'_, 'b>>,
) -> Option<Failure<'b>> {
    let (code, message) = match *message {
        Message::Exception(name) => {
            let text = |name: &str| payload.and_then(|root| root.get(name)).and_then(Text::of);
            (name, text("message").or_else(|| text("Message")))
        }
        Message::Error { code, message } => (code, Some(Text::plain(message))),
        Message::Event(_) | Message::Unknown => return None,
    };
    Some(Failure {
        kind: class(code).unwrap_or(FailureKind::Internal),
        message: message.filter(|text| !text.is_empty()).unwrap_or(Text::plain(NO_WORDS)),
        code: Some(Text::plain(code)),
        param: None,
    })
}

/// A frame that is an error, as the document that says the same.
#[must_use]
pub fn document_of(message: &Message<'_>, payload: &[u8]) -> Option<Vec<u8>> {
    let mut document = Document::default();
    let failure = decode_frame(message, document.parse(payload).ok())?;
    let mut out = Vec::new();
    push(&mut out, failure.code.as_ref().map(Text::read).as_deref(), &failure.message);
    Some(out)
}

/// Append an error object.
pub fn encode(out: &mut Vec<u8>, failure: &Failure<'_>) {
    push(out, Some(name_of(failure.kind)), &failure.message);
}

/// Append a refusal of ours.
pub fn push_refused(out: &mut Vec<u8>, refused: &Refused) {
    let kind = FailureKind::of_status(refused.refusal.row().status);
    push(out, Some(name_of(kind)), &words(refused));
}

/// Append an error as the last frame of a stream.
pub fn push_frame(
    out: &mut Vec<u8>,
    kind: FailureKind,
    message: &Text<'_>,
) -> Result<(), FrameError> {
    let name = name_of(kind);
    let name = OF_STREAMS.iter().find(|known| known.eq_ignore_ascii_case(name));
    let headers = [
        (":exception-type", *name.unwrap_or(&OF_STREAMS[0])),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    let mut payload = Vec::new();
    push(&mut payload, None, message);
    eventstream::push(out, &headers, &payload)
}

/// Append a refusal of ours as the last frame of a stream.
pub fn push_refused_frame(out: &mut Vec<u8>, refused: &Refused) {
    let kind = FailureKind::of_status(refused.refusal.row().status);
    // A refusal's words are far shorter than a frame can be.
    let pushed = push_frame(out, kind, &words(refused));
    debug_assert!(pushed.is_ok());
}

fn words(refused: &Refused) -> Text<'_> {
    let row = refused.refusal.row();
    Text::Plain(match &*refused.detail {
        "" => Cow::Borrowed(row.sentence),
        detail => Cow::Owned(format!("{} {detail}", row.sentence)),
    })
}

fn push(out: &mut Vec<u8>, name: Option<&str>, message: &Text<'_>) {
    let mut object = Object::open(out);
    if let Some(name) = name {
        object.text("__type", name);
    }
    message.push(object.key("message"));
    object.close();
}

fn name_of(kind: FailureKind) -> &'static str {
    let found = NAMES.iter().find(|(_, known)| *known == kind);
    found.map_or("InternalServerException", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::class;
    use crate::dialect::pivot::failure::FailureKind;

    #[test]
    fn an_exception_is_known_however_it_is_spelled() {
        for name in [
            "ThrottlingException",
            "throttlingException",
            "com.amazon.coral.service#ThrottlingException",
            "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
        ] {
            assert_eq!(class(name), Some(FailureKind::RateLimit), "{name}");
        }
        assert_eq!(class("SomethingNewException"), None);
    }
}
