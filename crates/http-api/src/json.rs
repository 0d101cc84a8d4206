//! A JSON document as it was sent: numbers keep apart what is whole and what is not, and members keep their order, so
//! that a float is never taken for an amount and a member that comes twice is noticed. Texts stay where they lie in the
//! body, unless they hold an escape.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// A number written without point and exponent.
    Whole(i128),
    /// Any other number.
    Float(f64),
    /// A number beyond 64 bits, however it was written: no amount, no quantity and no instant is so large.
    Huge(f64),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl Json<'_> {
    /// What a person calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Whole(_) => "an integer",
            Self::Float(_) => "a number with a point or an exponent",
            Self::Huge(_) => "a number beyond 64 bits",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// Reads a document; the error says where it goes wrong.
pub(crate) fn parse(bytes: &[u8]) -> Result<Json<'_>, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("the body is not JSON: {error}"))
}

/// Reads a list member by member, so that no more than one of them is in memory; what is no list comes back as it is.
pub(crate) fn parse_list<'a>(bytes: &'a [u8], mut each: impl FnMut(Json<'a>)) -> Result<Option<Json<'a>>, String> {
    struct ListReader<F>(F);

    impl<'de, F: FnMut(Json<'de>)> Visitor<'de> for ListReader<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
            while let Some(member) = members.next_element()? {
                (self.0)(member);
            }
            Ok(())
        }
    }

    if bytes.trim_ascii_start().first() != Some(&b'[') {
        return parse(bytes).map(Some);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = reader.deserialize_seq(ListReader(&mut each)).and_then(|()| reader.end());
    read.map(|()| None).map_err(|error| format!("the body is not JSON: {error}"))
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

/// The bounds of what 64 bits hold. An integer within them never comes as a float, so that one that lies on them is an
/// integer beyond, rounded.
const I64_MIN: f64 = -9_223_372_036_854_775_808.0;
const U64_MAX: f64 = 18_446_744_073_709_551_615.0;

impl<'de> Visitor<'de> for Reader {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(i128::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(i128::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        // serde_json has no integer for what 64 bits do not hold, nor for -0, and hands out a float for both.
        Ok(match value {
            zero if zero == 0.0 && zero.is_sign_negative() => Json::Whole(0),
            huge if huge <= I64_MIN || huge >= U64_MAX => Json::Huge(huge),
            value => Json::Float(value),
        })
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_string<E>(self, value: String) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_element()? {
            list.push(member);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let mut object = Vec::with_capacity(10);
        while let Some((name, value)) = members.next_entry::<Name<'de>, Json<'de>>()? {
            object.push((name.0, value));
        }
        Ok(Json::Object(object))
    }
}

/// A member's name. A plain `Cow` would always be read into memory of its own.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameReader;

        impl<'de> Visitor<'de> for NameReader {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_str<E>(self, value: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(value.to_owned())))
            }

            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(value)))
            }
        }

        deserializer.deserialize_str(NameReader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_and_floats_stay_apart() {
        for (text, expected) in [
            ("12", Json::Whole(12)),
            ("-3", Json::Whole(-3)),
            ("-0", Json::Whole(0)),
            ("-9223372036854775808", Json::Whole(i64::MIN.into())),
            ("18446744073709551615", Json::Whole(u64::MAX.into())),
            ("12.0", Json::Float(12.0)),
            ("1e3", Json::Float(1000.0)),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), expected, "{text}");
        }
        for text in ["99999999999999999999", "18446744073709551616", "-9223372036854775809", "1e300"] {
            assert!(matches!(parse(text.as_bytes()).unwrap(), Json::Huge(_)), "{text}");
        }
    }

    #[test]
    fn a_list_is_read_member_by_member() {
        let read = |text: &'static str| {
            let mut members = Vec::new();
            parse_list(text.as_bytes(), |member| members.push(member)).map(|other| (members, other))
        };
        assert_eq!(read(" [1, [2], \"a\"] ").map(|(members, _)| Json::List(members)), parse(b"[1, [2], \"a\"]"));
        assert_eq!(read("[]"), Ok((Vec::new(), None)));
        assert_eq!(read("\"[\""), Ok((Vec::new(), Some(Json::Text("[".into())))));
        for text in ["", "[", "[1,]", "[1] 2", "[1", "[\"\u{1}\"]", "[{\"a\":1,}]"] {
            assert!(read(text).unwrap_err().contains("line"), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for bytes in [b"".as_slice(), b"{", b"{\"a\":1,}", b"nul", b"\"\xff\"", b"{} {}", &[b'['; 100_000]] {
            assert!(parse(bytes).unwrap_err().contains("line"), "{:?}", &bytes[..bytes.len().min(20)]);
        }
    }
}
