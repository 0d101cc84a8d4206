//! What the document says of each operation. One that is in the table of operations and not here fails a test, which
//! names it.
//!
//! To describe an operation: a function in the file of its kind that returns a [`Description`], and its name in that
//! file's `ALL`. Whatever follows from the route (parameters of the path, who may call, the problems that all such
//! routes share) is added by itself. The struct of a body or of a query describes what the handler reads with
//! `Fields`; a test sends every field of it wrongly and expects each to be named, so that the two stay the same.

mod accounts;
mod keys;
mod operating;
mod plugins;
mod reading;
mod spending;
mod telling;
mod top_ups;

use crate::problem::kinds::Kind;
use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Every description, with the id of its operation.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, Description)> {
    let parts = [
        spending::ALL,
        accounts::ALL,
        reading::ALL,
        telling::ALL,
        top_ups::ALL,
        keys::ALL,
        plugins::ALL,
        operating::ALL,
    ];
    parts.into_iter().flatten().map(|(id, describe)| (*id, describe()))
}

/// The operations of one kind, each with what describes it.
type Part = &'static [(&'static str, fn() -> Description)];

/// How operations are laid together in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Charges, quotes and refunds.
    Charges,
    /// Holds.
    Holds,
    /// Accounts, and what they are given.
    Accounts,
    /// What happened.
    Reading,
    /// Packs and plans.
    Buying,
    /// Streams, alerts and webhooks.
    Telling,
    /// Keys, the customer's page, and who did what.
    Access,
    /// What prices.
    Plugins,
    /// Looking after the server.
    Operating,
}

impl Tag {
    /// All of them with their names and what they are about, in the order of the document.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 9] = [
        (Self::Charges, "Charges", "Charge events, ask for prices, give back, and get what proves a charge."),
        (Self::Holds, "Holds", "Set credits aside before the work, and settle by totals."),
        (Self::Accounts, "Accounts", "Open accounts, read what they have, give and take credits by hand."),
        (Self::Reading, "Reading", "What happened, where credits went, and the books."),
        (Self::Buying, "Buying", "Packs, plans, and what is bought."),
        (Self::Telling, "Being told", "Streams of events, alerts, and webhooks."),
        (Self::Access, "Access", "Keys, the customer's own page, and who did what."),
        (Self::Plugins, "Plugins", "The code and configuration that price."),
        (Self::Operating, "Operating", "Looking after the server, and this reference."),
    ];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(tag, ..)| *tag == self).map_or("", |(_, name, _)| name)
    }
}

/// A schema, made when the document is.
pub(crate) type MakesSchema = fn(&mut SchemaGenerator) -> Schema;

/// What the document says of an operation.
pub(crate) struct Description {
    pub(crate) tag: Tag,
    /// A few words, such as `Charge an event`.
    pub(crate) summary: &'static str,
    /// Sentences, in CommonMark.
    pub(crate) text: &'static str,
    /// A struct whose fields are the parameters of the query.
    pub(crate) query: Option<MakesSchema>,
    /// Parts of the path that `document::paths` does not know, or that mean something else here: name, meaning, example.
    pub(crate) path: Vec<(&'static str, &'static str, &'static str)>,
    pub(crate) key: NeedsKey,
    /// Whether a stream resumes after `Last-Event-ID`.
    pub(crate) resumes: bool,
    pub(crate) body: Option<BodyDescription>,
    /// The first is what the example is answered.
    pub(crate) answers: Vec<Answer>,
    /// Besides those that follow from the route.
    pub(crate) problems: Vec<&'static Kind>,
}

/// Whether the header `Idempotency-Key` goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NeedsKey {
    /// It changes nothing, or the same thing however often it is sent.
    No,
    /// The header, if the caller wants it.
    Optional,
    /// The header, or an `id` in the body.
    OrId,
    /// The header.
    Yes,
}

/// What is sent.
pub(crate) struct BodyDescription {
    /// Media types, each with its schema; those after the first are the same in another form.
    pub(crate) forms: Vec<(&'static str, Form, Option<MakesSchema>)>,
    pub(crate) is_required: bool,
    /// What is sent as an example, in the first form.
    pub(crate) example: &'static str,
}

/// How a body of some media type is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One document.
    Whole,
    /// One document on each line, of which the schema speaks.
    Lines,
    /// Text or bytes of another kind.
    Bytes,
}

/// An answer that is no problem.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) meaning: &'static str,
    pub(crate) forms: Vec<(&'static str, Form, Option<MakesSchema>)>,
}

/// Makes the schema of a type.
pub(crate) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const CSV: &str = "text/csv";

impl Description {
    pub(crate) fn new(tag: Tag, summary: &'static str, text: &'static str) -> Self {
        Self {
            tag,
            summary,
            text,
            query: None,
            path: Vec::new(),
            key: NeedsKey::No,
            resumes: false,
            body: None,
            answers: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The parameters of its query are the fields of this struct.
    pub(crate) fn query<T: JsonSchema>(self) -> Self {
        // The root of it, whose fields become parameters.
        Self { query: Some(|generator| T::json_schema(generator)), ..self }
    }

    /// Says what a part of the path is, with an example.
    pub(crate) fn path(mut self, name: &'static str, meaning: &'static str, example: &'static str) -> Self {
        self.path.push((name, meaning, example));
        self
    }

    /// It wants `Idempotency-Key`.
    pub(crate) fn idempotent(self) -> Self {
        Self { key: NeedsKey::Yes, ..self }
    }

    /// It wants `Idempotency-Key`, or an `id` in the body.
    pub(crate) fn idempotent_or_by_id(self) -> Self {
        Self { key: NeedsKey::OrId, ..self }
    }

    /// It takes `Idempotency-Key`. Operations that keep their answers do without saying so.
    pub(crate) fn idempotent_if_wanted(self) -> Self {
        Self { key: NeedsKey::Optional, ..self }
    }

    /// Its stream resumes after `Last-Event-ID`.
    pub(crate) fn resumes(self) -> Self {
        Self { resumes: true, ..self }
    }

    /// What is sent as JSON, and an example that is executed by a test.
    pub(crate) fn body<T: JsonSchema>(self, example: &'static str) -> Self {
        let forms = vec![(JSON, Form::Whole, Some(schema_of::<T> as MakesSchema))];
        Self { body: Some(BodyDescription { forms, is_required: true, example }), ..self }
    }

    /// What is sent as bytes, of which there is no example to show.
    pub(crate) fn body_of_bytes(self, media_type: &'static str) -> Self {
        let forms = vec![(media_type, Form::Bytes, None)];
        Self { body: Some(BodyDescription { forms, is_required: true, example: "" }), ..self }
    }

    /// Another form in which the body may come, which is text or bytes.
    pub(crate) fn or_body_of_bytes(mut self, media_type: &'static str) -> Self {
        self.body.iter_mut().for_each(|body| body.forms.push((media_type, Form::Bytes, None)));
        self
    }

    /// The body may be left out.
    pub(crate) fn body_optional(mut self) -> Self {
        self.body.iter_mut().for_each(|body| body.is_required = false);
        self
    }

    /// Another form in which the body may come.
    pub(crate) fn or_body<T: JsonSchema>(mut self, media_type: &'static str, form: Form) -> Self {
        self.body.iter_mut().for_each(|body| body.forms.push((media_type, form, Some(schema_of::<T>))));
        self
    }

    /// An answer in JSON. The first that is stated is that to the example.
    pub(crate) fn answers<T: JsonSchema>(self, status: u16, meaning: &'static str) -> Self {
        self.answer(status, meaning, vec![(JSON, Form::Whole, Some(schema_of::<T>))])
    }

    /// Another form of the last answer.
    pub(crate) fn or<T: JsonSchema>(mut self, media_type: &'static str, form: Form) -> Self {
        self.answers.iter_mut().last().into_iter().for_each(|answer| {
            answer.forms.push((media_type, form, Some(schema_of::<T>)));
        });
        self
    }

    /// Another form of the last answer, which is text or bytes.
    pub(crate) fn or_bytes(mut self, media_type: &'static str) -> Self {
        self.answers
            .iter_mut()
            .last()
            .into_iter()
            .for_each(|answer| answer.forms.push((media_type, Form::Bytes, None)));
        self
    }

    /// An answer without a body; the forms are added with [`Description::or`] and [`Description::or_bytes`].
    pub(crate) fn answers_empty(self, status: u16, meaning: &'static str) -> Self {
        self.answer(status, meaning, Vec::new())
    }

    fn answer(
        mut self,
        status: u16,
        meaning: &'static str,
        forms: Vec<(&'static str, Form, Option<MakesSchema>)>,
    ) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        self.answers.push(Answer { status, meaning, forms });
        self
    }

    /// Problems that do not follow from the route.
    pub(crate) fn refuses(mut self, problems: &[&'static Kind]) -> Self {
        self.problems.extend(problems);
        self
    }
}
