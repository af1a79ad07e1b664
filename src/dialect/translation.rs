//! From one dialect into another, by way of the pivot: the one place that knows them all.

mod encoder;
mod facts;
mod failure;
mod whole;

pub use facts::Facts;
pub use failure::{
    decode_failure, push_failure, push_failure_event, push_refused, retry_after_seconds,
};
pub use whole::{decode_reply, read_reply, reply, tell_reply, usage};

use crate::{
    dialect::{
        anthropic, bedrock, cohere, gemini, openai_chat, openai_responses,
        pivot::{
            delta::{Delta, Malformed, Take},
            dropped::Dropped,
            manner::Manner,
            part::Dialect,
            reply::Stop,
            request::Request,
            target::{Addressee, Written},
            unfold::Unfold,
        },
    },
    lexicon::refusal::{Refusal, Refused},
    wire::{
        eventstream::Message,
        json::{
            JsonError,
            document::{Document, Kind, Value},
        },
    },
};
use encoder::Encoder;

/// Write a client's request in the target's dialect.
///
/// # Errors
/// `InvalidJson` of what is no JSON object, with where it stops making sense; `InvalidField` and
/// `DuplicateField` with the path of the field.
pub fn request(
    out: &mut Vec<u8>,
    body: &[u8],
    (from, to): (Dialect, Dialect),
    addressee: &Addressee<'_>,
    document: &mut Document,
    dropped: &mut Dropped,
) -> Result<Written, Refused> {
    let request = read_request(document, body, from, dropped)?;
    Ok(encode_request(out, &request, to, addressee, dropped))
}

/// Read a body that is a request of this dialect.
///
/// # Errors
/// As [`request`].
pub fn read_request<'b>(
    document: &mut Document,
    body: &'b [u8],
    from: Dialect,
    dropped: &mut Dropped,
) -> Result<Request<'b>, Refused> {
    let root = document.parse(body).map_err(|error| refuse(&error))?;
    decode_request(root, from, dropped)
}

/// Read a request of this dialect.
pub fn decode_request<'b>(
    root: Value<'_, 'b>,
    from: Dialect,
    dropped: &mut Dropped,
) -> Result<Request<'b>, Refused> {
    if root.kind() != Kind::Object {
        return Err(Refusal::InvalidJson.into());
    }
    match from {
        Dialect::OpenAiChat => openai_chat::decode::request::decode(root, dropped),
        Dialect::Anthropic => anthropic::decode::request::decode(root, dropped),
        Dialect::Bedrock => bedrock::decode::request::decode(root, dropped),
        Dialect::OpenAiResponses => openai_responses::decode::request::decode(root, dropped),
        Dialect::Gemini => gemini::decode::request::decode(root, dropped),
        // No client speaks it.
        Dialect::Cohere => Err(Refusal::OperationUnsupported.into()),
    }
}

/// Append a request in this dialect.
pub fn encode_request(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    to: Dialect,
    addressee: &Addressee<'_>,
    dropped: &mut Dropped,
) -> Written {
    match to {
        Dialect::OpenAiChat => {
            openai_chat::encode::request::encode(out, request, addressee, dropped)
        }
        Dialect::Anthropic => anthropic::encode::request::encode(out, request, addressee, dropped),
        Dialect::Bedrock => bedrock::encode::request::encode(out, request, addressee, dropped),
        Dialect::OpenAiResponses => {
            openai_responses::encode::request::encode(out, request, addressee, dropped)
        }
        Dialect::Gemini => gemini::encode::request::encode(out, request, addressee, dropped),
        Dialect::Cohere => cohere::encode::request::encode(out, request, addressee, dropped),
    }
}

#[cold]
fn refuse(error: &JsonError) -> Refused {
    match error {
        JsonError::Malformed { at } => Refused {
            refusal: Refusal::InvalidJson,
            detail: format!("It stops making sense at byte {at}.").into(),
            param: None,
        },
        _ => Refusal::InvalidJson.into(),
    }
}

/// Answers that are ended one by one where a stream is cut; OpenAI's own bound is 128.
const CHOICES_MAX: u32 = 1_024;

/// Reads events of one dialect.
enum Decoder {
    OpenAiChat(openai_chat::decode::stream::Decoder),
    Anthropic(anthropic::decode::stream::Decoder),
    Bedrock(bedrock::decode::stream::Decoder),
    OpenAiResponses(openai_responses::decode::stream::Decoder),
    Gemini(gemini::decode::stream::Decoder),
    Cohere(cohere::decode::stream::Decoder),
}

/// One step of a stream as it came.
enum Heard<'h> {
    /// The data of an event.
    Event(&'h [u8]),
    /// A frame of AWS's, and its payload.
    Frame(&'h Message<'h>, &'h [u8]),
}

/// Translates one stream, event by event; of one whose client speaks its vendor's dialect it only
/// notes the facts.
///
/// **Cost**: in steady state no allocation; text is copied once, as it was written.
pub struct Stream {
    decoder: Decoder,
    unfold: Unfold,
    encoder: Encoder,
    pub facts: Facts,
    /// Pings are handed on.
    forwards_pings: bool,
}

impl Stream {
    #[must_use]
    pub fn new((from, to): (Dialect, Dialect), written: Written, forwards_pings: bool) -> Self {
        Self {
            decoder: match from {
                Dialect::OpenAiChat => {
                    Decoder::OpenAiChat(openai_chat::decode::stream::Decoder::default())
                }
                Dialect::Anthropic => {
                    Decoder::Anthropic(anthropic::decode::stream::Decoder::default())
                }
                Dialect::Bedrock => Decoder::Bedrock(bedrock::decode::stream::Decoder::default()),
                Dialect::OpenAiResponses => {
                    Decoder::OpenAiResponses(openai_responses::decode::stream::Decoder::default())
                }
                Dialect::Gemini => Decoder::Gemini(gemini::decode::stream::Decoder::default()),
                Dialect::Cohere => Decoder::Cohere(cohere::decode::stream::Decoder::default()),
            },
            unfold: Unfold::new(written.has_forced_tool),
            encoder: if to == from { Encoder::Nobody } else { Encoder::of(to) },
            facts: Facts::default(),
            forwards_pings,
        }
    }

    /// Append what the data of one event becomes.
    ///
    /// # Errors
    /// `Malformed`; what was appended before stands.
    pub fn event(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        manner: &Manner<'_>,
    ) -> Result<(), Malformed> {
        self.hear(&Heard::Event(data), out, manner)
    }

    /// Append what one frame of AWS's becomes.
    ///
    /// # Errors
    /// `Malformed`; what was appended before stands.
    pub fn frame(
        &mut self,
        (message, payload): (&Message<'_>, &[u8]),
        out: &mut Vec<u8>,
        manner: &Manner<'_>,
    ) -> Result<(), Malformed> {
        self.hear(&Heard::Frame(message, payload), out, manner)
    }

    fn hear(
        &mut self,
        heard: &Heard<'_>,
        out: &mut Vec<u8>,
        manner: &Manner<'_>,
    ) -> Result<(), Malformed> {
        let was_finished = self.facts.has_finished;
        let contents = self.facts.contents;
        let mut pen = Pen {
            encoder: &mut self.encoder,
            facts: &mut self.facts,
            forwards_pings: self.forwards_pings,
            out,
            manner,
        };
        let mut to = Unfolded { unfold: &mut self.unfold, pen: &mut pen };
        let read = match (&mut self.decoder, heard) {
            (Decoder::OpenAiChat(decoder), Heard::Event(data)) => decoder.read(data, &mut to),
            (Decoder::Anthropic(decoder), Heard::Event(data)) => decoder.read(data, &mut to),
            (Decoder::OpenAiResponses(decoder), Heard::Event(data)) => decoder.read(data, &mut to),
            (Decoder::Gemini(decoder), Heard::Event(data)) => decoder.read(data, &mut to),
            (Decoder::Cohere(decoder), Heard::Event(data)) => decoder.read(data, &mut to),
            (Decoder::Bedrock(decoder), Heard::Frame(message, payload)) => {
                decoder.read(message, payload, &mut to)
            }
            // An exception in a stream of another API's words.
            (_, Heard::Frame(message, payload)) => {
                let mut document = Document::default();
                let payload = document.parse(payload).ok();
                let failure = bedrock::error::decode_frame(message, payload);
                failure.map(|failure| to.take(Delta::Failed(failure))).ok_or(Malformed)
            }
            (Decoder::Bedrock(_), Heard::Event(_)) => Err(Malformed),
        };
        self.facts.goes_on = was_finished && self.facts.contents > contents;
        if self.encoder.is_overfull() { Err(Malformed) } else { read }
    }

    /// Append what an event without data becomes, such as a comment: a sign of life.
    pub fn alive(&mut self, out: &mut Vec<u8>, manner: &Manner<'_>) {
        if self.forwards_pings {
            self.encoder.push(out, &Delta::Ping, manner);
        }
    }

    /// The vendor's stream has ended after its finish: end the client's too.
    pub fn end(&mut self, out: &mut Vec<u8>, manner: &Manner<'_>) {
        if let (Encoder::Nobody, Decoder::Anthropic(_), false) =
            (&self.encoder, &self.decoder, self.facts.is_done)
        {
            return out.extend_from_slice(anthropic::encode::stream::STOP_EVENT);
        }
        if !self.facts.is_done && !self.facts.has_failed {
            self.facts.is_done = true;
            self.encoder.push(out, &Delta::End, manner);
        }
    }

    /// Append a refusal of ours as the event that ends the stream.
    pub fn refuse(
        &mut self,
        out: &mut Vec<u8>,
        refused: &Refused,
        to: Dialect,
        manner: &Manner<'_>,
    ) {
        match (to, &mut self.encoder, &self.decoder) {
            (Dialect::OpenAiChat | Dialect::Cohere, ..) => {
                openai_chat::error::push_event(out, refused, manner.id);
            }
            (Dialect::Anthropic, ..) => anthropic::error::push_event(out, |out| {
                anthropic::error::push_refused(out, refused, manner.id);
            }),
            (Dialect::Gemini, ..) => gemini::error::push_event(out, |out| {
                gemini::error::push_refused(out, refused, manner.id);
            }),
            (Dialect::Bedrock, ..) => bedrock::error::push_refused_frame(out, refused),
            (_, Encoder::OpenAiResponses(encoder), _) => encoder.push_refused(out, refused, manner),
            (Dialect::OpenAiResponses, _, decoder) => {
                let sequence = match decoder {
                    Decoder::OpenAiResponses(decoder) => decoder.sequence,
                    _ => 0,
                };
                openai_responses::error::push_event(out, sequence, |out| {
                    openai_chat::error::push(out, refused, manner.id);
                });
            }
        }
    }

    /// One that writes what it reads in the same dialect, as a stream of its own: for what must be
    /// said in a vendor's name, such as an end that it did not come to.
    #[must_use]
    pub fn shadow(of: Dialect) -> Self {
        let mut stream = Self::new((of, of), Written::default(), false);
        stream.encoder = Encoder::of(of);
        stream
    }

    /// End the client's stream here: every answer has reached its bound. What the vendor said of
    /// its usage is told, as at any end.
    pub fn cut(&mut self, out: &mut Vec<u8>, manner: &Manner<'_>) {
        for choice in 0..self.facts.choices.clamp(1, CHOICES_MAX) {
            let finish = Delta::Finish { choice, stop: Stop::Length };
            self.encoder.push(out, &finish, manner);
        }
        let usage = &mut self.facts.usage;
        if usage.input.is_some() {
            usage.output = usage.output.max(Some(u64::from(self.facts.contents)));
        }
        self.encoder.push(out, &Delta::Usage(*usage), manner);
        self.encoder.push(out, &Delta::End, manner);
        (self.facts.has_finished, self.facts.is_done) = (true, true);
    }

    /// What could not be said so far.
    #[must_use]
    pub const fn dropped(&self) -> Option<&Dropped> {
        self.encoder.dropped()
    }
}

/// Takes steps from a decoder.
struct Unfolded<'p, 'o> {
    unfold: &'p mut Unfold,
    pen: &'p mut Pen<'o>,
}

impl Take for Unfolded<'_, '_> {
    fn take(&mut self, delta: Delta<'_>) {
        self.unfold.pass(delta, self.pen);
    }
}

/// Notes what a step says of its stream, and writes it.
struct Pen<'o> {
    encoder: &'o mut Encoder,
    facts: &'o mut Facts,
    forwards_pings: bool,
    out: &'o mut Vec<u8>,
    manner: &'o Manner<'o>,
}

impl Take for Pen<'_> {
    fn take(&mut self, delta: Delta<'_>) {
        let facts = &mut *self.facts;
        match &delta {
            Delta::Usage(usage) => facts.usage.amend(*usage),
            Delta::Finish { choice, .. } => facts.finish(*choice),
            Delta::End => facts.is_done = true,
            Delta::Failed(_) => facts.has_failed = true,
            Delta::Ping if !self.forwards_pings => return,
            Delta::Unsaid { name } => return self.encoder.name(name),
            Delta::Text { choice, .. }
            | Delta::Thinking { choice, .. }
            | Delta::Refusal { choice, .. }
            | Delta::ToolArguments { choice, .. } => {
                facts.say(*choice);
            }
            _ => {}
        }
        self.encoder.push(self.out, &delta, self.manner);
    }
}
