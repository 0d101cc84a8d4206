//! Keys, the customer's page, and the audit, described.

use super::spending::PageQuery;
use super::{Description, Part, Tag};
use crate::audit::ActAnswer;
use crate::keys::{CreatedAnswer, KeyAnswer};
use crate::portal::TokenAnswer;
use crate::problem::kinds;
use crate::router::PageAnswer;
use crate::shapes::{AccountId, Name, ScopeName};
use crate::wire::Shown;
use ledger_core::Timestamp;
use schemars::JsonSchema;

pub(super) const ALL: Part = &[
    ("createKey", create_key),
    ("listKeys", list_keys),
    ("revokeKey", revoke_key),
    ("listAudit", list_audit),
    ("createPortalToken", create_portal_token),
];

/// A key to be made.
#[derive(JsonSchema)]
#[schemars(rename = "NewKey", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewKey {
    /// What it is good for.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    scopes: Vec<ScopeName>,
    /// The accounts that it is for; all where it is left out.
    #[schemars(length(min = 1, max = 1000), extend("uniqueItems" = true))]
    accounts: Option<Vec<AccountId>>,
    /// When it ends; never where it is left out.
    expires_at: Option<Shown<Timestamp>>,
    /// What it is called, and how acts with it are signed; its scopes where it is left out.
    name: Option<Name>,
}

/// Whose page a customer may see, and for how long.
#[derive(JsonSchema)]
#[schemars(rename = "NewPortalToken", deny_unknown_fields)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct NewPortalToken {
    /// The account.
    account: AccountId,
    /// What the customer may do: `read`, and `purchase` where they may buy; `read` where it is left out.
    #[schemars(length(min = 1), extend("uniqueItems" = true, "contains" = { "const": "read" }))]
    scopes: Option<Vec<PortalScope>>,
    /// How long; an hour where it is left out.
    #[schemars(range(min = 1, max = 86_400))]
    ttl_seconds: Option<u32>,
}

#[derive(JsonSchema)]
#[schemars(rename = "PortalScope", rename_all = "lowercase")]
#[allow(dead_code, reason = "it describes what is read by hand")]
enum PortalScope {
    Read,
    Purchase,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "it describes what is read by hand")]
struct AuditQuery {
    /// Acts with this key.
    key: Option<Name>,
    /// Acts of this operation, as this document names it.
    operation: Option<Name>,
    /// Acts about this account.
    account: Option<AccountId>,
    /// Acts of this time or later.
    from: Option<Shown<Timestamp>>,
    /// Acts before this time.
    to: Option<Shown<Timestamp>>,
    #[schemars(flatten)]
    page: PageQuery,
}

fn create_key() -> Description {
    Description::new(Tag::Access, "Make a key", "The answer has its secret, which is shown once and stored hashed.")
        .idempotent_if_wanted()
        .body::<NewKey>(
            r#"{"name":"support desk","scopes":["read"],"accounts":["acme"],"expires_at":"2027-01-01T00:00:00Z"}"#,
        )
        .answers::<CreatedAnswer<'_>>(201, "The key with its secret.")
}

fn list_keys() -> Description {
    Description::new(Tag::Access, "List keys", "Without their secrets; those that count no more too.")
        .query::<PageQuery>()
        .answers::<PageAnswer<KeyAnswer<'_>>>(200, "A page of keys.")
}

fn revoke_key() -> Description {
    Description::new(Tag::Access, "Take a key back", "At once. Taking it back again changes nothing.")
        .path("id", "The key's id, which is not its secret.", "key_a2c60a49e6c42c93")
        .answers::<KeyAnswer<'_>>(200, "It is taken back.")
        .refuses(&[kinds::KEY_NOT_FOUND])
}

fn list_audit() -> Description {
    Description::new(Tag::Access, "See who did what", "Acts by hand, the newest first.")
        .query::<AuditQuery>()
        .answers::<PageAnswer<ActAnswer<'_>>>(200, "A page of acts.")
}

fn create_portal_token() -> Description {
    Description::new(
        Tag::Access,
        "Make a link to a customer's page",
        "For one account and a short time. Send the customer's browser to `url`; as `Authorization: Bearer` the token \
         works like a key.",
    )
    .body::<NewPortalToken>(r#"{"account":"acme","scopes":["read","purchase"],"ttl_seconds":600}"#)
    .answers::<TokenAnswer<'_>>(201, "The link.")
}
