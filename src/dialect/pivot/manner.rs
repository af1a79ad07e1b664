//! How a reply is to be told, where the answer alone does not say.

/// To whom a reply is written, and what it takes from the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'m> {
    /// For a reply that must say when it was made: seconds since 1970.
    pub now_seconds: u64,
    /// The request's id: also that of an answer that has none.
    pub id: &'m str,
    /// The model of an answer that names none.
    pub model: &'m str,
    /// `x-tfy-strict-openai`: content is a text, as OpenAI's clients know it. Else thinking stands
    /// in front of it as a part of its own.
    pub is_strict_openai: bool,
    /// The client asked for the tokens of a stream.
    pub wants_usage: bool,
}
