//! Manifests: any text is documents or problems, in bounded time, and never a panic.

use std::time::{Duration, Instant};
use weir::manifest::{read, yaml};

/// More than any text of a few pages takes, on a busy machine, under a sanitizer.
const TIME_MAX: Duration = Duration::from_secs(10);

pub fn judge(bytes: &[u8]) {
    let begun = Instant::now();
    let text = String::from_utf8_lossy(bytes);
    match yaml::parse("fuzz.yaml", &text) {
        Ok(sources) => {
            for source in sources {
                let (document, problems) = read::read(source);
                assert!(document.is_some() || !problems.is_empty(), "lost without a word");
            }
        }
        Err(problem) => assert!(!problem.wanted.is_empty() || !problem.found.is_empty()),
    }
    assert!(begun.elapsed() < TIME_MAX, "{:?} for {} bytes", begun.elapsed(), bytes.len());
}
