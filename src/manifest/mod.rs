//! What operators write, field for field as on the wire.
//!
//! `yaml.rs` turns text into trees that remember their lines; `read.rs` turns a tree into a
//! document: one of the twins of `account.rs`, `identity.rs`, `limit.rs`, `budget.rs`,
//! `channel.rs`, `price.rs`, `routing.rs` and `settings.rs`, or every problem with it; `kind.rs` is
//! the table of the types. `path.rs` says where in a document, `secret_ref.rs` names a secret
//! without holding it.
//!
//! **Invariants**: twins hold what was written and do nothing; what a document means is decided in
//! `snapshot`. Nothing here opens a file. No problem quotes text that could be a credential.

pub mod account;
pub mod budget;
pub mod channel;
pub mod identity;
pub mod kind;
pub mod limit;
pub mod path;
pub mod price;
pub mod read;
mod repair;
pub mod routing;
pub mod secret_ref;
pub mod settings;
pub mod tree;
pub mod yaml;
