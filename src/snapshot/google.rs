//! Where Google's models are called.

use crate::provider::base_url::{BaseUrl, push_encoded};

/// Where Vertex's API begins in a region: `global`, that of several countries, or one place's.
///
/// Gemini's newest fields are known to the beta alone; Claude is documented at `v1`.
/// **Source**: docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/locations and
/// docs.claude.com/en/api/claude-on-vertex-ai ("Global, multi-region, and regional endpoints"),
/// read 2026-11-21.
pub(super) fn home(region: &str, is_claude: bool) -> String {
    let version = if is_claude { "v1" } else { "v1beta1" };
    match region {
        "global" => format!("https://aiplatform.googleapis.com/{version}"),
        "us" | "eu" => format!("https://aiplatform.{region}.rep.googleapis.com/{version}"),
        _ => format!("https://{region}-aiplatform.googleapis.com/{version}"),
    }
}

/// Append `/models/MODEL`; a name may already say `models/` or `tunedModels/`.
pub(super) fn push_model(url: &mut BaseUrl, id: &str) {
    let (kind, name) = match id.split_once('/') {
        Some((kind @ ("models" | "tunedModels"), name)) => (kind, name),
        _ => ("models", id),
    };
    let mut path = format!("{}/{kind}/", url.path);
    push_encoded(&mut path, name);
    url.path = path.into();
}

/// Append a model of a publisher: `claude-…` is Anthropic's, others are Google's, unless the name
/// begins with its publisher; false where nobody here speaks that publisher's language.
pub(super) fn push_published(url: &mut BaseUrl, (project, region): (&str, &str), id: &str) -> bool {
    let (publisher, name) = match id.split_once('/') {
        Some((publisher, name)) => (publisher, name),
        None if id.starts_with("claude-") => ("anthropic", id),
        None => ("google", id),
    };
    let mut path = format!(
        "{}/projects/{project}/locations/{region}/publishers/{publisher}/models/",
        url.path
    );
    push_encoded(&mut path, name);
    url.path = path.into();
    let is_claude = name.contains("claude");
    publisher == "anthropic" && is_claude || publisher == "google" && !is_claude
}

#[cfg(test)]
mod tests {
    use super::{home, push_model, push_published};
    use crate::provider::base_url::BaseUrl;

    fn root(url: &str) -> BaseUrl {
        url.parse().expect("a URL")
    }

    #[test]
    fn vertex_lives_by_region() {
        for (region, host) in [
            ("global", "aiplatform.googleapis.com"),
            ("eu", "aiplatform.eu.rep.googleapis.com"),
            ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ] {
            assert_eq!(&*root(&home(region, false)).host, host);
        }
        assert!(home("global", true).ends_with("/v1"));
    }

    #[test]
    fn a_model_stands_in_the_path() {
        let mut url = root("https://x.org/v1beta");
        push_model(&mut url, "gemini-2.5-flash");
        assert_eq!(&*url.path, "/v1beta/models/gemini-2.5-flash");
        let mut url = root("https://x.org/v1beta");
        push_model(&mut url, "tunedModels/a b");
        assert_eq!(&*url.path, "/v1beta/tunedModels/a%20b");
        for (id, path, is_known) in [
            ("gemini-3-pro", "google/models/gemini-3-pro", true),
            ("claude-opus-4@20250514", "anthropic/models/claude-opus-4%4020250514", true),
            ("anthropic/claude-x", "anthropic/models/claude-x", true),
            ("meta/llama-4", "meta/models/llama-4", false),
        ] {
            let mut url = root("https://x.org/v1");
            assert_eq!(push_published(&mut url, ("p", "eu"), id), is_known, "{id}");
            let expected = format!("/v1/projects/p/locations/eu/publishers/{path}");
            assert_eq!(&*url.path, expected);
        }
    }
}
