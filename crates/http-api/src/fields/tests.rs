use super::*;
use crate::json::parse;

/// What is wrong with a body of which `count` is read as a quantity, `credits` as an amount and `name` as a text.
fn problems(body: &str) -> String {
    let mut fields = Fields::open(parse(body.as_bytes()).unwrap()).unwrap();
    fields.has("name");
    fields.optional("count", |value| quantity(&value));
    fields.optional("credits", amount);
    match fields.finish() {
        Ok(()) => "fine".to_owned(),
        Err(ServiceError::Invalid(problems)) => {
            problems.iter().map(|p| format!("{}: {}", p.field, p.reason)).collect::<Vec<_>>().join("; ")
        }
        Err(other) => format!("{other:?}"),
    }
}

#[test]
fn null_is_absence_where_the_member_is_known() {
    assert_eq!(problems(r#"{"name":null,"count":null}"#), "fine");
    assert_eq!(problems(r#"{"nonsense":null}"#), "nonsense: no such field");
}

#[test]
fn numbers_are_refused_for_what_is_wrong_with_them() {
    for (number, count, credits) in [
        ("-0", "fine", "fine"),
        ("1", "fine", "fine"),
        ("-1", "must be from 0 to 9007199254740991", "fine"),
        ("99999999999999999999", "must be from 0 to 9007199254740991", "amounts lie within 9000000000000 credits"),
        ("-99999999999999999999", "must be from 0 to 9007199254740991", "amounts lie within 9000000000000 credits"),
        (
            "1e3",
            "must be a whole number of the unit, not a number with a point or an exponent",
            "a JSON number with a point or an exponent is not exact; send \"12.5\" as a string",
        ),
    ] {
        let out_of_range = ledger_core::AmountError::OutOfRange.to_string();
        let credits = credits.replace("amounts lie within 9000000000000 credits", &out_of_range);
        let said = |field: &str, reason: &str| {
            if reason == "fine" { reason.to_owned() } else { format!("{field}: {reason}") }
        };
        assert_eq!(problems(&format!("{{\"count\":{number}}}")), said("count", count), "{number}");
        assert_eq!(problems(&format!("{{\"credits\":{number}}}")), said("credits", &credits), "{number}");
    }
}

#[test]
fn a_text_that_is_no_account_id_is_told_so() {
    assert_eq!(no_such_account("acme"), "no account has the id acme; PUT /v1/accounts/acme creates it");
    let reason = no_such_account("ac/me");
    assert_eq!(reason, r#""ac/me" is no valid account id: an account's id has 1 to 128 of A-Z a-z 0-9 . _ : -"#);
}
