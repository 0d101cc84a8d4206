//! Every kind of problem: its code, its status, and what people should know of it. Answers, the OpenAPI document, the
//! reference pages and `docs/problems.md` are all made of this table.

use axum::http::StatusCode;

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) status: StatusCode,
    /// Its name, and the last segment of its `type`.
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    /// What the problem says besides what all of them say.
    pub(crate) members: &'static [Member],
    /// What it means.
    pub(crate) meaning: &'static str,
    /// What the caller should do.
    pub(crate) remedy: &'static str,
    /// Whether `Retry-After` comes with it.
    pub(crate) has_retry_after: bool,
}

/// A member of a problem, besides those that all problems have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// Whether it is always there.
    pub(crate) is_required: bool,
    pub(crate) meaning: &'static str,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Credits, or money, as decimal text.
    Amount,
    /// An instant.
    Time,
    /// A text.
    Text,
    /// A text or null.
    TextOrNull,
    /// A whole number.
    Whole,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Some texts.
    Texts,
    /// What is wrong with which field.
    Errors,
}

const fn member(name: &'static str, shape: Shape, meaning: &'static str) -> Member {
    Member { name, shape, is_required: true, meaning }
}

const fn perhaps(name: &'static str, shape: Shape, meaning: &'static str) -> Member {
    Member { name, shape, is_required: false, meaning }
}

/// Makes the constants, and the list of them.
macro_rules! kinds {
    ($($name:ident = $status:ident $code:literal $title:literal [$($member:expr),* $(,)?]
        $meaning:literal $remedy:literal $($retry:ident)?;)*) => {
        $(pub(crate) const $name: &Kind = &Kind {
            status: StatusCode::$status,
            code: $code,
            title: $title,
            members: &[$($member),*],
            meaning: $meaning,
            remedy: $remedy,
            has_retry_after: kinds!(@retry $($retry)?),
        };)*

        /// All of them.
        pub(crate) const ALL: &[&Kind] = &[$($name),*];
    };
    (@retry retry_after) => { true };
    (@retry) => { false };
}

kinds! {
    // The request.
    INVALID_REQUEST = BAD_REQUEST "invalid-request" "The request is not valid"
        [member("errors", Shape::Errors, "Everything that is wrong, each with its field.")]
        "Something in the path, the query, a header or the body cannot be taken. All of it is named at once, and nothing was changed."
        "Mend every field that `errors` names. Sending the same again is of no use.";
    PAYLOAD_TOO_LARGE = PAYLOAD_TOO_LARGE "payload-too-large" "The body is too large"
        [member("bytes_max", Shape::Whole, "How many bytes are taken.")]
        "The body has more bytes than this server takes."
        "Send less at once: split a batch.";
    REQUEST_TIMEOUT = REQUEST_TIMEOUT "request-timeout" "The body came too slowly" []
        "The body did not arrive in the time that it has."
        "Send the same request again, with the same key; over a slow line, send less at once.";
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body's type is not taken" []
        "`Content-Type` names a form that the route does not read."
        "Send the body in the form that `detail` names.";
    NOT_FOUND = NOT_FOUND "not-found" "Nothing is here" []
        "There is no such route, or not on this server: some exist only where they were switched on."
        "Check the path against the reference.";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED "method-not-allowed" "The method is not allowed here" []
        "The path exists, and does not take this method."
        "Use a method that the header `Allow` names.";

    // The caller.
    UNAUTHENTICATED = UNAUTHORIZED "unauthenticated" "No valid key was sent" []
        "There was no key, or one that is not known, has ended or was revoked."
        "Send `Authorization: Bearer <key>` with a key that is valid.";
    FORBIDDEN = FORBIDDEN "forbidden" "The key may not do this"
        [perhaps("scopes", Shape::Texts, "The scopes of which one is needed, where the key lacks them.")]
        "The key is valid, and lacks the scope that this needs, or is for certain accounts only."
        "Use a key with the scope, or ask an administrator for one.";

    // Spending.
    INSUFFICIENT_CREDITS = PAYMENT_REQUIRED "insufficient-credits" "Not enough credits"
        [perhaps("account", Shape::Text, "The account that lacks them."),
         member("required", Shape::Amount, "Credits that are needed."),
         member("available", Shape::Amount, "Credits that may be spent."),
         member("shortfall", Shape::Amount, "Credits that are missing.")]
        "The account cannot pay for this, and nothing was taken."
        "Have the customer buy credits or change the plan. Where a part is better than nothing, send `on_excess`.";
    ACCOUNT_SUSPENDED = FORBIDDEN "account-suspended" "The account is suspended"
        [perhaps("account", Shape::Text, "The account.")]
        "Nothing can be spent from an account that is suspended."
        "Make the account active again with `PUT /v1/accounts/{account}`.";
    UNPRICED = UNPROCESSABLE_ENTITY "unpriced" "There is no price for this"
        [member("model", Shape::TextOrNull, "The model of the event."),
         member("activity", Shape::Text, "The activity of the event."),
         member("unit", Shape::TextOrNull, "The unit that has no price, where it is the unit that lacks one.")]
        "No plugin prices this activity and model, or the one that does has no price for a unit."
        "Check the names; if they are right, add the price to the rate table.";
    PLUGIN_FAILED = SERVICE_UNAVAILABLE "plugin-failed" "A plugin did not answer properly"
        [member("plugin", Shape::Text, "The plugin."),
         member("digest", Shape::Text, "The digest of its component."),
         member("failure", Shape::OneOf(&["trap", "out-of-fuel", "deadline", "memory", "bad-answer"]), "How it failed.")]
        "The plugin that prices this trapped, ran out of its bounds, or gave lines that are no price. Nothing was charged."
        "Send the same request again, with the same key, after `Retry-After`. Tell whoever runs the plugin if it stays so."
        retry_after;
    THROTTLED = TOO_MANY_REQUESTS "throttled" "A policy slows the account down"
        [member("policy", Shape::Text, "Which of the policy's rules says no."),
         member("reason", Shape::Text, "Why."),
         member("retry_after_ms", Shape::Whole, "When it may be worth trying again, in milliseconds; 0 where waiting does not help.")]
        "A throttling policy of the account's plan lets this not through. Nothing was charged or set aside, and it does not count."
        "Wait for `Retry-After`, where waiting helps; look at `RateLimit` to stay below the limit."
        retry_after;
    EVENT_TOO_OLD = UNPROCESSABLE_ENTITY "event-too-old" "The event is too old"
        [member("oldest", Shape::Time, "The oldest time that is taken.")]
        "`occurred_at` is so long ago that keys of that time are forgotten, so that a repetition could not be noticed."
        "Correct it by hand with a grant or a deduction.";
    EVENT_IN_FUTURE = UNPROCESSABLE_ENTITY "event-in-future" "The event is in the future"
        [member("newest", Shape::Time, "The latest time that is taken.")]
        "`occurred_at` is ahead of the server's clock by more than clocks differ."
        "Check the sender's clock.";
    IDEMPOTENCY_MISMATCH = UNPROCESSABLE_ENTITY "idempotency-mismatch" "The key was used with other content"
        [member("first_seen_at", Shape::Time, "When the key was seen first.")]
        "A key, or an event's id, stands for one request, and this is another one."
        "Use a new key for a new request; send exactly the same request to repeat one.";

    // Holds and refunds.
    HOLD_CLOSED = CONFLICT "hold-closed" "The hold has ended"
        [member("hold_status", Shape::OneOf(&["open", "settled", "released", "expired"]), "How it ended."),
         member("closed_at", Shape::Time, "When it ended.")]
        "The hold was settled in the end, given back, or ran out."
        "Open a new hold for new work. What is still to be paid is a charge.";
    EXCEEDS_HOLD = CONFLICT "exceeds-hold" "The hold does not cover this"
        [member("requested", Shape::Amount, "Credits asked for since the hold was opened."),
         member("settled", Shape::Amount, "Credits collected by it."),
         member("held", Shape::Amount, "Credits set aside."),
         member("available", Shape::Amount, "Credits that are free.")]
        "More is asked for than is set aside and free, and the hold's `on_excess` is `reject`."
        "End the work, or have the customer buy credits. A hold opened with `cap` or `overflow` takes a part.";
    USAGE_DECREASED = CONFLICT "usage-decreased" "The total is lower than before"
        [member("previous", Shape::Amount, "What the totals came to before."),
         member("stated", Shape::Amount, "What they come to now.")]
        "Usage of a hold is stated as a total, which only grows until the final one."
        "Send the total since the hold was opened, and not what is new.";
    REFUND_EXCEEDS_CHARGE = CONFLICT "refund-exceeds-charge" "More than was charged"
        [member("charged", Shape::Amount, "Credits charged."),
         member("refunded", Shape::Amount, "Credits given back already."),
         member("requested", Shape::Amount, "Credits asked back.")]
        "Refunds of a charge cannot come to more than was collected for it."
        "Ask for at most what is left. Leave `credits` out to get all of it.";
    REFUND_EXCEEDS_PURCHASE = CONFLICT "refund-exceeds-purchase" "More than was paid"
        [member("paid", Shape::Amount, "Money paid."),
         member("refunded", Shape::Amount, "Money that has gone back already."),
         member("requested", Shape::Amount, "Money asked back."),
         member("currency", Shape::Text, "The currency of all of them.")]
        "Refunds of a purchase cannot come to more than was paid for it."
        "Ask for at most what is left.";
    GRANT_SPENT = CONFLICT "grant-spent" "Nothing is left of the grant" []
        "The grant is spent, has expired, or was voided before."
        "A deduction takes credits from what else there is.";
    PLAN_CHANGE_NEEDS_SUBSCRIPTION = CONFLICT "plan-change-needs-subscription" "The account is on another plan"
        [member("plan", Shape::Text, "The plan that it is on.")]
        "An account's plan does not change in passing, since that moves credits."
        "Change it with `PUT /v1/accounts/{account}/subscription`.";

    // What is not there.
    ACCOUNT_NOT_FOUND = NOT_FOUND "account-not-found" "There is no such account"
        [member("account", Shape::Text, "The account asked for."),
         perhaps("opened_at", Shape::Time, "When it was opened, where that is after the time asked for.")]
        "No account has this id, or had it at the time asked for, or the key is for other accounts."
        "`PUT /v1/accounts/{account}` opens one.";
    CHARGE_NOT_FOUND = NOT_FOUND "charge-not-found" "There is no such charge"
        [member("charge", Shape::Text, "The charge asked for.")]
        "No charge has this id."
        "Use the `charge` of the answer that charged.";
    HOLD_NOT_FOUND = NOT_FOUND "hold-not-found" "There is no such hold"
        [perhaps("hold", Shape::Text, "The hold asked for.")]
        "No hold has this id."
        "Use the `hold` of the answer that opened it, or find it with `GET /v1/holds?account=&id=`.";
    GRANT_NOT_FOUND = NOT_FOUND "grant-not-found" "There is no such grant"
        [perhaps("grant", Shape::Text, "The grant asked for.")]
        "No grant of the account has this id."
        "Use the `grant` of the answer that granted, or of the list of grants.";
    PAYMENT_NOT_BEGUN = SERVICE_UNAVAILABLE "payment-not-begun" "The payment could not be begun"
        [member("provider", Shape::Text, "Who was to take the money.")]
        "The provider did not begin the payment. Nothing was bought, and nobody was asked for money."
        "Send the same request again, with the same key, after `Retry-After`. If it stays so, the log says why."
        retry_after;
    PURCHASE_NOT_FOUND = NOT_FOUND "purchase-not-found" "There is no such purchase"
        [member("purchase", Shape::Text, "The purchase asked for.")]
        "No purchase of the account has this id."
        "Use the `purchase` of the answer that sold, or of the list of purchases.";
    STATEMENT_NOT_FOUND = NOT_FOUND "statement-not-found" "There is no such statement"
        [member("statement", Shape::Text, "The cycle asked for.")]
        "The account has no cycle of this name: it is before its first, or has not begun."
        "Ask for `current`, or for a cycle by the day on which it begins.";
    KEY_NOT_FOUND = NOT_FOUND "key-not-found" "There is no such key"
        [member("key", Shape::Text, "The key asked for.")]
        "No key has this id, which is not its secret."
        "`GET /v1/keys` lists them.";
    WEBHOOK_NOT_FOUND = NOT_FOUND "webhook-not-found" "There is no such webhook"
        [member("webhook", Shape::Text, "The webhook asked for.")]
        "No endpoint for webhooks has this id."
        "`GET /v1/webhooks` lists them.";
    DELIVERY_NOT_FOUND = NOT_FOUND "delivery-not-found" "There is no such delivery"
        [member("delivery", Shape::Text, "The delivery asked for.")]
        "The endpoint has no delivery with this id, or no longer."
        "`GET /v1/webhooks/{id}/deliveries` lists those that are kept.";
    PLUGIN_NOT_FOUND = NOT_FOUND "plugin-not-found" "There is no such plugin"
        [perhaps("plugin", Shape::Text, "The plugin asked for."),
         perhaps("digest", Shape::Text, "The digest asked for.")]
        "No plugin of this name is known here, or no component of it with this digest."
        "`GET /v1/plugins` lists them; `PUT /v1/plugins/{name}/versions` uploads one.";
    SHADOW_NOT_FOUND = NOT_FOUND "shadow-not-found" "Nothing prices beside"
        [member("shadow", Shape::Text, "The plugin asked for.")]
        "The plugin has no candidate in shadow."
        "Release one with the mode `shadow`.";
    CONFIG_NOT_FOUND = NOT_FOUND "config-not-found" "There are no such bytes"
        [member("digest", Shape::Text, "The digest asked for.")]
        "No configuration with this digest is kept here."
        "Use the digest that a charge's `rating` names.";

    // Plugins.
    PLUGIN_REJECTED = UNPROCESSABLE_ENTITY "plugin-rejected" "The component is not taken"
        [member("plugin", Shape::Text, "The plugin."),
         perhaps("failure", Shape::OneOf(&["trap", "out-of-fuel", "deadline", "memory", "bad-answer"]), "How it failed, where it did.")]
        "The bytes are no component that this server runs, or it failed over the configuration or a sample call."
        "Mend what `detail` names, and build it without imports.";
    NOTHING_TO_ROLL_BACK = CONFLICT "nothing-to-roll-back" "Nothing can be taken back"
        [member("plugin_config", Shape::Text, "The plugin configuration.")]
        "What is live is what the configuration file says, or was never released."
        "Release what should be live.";
    BACKTEST_NOT_FOUND = NOT_FOUND "backtest-not-found" "There is no such backtest"
        [member("backtest", Shape::Text, "The backtest asked for.")]
        "No backtest has this id, or it is forgotten: the newest are remembered until the server stops."
        "`GET /v1/backtests` lists them.";
    BACKTEST_REQUIRED = CONFLICT "backtest-required" "A backtest must be passed first"
        [member("plugin_config", Shape::Text, "The plugin configuration that demands it."),
         member("reason", Shape::Text, "What there is instead."),
         member("days", Shape::Whole, "Over how many days it must be at least."),
         member("total_change_percent_max", Shape::TextOrNull, "How far what all pay together may change, in percent; null for any."),
         member("account_change_percent_max", Shape::TextOrNull, "How far what any one account pays may change, in percent; null for any.")]
        "The configuration file demands that a version with its configuration has been tried on what was recorded before it is released for accounts: over all accounts, up to a week ago or later, with a price for every charge, and within these tolerances."
        "`POST /v1/backtests` tries it, and its result says how far prices change.";

    // The server.
    MAINTENANCE_RUNNING = CONFLICT "maintenance-running" "Such work is running already"
        [member("work", Shape::Text, "What is running.")]
        "Verifications and backups run one at a time."
        "Try again when it has ended.";
    OVERLOADED = SERVICE_UNAVAILABLE "overloaded" "Too much is waiting" []
        "More requests are waiting than the server takes on. Nothing was changed."
        "Send the same request again, with the same key, after `Retry-After`; then slow down."
        retry_after;
    STORAGE_UNAVAILABLE = SERVICE_UNAVAILABLE "storage-unavailable" "The storage takes nothing now" []
        "The disk refused, or the server is starting or stopping. What was asked may or may not have happened."
        "Send the same request again, with the same key, after `Retry-After`: it then happens once."
        retry_after;
    INTERNAL = INTERNAL_SERVER_ERROR "internal" "Something is wrong inside Purser" []
        "A defect, or damage. The server's log says more."
        "Tell whoever runs the server. The same request may be sent again with the same key.";
}

/// The kind with this code.
pub(crate) fn of_code(code: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|kind| kind.code == code)
}
