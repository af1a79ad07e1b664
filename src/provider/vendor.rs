//! The vendors: a table, one row each.

/// What is particular to a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The account type behind `provider-account/`.
    pub account_type: &'static str,
    /// Where it lives when the account names no other place.
    pub base_url: Option<&'static str>,
    /// Answers 400 to `stream_options`.
    pub rejects_stream_options: bool,
}
