//! What this API calls a format and others a media type.

/// Format, media type; of several media types for one format the first is told.
///
/// **Source**: the enums `ImageFormat`, `DocumentFormat`, `VideoFormat` and `AudioFormat` of the
/// API's reference, read 2026-11-21; media types as registered with IANA.
const FORMATS: [(&str, &str); 36] = [
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("jpeg", "image/jpg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("mkv", "video/x-matroska"),
    ("mkv", "video/matroska"),
    ("webm", "video/webm"),
    ("flv", "video/x-flv"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpg"),
    ("wmv", "video/x-ms-wmv"),
    ("three_gp", "video/3gpp"),
    ("wav", "audio/wav"),
    ("wav", "audio/x-wav"),
    ("wav", "audio/wave"),
    ("mp3", "audio/mpeg"),
    ("mp3", "audio/mp3"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/opus"),
    ("aac", "audio/aac"),
    ("m4a", "audio/m4a"),
    ("pcm", "audio/pcm"),
    ("mp4", "audio/mp4"),
];

/// The format of a media type within a family such as `image/`.
pub fn of(media_type: &str, families: &[&str]) -> Option<&'static str> {
    let is_in = |known: &str| families.iter().any(|family| known.starts_with(family));
    let found = FORMATS.iter().find(|(_, known)| *known == media_type && is_in(known));
    found.map(|(format, _)| *format)
}

/// The media type of a format within a family.
pub fn media_type(format: &str, families: &[&str]) -> Option<&'static str> {
    let is_in = |known: &str| families.iter().any(|family| known.starts_with(family));
    let found = FORMATS.iter().find(|(known, kind)| *known == format && is_in(kind));
    found.map(|(_, media_type)| *media_type)
}

pub const IMAGES: &[&str] = &["image/"];
pub const DOCUMENTS: &[&str] = &["application/", "text/"];
pub const VIDEOS: &[&str] = &["video/"];
pub const SOUNDS: &[&str] = &["audio/"];

#[cfg(test)]
mod tests {
    use super::{DOCUMENTS, FORMATS, IMAGES, SOUNDS, VIDEOS, media_type, of};

    #[test]
    fn every_format_has_a_media_type_that_is_it_again() {
        for (format, kind) in FORMATS {
            let all = [IMAGES, DOCUMENTS, VIDEOS, SOUNDS];
            let family = all.into_iter().find(|family| of(kind, family).is_some());
            let family = family.expect(kind);
            assert_eq!(of(kind, family), Some(format));
            let back = media_type(format, family).expect(format);
            assert_eq!(of(back, family), Some(format));
        }
        assert_eq!(of("video/mp4", SOUNDS), None);
    }
}
