//! Whole answers that are one text and nothing else.

use crate::{
    dialect::{
        anthropic, gemini,
        mold::{Counts, Hole, Mold},
        pivot::{
            dropped::Dropped,
            part::{Content, Dialect, Part},
            reply::{Choice, Reply, Stop},
            text::Text,
            usage::Usage,
        },
    },
    wire::json::document::Value,
};

/// The texts that are read, by their numbers.
const WORDS: usize = 0;
const ID: usize = 1;
const MODEL: usize = 2;
const TIER: usize = 3;

/// The last plain answer of each dialect that vendors' answers are mostly translated of.
#[derive(Debug, Default)]
pub struct Answers {
    anthropic: AnswerMold,
    gemini: AnswerMold,
}

impl Answers {
    /// Read an answer that is like the last of its dialect; `None` of any other.
    #[must_use]
    pub fn read<'b>(&self, data: &'b [u8], from: Dialect) -> Option<Reply<'b>> {
        match from {
            Dialect::Anthropic => self.anthropic.read(data, anthropic::usage::of),
            Dialect::Gemini => self.gemini.read(data, gemini::usage::of),
            _ => None,
        }
    }

    /// Keep an answer that was read in full, if it is one text, of which nothing was dropped.
    pub fn keep(
        &mut self,
        root: Value<'_, '_>,
        from: Dialect,
        reply: &Reply<'_>,
        dropped: &Dropped,
    ) {
        let mold = match from {
            Dialect::Anthropic => &mut self.anthropic,
            Dialect::Gemini => &mut self.gemini,
            _ => return,
        };
        mold.clear();
        let Some(text) = plain_text(reply).filter(|_| dropped.is_empty()) else { return };
        let is_placed = mold.place_texts(root.document().as_bytes(), text, reply);
        if !is_placed {
            return;
        }
        mold.counts = match from {
            Dialect::Anthropic => root.get("usage").map(|told| {
                anthropic::usage::counts(told, |value, number| mold.mold.count(value, number))
            }),
            _ => root.get("usageMetadata").map(|told| {
                gemini::usage::counts(told, |value, number| mold.mold.count(value, number))
            }),
        };
        // How likely the words were, on the whole: of each answer another.
        let candidates = root.get("candidates").into_iter().flat_map(Value::items);
        for figure in candidates.filter_map(|one| one.get("avgLogprobs")) {
            if figure.as_number().is_some() {
                mold.mold.hole(figure.place(), Hole::Figure);
            }
        }
        if let Some(time) = root.get("createTime").filter(|time| time.escaped().is_some()) {
            mold.mold.hole(time.place(), Hole::Noise);
        }
        mold.mold.set(root.document().as_bytes());
    }
}

/// The text that is all of an answer, which ends as most do.
fn plain_text<'r, 'b>(reply: &'r Reply<'b>) -> Option<&'r Text<'b>> {
    let [Choice { parts, stop: Some(Stop::End | Stop::Length), logprobs: None, .. }] =
        &*reply.choices
    else {
        return None;
    };
    let [Part { content: Content::Text(text), cache: None }] = &**parts else { return None };
    reply.created.is_none().then_some(text)
}

/// The last plain answer.
#[derive(Debug, Default)]
struct AnswerMold {
    mold: Mold,
    /// Which of the texts are told.
    are_told: [bool; TIER + 1],
    index: u32,
    is_cut: bool,
    /// What was used, where that was told.
    counts: Option<Counts>,
}

impl AnswerMold {
    fn clear(&mut self) {
        self.mold.clear();
        self.counts = None;
    }

    /// Note where the texts stand; false where they are not to be had as they stand.
    fn place_texts(&mut self, data: &[u8], text: &Text<'_>, reply: &Reply<'_>) -> bool {
        let [choice] = &*reply.choices else { return false };
        (self.index, self.is_cut) = (choice.index, choice.stop == Some(Stop::Length));
        let mut texts = [None; TIER + 1];
        texts[WORDS] = Some(text);
        texts[ID] = reply.id.as_ref();
        texts[MODEL] = reply.model.as_ref();
        texts[TIER] = reply.service_tier.as_ref();
        self.are_told = texts.map(|text| text.is_some());
        texts
            .into_iter()
            .enumerate()
            .all(|(number, text)| text.is_none_or(|text| self.mold.text(data, text, number)))
    }

    fn read<'b>(&self, data: &'b [u8], usage: fn(&Counts) -> Usage) -> Option<Reply<'b>> {
        let cast = self.mold.cast(data)?;
        let text = |number: usize| Text::Escaped(cast.texts[number]);
        let told = |number: usize| self.are_told[number].then(|| text(number));
        // Without a word it is no part of an answer in some dialects.
        if cast.texts[WORDS].is_empty() {
            return None;
        }
        let stop = if self.is_cut { Stop::Length } else { Stop::End };
        Some(Reply {
            id: told(ID),
            model: told(MODEL),
            created: None,
            choices: vec![Choice {
                index: self.index,
                parts: vec![Part::text(text(WORDS))],
                stop: Some(stop),
                logprobs: None,
            }],
            usage: self.counts.map(|counts| usage(&counts.again(&cast))).unwrap_or_default(),
            service_tier: told(TIER),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Answers;
    use crate::{
        dialect::{
            pivot::{dropped::Dropped, part::Dialect},
            translation::decode_reply,
        },
        wire::json::document::Document,
    };

    /// What the second answer reads as beside the first is what it reads as by itself.
    fn check(from: Dialect, first: &str, second: &str, is_like: bool) {
        let (mut answers, mut document) = (Answers::default(), Document::default());
        let root = document.parse(first.as_bytes()).expect("valid");
        let dropped = &mut Dropped::default();
        let reply = decode_reply(root, from, dropped).expect("an answer");
        answers.keep(root, from, &reply, dropped);

        let read = answers.read(second.as_bytes(), from);

        assert_eq!(read.is_some(), is_like, "{second}");
        if let Some(read) = read {
            let root = document.parse(second.as_bytes()).expect("valid");
            let dropped = &mut Dropped::default();
            assert_eq!(read, decode_reply(root, from, dropped).expect("an answer"));
            assert!(dropped.is_empty());
        }
    }

    fn claude(id: &str, text: &str, more: &str, usage: &str) -> String {
        format!(
            r#"{{"id":"{id}","type":"message","role":"assistant","model":"m-{id}","content":[{{"type":"text","text":"{text}"}}{more}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{{usage}}}}}"#
        )
    }

    #[test]
    fn an_answer_of_anthropics_words_is_known_again() {
        let usage = |n: u32| {
            format!(
                r#""input_tokens":{n},"cache_creation_input_tokens":{n}0,"cache_read_input_tokens":3,"cache_creation":{{"ephemeral_5m_input_tokens":{n},"ephemeral_1h_input_tokens":1{n}}},"output_tokens":2{n},"service_tier":"standard""#
            )
        };
        let first = claude("a", "Hi", "", &usage(1));
        check(Dialect::Anthropic, &first, &claude("bb", r"A\n\u00e9", "", &usage(23)), true);
        check(Dialect::Anthropic, &first, &claude("b", "", "", &usage(2)), false);
        check(Dialect::Anthropic, &first, &first.replace("end_turn", "max_tokens"), false);
        let cut = first.replace("end_turn", "max_tokens");
        check(Dialect::Anthropic, &cut, &cut, true);
        let more = r#",{"type":"text","text":"x"}"#;
        check(Dialect::Anthropic, &first, &claude("a", "Hi", more, &usage(1)), false);
        let two = claude("a", "Hi", more, &usage(1));
        check(Dialect::Anthropic, &two, &two, false);
        let odd = first.replace("\"role\"", "\"container\":{},\"role\"");
        check(Dialect::Anthropic, &odd, &odd, false);
    }

    #[test]
    fn an_answer_of_googles_words_is_known_again() {
        let answer = |text: &str, count: u32, average: &str| {
            format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}},"finishReason":"STOP","avgLogprobs":{average}}}],"usageMetadata":{{"promptTokenCount":8,"candidatesTokenCount":{count},"totalTokenCount":1{count},"serviceTier":"{text}","promptTokensDetails":[{{"modality":"AUDIO","tokenCount":{count}}},{{"modality":"TEXT","tokenCount":4}}]}},"modelVersion":"m","responseId":"{text}","createTime":"{text}"}}"#
            )
        };
        let first = answer("Hi", 3, "-0.25");
        check(Dialect::Gemini, &first, &answer("Ho", 17, "-1.5"), true);
        check(Dialect::Gemini, &first, &answer("Ho", 17, "-1e5"), false);
        let thought = answer("Hi", 3, "0").replace("\"text\"", "\"thought\":true,\"text\"");
        check(Dialect::Gemini, &thought, &thought, false);
        check(
            Dialect::OpenAiChat,
            r#"{"choices":[{"message":{"role":"assistant","content":"a"}}]}"#,
            "{}",
            false,
        );
    }
}
