//! What both dialects can say comes back as it was said: decode(encode(x)) = x.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use weir::{
    dialect::{
        pivot::{
            dropped::Dropped,
            manner::Manner,
            part::{Content, Dialect, Part, Source, ToolCall, ToolResult},
            reply::{Choice, Reply, Stop},
            request::{Request, Role, Turn},
            target::{Abilities, Addressee, Thinking, Written},
            text::{Arguments, Json, Text},
            tool::{Tool, ToolChoice},
            usage::Usage,
        },
        translation::{decode_reply, decode_request, encode_request, tell_reply},
    },
    wire::json::document::Document,
};

fn text() -> impl Strategy<Value = Text<'static>> {
    let words = prop_oneof![any::<String>(), "[a-z\"\\\\\n\u{1}é🦀]{1,12}"];
    words
        .prop_filter("not empty", |text| !text.is_empty())
        .prop_map(|text| Text::Plain(text.into()))
}

fn word() -> impl Strategy<Value = Text<'static>> {
    "[a-zA-Z_][a-zA-Z0-9_-]{0,12}".prop_map(|text| Text::Plain(text.into()))
}

fn json() -> impl Strategy<Value = Json<'static>> {
    prop::collection::vec((word(), text()), 0..3).prop_map(|members| {
        let members = members.iter().map(|(name, value)| {
            (name.read().into_owned(), serde_json::Value::from(value.read().into_owned()))
        });
        let mut object: serde_json::Map<_, _> = members.collect();
        object.insert("type".into(), "object".into());
        Json(serde_json::Value::Object(object).to_string().into())
    })
}

fn image() -> impl Strategy<Value = Content<'static>> {
    let base64 = "[A-Za-z0-9+/]{4,12}".prop_map(|data| Source::Base64 {
        media_type: Text::plain("image/png"),
        data: Text::Plain(data.into()),
    });
    let url = word().prop_map(|name| {
        Source::Url(Text::Plain(format!("https://example.com/{}", name.read()).into()))
    });
    prop_oneof![base64, url].prop_map(|source| Content::Image { source, detail: None })
}

/// A user's turn, and of the assistant's one that calls tools with the results behind it.
fn exchange() -> impl Strategy<Value = Vec<Turn<'static>>> {
    let words = text().prop_map(Content::Text);
    let parts = prop::collection::vec(prop_oneof![words, image()], 1..4);
    let calls = prop::collection::vec((word(), json(), text()), 0..3);
    (parts, text(), calls).prop_map(|(parts, spoken, calls)| {
        let turn = |role, parts: Vec<Content<'static>>| Turn {
            role,
            name: None,
            parts: parts.into_iter().map(Part::from).collect(),
        };
        let mut said = vec![Content::Text(spoken)];
        let mut results = Vec::new();
        for (index, (name, arguments, result)) in calls.into_iter().enumerate() {
            let id = Text::Plain(format!("call_{index}").into());
            let arguments = Arguments::Value(arguments);
            let call = ToolCall { id: id.clone(), name, arguments, signature: None };
            said.push(Content::ToolCall(call));
            let content = vec![Part::text(result)];
            let result = ToolResult { id, name: None, content, is_error: false };
            results.push(Content::ToolResult(result));
        }
        let mut turns = vec![turn(Role::User, parts), turn(Role::Assistant, said)];
        if !results.is_empty() {
            turns.push(turn(Role::Tool, results));
        }
        turns
    })
}

fn tool() -> impl Strategy<Value = Tool<'static>> {
    (word(), prop::option::of(text()), json()).prop_map(|(name, description, schema)| Tool {
        name,
        description,
        parameters: Some(schema),
        is_strict: None,
        cache: None,
    })
}

fn request() -> impl Strategy<Value = Request<'static>> {
    let choice = prop_oneof![
        Just(None),
        Just(Some(ToolChoice::Auto)),
        Just(Some(ToolChoice::None)),
        Just(Some(ToolChoice::Required)),
        word().prop_map(|name| Some(ToolChoice::Tool(name))),
    ];
    let system = prop::option::of(text());
    let rest = (prop::collection::vec(tool(), 1..3), choice, 1_u64..100_000, any::<bool>());
    (system, prop::collection::vec(exchange(), 1..4), rest).prop_map(
        |(system, exchanges, (tools, tool_choice, max_tokens, is_streaming))| {
            let system = system.map(|text| Turn {
                role: Role::System,
                name: None,
                parts: vec![Part::text(text)],
            });
            Request {
                model: Text::plain("m"),
                turns: system.into_iter().chain(exchanges.into_iter().flatten()).collect(),
                tools,
                tool_choice,
                max_tokens: Some(max_tokens),
                temperature: Some("0.25"),
                stop: vec![Text::plain("END")],
                user: Some(Text::plain("u-1")),
                is_streaming,
                wants_usage: is_streaming,
                ..Request::default()
            }
        },
    )
}

/// The same without what only the path says, has no word there, or is refused: blank texts, and
/// images that somebody would have to fetch.
fn as_bedrock_says(mut said: Request<'static>) -> Request<'static> {
    said.model = Text::default();
    said.is_streaming = false;
    said.user = None;
    said.tool_choice = said.tool_choice.filter(|choice| *choice != ToolChoice::None);
    let mend = |part: &mut Part<'static>| match &mut part.content {
        Content::Text(text) if text.read().trim().is_empty() => *text = Text::plain("said"),
        Content::Image { source: source @ Source::Url(_), .. } => {
            let data = Text::plain("AAAA");
            *source = Source::Base64 { media_type: Text::plain("image/webp"), data };
        }
        _ => {}
    };
    for part in said.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        mend(part);
        if let Content::ToolResult(result) = &mut part.content {
            result.content.iter_mut().for_each(mend);
        }
    }
    said
}

/// What Gemini can say of it: no user's id, and schemas of the words that it knows.
fn as_gemini(mut said: Request<'static>) -> Request<'static> {
    said.user = None;
    for tool in &mut said.tools {
        tool.parameters = Some(Json(r#"{"type":"object"}"#.into()));
    }
    said
}

/// An answer of words and calls, as every dialect can say it.
fn reply() -> impl Strategy<Value = Reply<'static>> {
    let calls = prop::collection::vec((word(), json()), 0..3);
    let usage = (1_u64..90_000, 1_u64..90_000);
    (text(), calls, any::<bool>(), usage).prop_map(|(spoken, calls, is_cut, (input, output))| {
        let stop = match () {
            () if !calls.is_empty() => Stop::ToolUse,
            () if is_cut => Stop::Length,
            () => Stop::End,
        };
        let call = |(index, (name, arguments)): (usize, (Text<'static>, Json<'static>))| {
            let id = Text::Plain(format!("call_{index}").into());
            let arguments = Arguments::Value(arguments);
            Part::from(Content::ToolCall(ToolCall { id, name, arguments, signature: None }))
        };
        let calls = calls.into_iter().enumerate().map(call);
        let parts = std::iter::once(Part::text(spoken)).chain(calls).collect();
        Reply {
            choices: vec![Choice { index: 0, parts, stop: Some(stop), logprobs: None }],
            usage: Usage { input: Some(input), output: Some(output), ..Usage::default() },
            ..Reply::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_request_that_both_can_say_comes_back_as_it_was(
        said in request(),
        to in prop::sample::select(vec![
            Dialect::OpenAiChat,
            Dialect::Anthropic,
            Dialect::Bedrock,
            Dialect::OpenAiResponses,
        ]),
    ) {
        let mut said = if to == Dialect::Bedrock { as_bedrock_says(said) } else { said };
        if to == Dialect::OpenAiResponses {
            // It has no word for them.
            said.stop.clear();
        }
        let abilities =
            Abilities { thinking: Thinking::None, keeps_cache_marks: true, ..Abilities::UNKNOWN };
        let addressee = Addressee { model_json: b"\"m\"", abilities: &abilities };
        let (mut out, mut dropped) = (Vec::new(), Dropped::default());

        encode_request(&mut out, &said, to, &addressee, &mut dropped);

        prop_assert!(dropped.is_empty(), "{dropped:?}");
        let mut document = Document::default();
        let root = document.parse(&out).expect("what is written is JSON");
        let mut back = decode_request(root, to, &mut dropped).expect("and a request");
        prop_assert!(dropped.is_empty(), "{dropped:?}");
        // Anthropic's streams tell it unasked.
        back.wants_usage = said.wants_usage;
        prop_assert_eq!(back, said);
    }

    #[test]
    fn a_request_comes_back_from_gemini_as_it_was(said in request().prop_map(as_gemini)) {
        let abilities = Abilities { thinking: Thinking::None, ..Abilities::UNKNOWN };
        let addressee = Addressee { model_json: b"\"m\"", abilities: &abilities };
        let (mut out, mut dropped) = (Vec::new(), Dropped::default());

        encode_request(&mut out, &said, Dialect::Gemini, &addressee, &mut dropped);

        prop_assert!(dropped.is_empty(), "{dropped:?}");
        let mut document = Document::default();
        let root = document.parse(&out).expect("what is written is JSON");
        let back = decode_request(root, Dialect::Gemini, &mut dropped);
        let mut back = back.expect("and a request");
        prop_assert!(dropped.is_empty(), "{dropped:?}");
        // The path says these two, and results tell what was called as well.
        back.model = said.model.clone();
        (back.is_streaming, back.wants_usage) = (said.is_streaming, said.wants_usage);
        for part in back.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            if let Content::ToolResult(result) = &mut part.content {
                prop_assert!(result.name.take().is_some());
            }
        }
        prop_assert_eq!(back, said);
    }

    #[test]
    fn an_answer_comes_back_as_it_was(
        said in reply(),
        to in prop::sample::select(vec![
            Dialect::OpenAiChat,
            Dialect::Anthropic,
            Dialect::Bedrock,
            Dialect::OpenAiResponses,
            Dialect::Gemini,
        ]),
    ) {
        let manner = Manner {
            now_seconds: 1,
            id: "r",
            model: "m",
            is_strict_openai: true,
            wants_usage: true,
        };
        let (mut out, mut dropped) = (Vec::new(), Dropped::default());
        let (told, way) = (said.clone(), (to, Written::default()));

        tell_reply(&mut out, told, way, &manner, &mut dropped).expect("it can be told");

        prop_assert!(dropped.is_empty(), "{dropped:?}");
        let mut document = Document::default();
        let root = document.parse(&out).expect("what is written is JSON");
        let back = decode_reply(root, to, &mut dropped).expect("and an answer");
        prop_assert!(dropped.is_empty(), "{dropped:?}");
        prop_assert_eq!(back.choices, said.choices);
        prop_assert_eq!(back.usage.seen(), said.usage.seen());
    }
}
