//! Reads counts out of a provider's object and remembers which, so that the ones nobody asked for can be named.

use crate::fields::quantity;
use crate::json::Json;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

/// The members of an object.
pub(super) type Members<'a> = [(Cow<'a, str>, Json<'a>)];

/// A field, and what is wrong with it.
pub(super) type Wrong = (String, String);

/// The member of a name.
pub(super) fn member<'a, 'b>(members: &'a Members<'b>, name: &str) -> Option<&'a Json<'b>> {
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// A usage object that is being read.
pub(super) struct Counts<'a> {
    members: &'a Members<'a>,
    /// The paths of what was read, or is known to be part of something that was.
    known: BTreeSet<String>,
}

impl<'a> Counts<'a> {
    /// Opens an object. A member that comes twice, anywhere in it, is refused: only one of the two would be read.
    pub(super) fn new(members: &'a Members<'a>) -> Result<Self, Wrong> {
        refuse_doubles(members, "")?;
        Ok(Self { members, known: BTreeSet::new() })
    }

    /// Whether a member of the object is there.
    pub(super) fn has(&self, name: &str) -> bool {
        member(self.members, name).is_some_and(|value| *value != Json::Null)
    }

    /// The value under a path of members with dots between, if it is there and not null.
    fn value(&self, path: &str) -> Result<Option<&'a Json<'a>>, Wrong> {
        let mut members = self.members;
        let mut read = 0;
        for name in path.split('.') {
            read += name.len() + 1;
            match member(members, name) {
                None | Some(Json::Null) => return Ok(None),
                Some(value) if read > path.len() => return Ok(Some(value)),
                Some(Json::Object(inner)) => members = inner,
                Some(other) => {
                    let reason = format!("must be an object, not {}", other.kind());
                    return Err((path[..read - 1].to_owned(), reason));
                }
            }
        }
        Ok(None)
    }

    /// Notes that what stands at a path is accounted for.
    pub(super) fn know(&mut self, path: &str) {
        self.known.insert(path.to_owned());
    }

    /// A count under a path, if it is stated.
    pub(super) fn stated(&mut self, path: &str) -> Result<Option<u64>, Wrong> {
        self.know(path);
        let read = |value| quantity(value).map_err(|reason| (path.to_owned(), reason));
        self.value(path)?.map(read).transpose()
    }

    /// A count under a path; 0 where it is absent.
    pub(super) fn get(&mut self, path: &str) -> Result<u64, Wrong> {
        Ok(self.stated(path)?.unwrap_or_default())
    }

    /// A number with a point under a path, if that is what stands there.
    pub(super) fn fraction(&self, path: &str) -> Option<f64> {
        match self.value(path) {
            Ok(Some(Json::Float(number))) => Some(*number),
            _ => None,
        }
    }

    /// A count that has several names. Some senders write all of them and leave some at 0; two that differ otherwise
    /// contradict each other.
    pub(super) fn one_of(&mut self, paths: &[&str]) -> Result<u64, Wrong> {
        let mut found: Option<(&str, u64)> = None;
        for path in paths {
            let count = self.get(path)?;
            match found {
                _ if count == 0 => {}
                None => found = Some((path, count)),
                Some((earlier, other)) if other != count => {
                    return Err(((*path).to_owned(), format!("is {count}, and {earlier}, the same count, is {other}")));
                }
                Some(_) => {}
            }
        }
        Ok(found.map_or(0, |(_, count)| count))
    }

    /// The members of an object under a path; none where it is absent.
    pub(super) fn object(&self, path: &str) -> Result<&'a Members<'a>, Wrong> {
        match self.value(path)? {
            None => Ok(&[]),
            Some(Json::Object(members)) => Ok(members),
            Some(other) => Err((path.to_owned(), format!("must be an object, not {}", other.kind()))),
        }
    }

    /// The objects of a list under a path; none where it is absent.
    pub(super) fn list(&self, path: &str) -> Result<Vec<&'a Members<'a>>, Wrong> {
        let items = match self.value(path)? {
            None => return Ok(Vec::new()),
            Some(Json::List(items)) => items,
            Some(other) => return Err((path.to_owned(), format!("must be an array, not {}", other.kind()))),
        };
        let object = |(index, item): (usize, &'a Json<'a>)| match item {
            Json::Object(members) => Ok(&**members),
            other => Err((format!("{path}[{index}]"), format!("must be an object, not {}", other.kind()))),
        };
        items.iter().enumerate().map(object).collect()
    }

    /// Refuses the first count above zero that was not read.
    pub(super) fn refuse_unknown(&self) -> Result<(), Wrong> {
        let unknown = self.members.iter().find_map(|(name, value)| self.unknown(name, name, value));
        match unknown {
            None => Ok(()),
            Some(path) => {
                let reason = "is a count that is not known here, and would be free; send usage in units of your own \
                              in place of provider_usage";
                Err((path, reason.to_owned()))
            }
        }
    }

    /// The path of the first unknown count in a value.
    fn unknown(&self, path: &str, name: &str, value: &Json<'_>) -> Option<String> {
        if self.known.contains(path) {
            return None;
        }
        match value {
            Json::Whole(number) => (*number > 0 && is_count(name)).then(|| path.to_owned()),
            Json::Float(number) | Json::Huge(number) => (*number > 0.0 && is_count(name)).then(|| path.to_owned()),
            Json::Object(members) => {
                members.iter().find_map(|(name, value)| self.unknown(&format!("{path}.{name}"), name, value))
            }
            Json::List(items) => {
                let item = |(index, value)| self.unknown(&format!("{path}[{index}]"), name, value);
                items.iter().enumerate().find_map(item)
            }
            Json::Null | Json::Bool(_) | Json::Text(_) => None,
        }
    }
}

/// Whether a member's name is that of a count of tokens.
pub(super) fn is_count(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["tokens", "tokencount", "token_count"].iter().any(|end| name.ends_with(end))
}

fn refuse_doubles(members: &Members<'_>, path: &str) -> Result<(), Wrong> {
    let mut names = HashSet::with_capacity(members.len());
    for (name, value) in members {
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        if !names.insert(name) {
            return Err((path, "the member comes twice".to_owned()));
        }
        match value {
            Json::Object(inner) => refuse_doubles(inner, &path)?,
            Json::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Json::Object(inner) = item {
                        refuse_doubles(inner, &format!("{path}[{index}]"))?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Why a count cannot hold what is said to be part of it.
pub(super) fn too_small(field: &str, whole: u64) -> Wrong {
    (field.to_owned(), format!("is {whole}, less than the parts that it is said to include"))
}

/// A count that is split by what its tokens stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// Text, and everything that costs what text costs.
    pub(super) text: u64,
    pub(super) audio: u64,
    pub(super) image: u64,
}

impl Split {
    /// Splits a whole: what is no audio and no image is text.
    pub(super) fn of(field: &str, whole: u64, audio: u64, image: u64) -> Result<Self, Wrong> {
        let text = whole.checked_sub(audio).and_then(|rest| rest.checked_sub(image));
        Ok(Self { text: text.ok_or_else(|| too_small(field, whole))?, audio, image })
    }

    /// Takes a part out of it whose own split is known.
    pub(super) fn without(self, part: Self) -> Option<Self> {
        Some(Self {
            text: self.text.checked_sub(part.text)?,
            audio: self.audio.checked_sub(part.audio)?,
            image: self.image.checked_sub(part.image)?,
        })
    }

    /// The part of it that `count` of its tokens are, where nobody says which: text first, then audio, then images.
    pub(super) fn first(self, count: u64) -> Option<Self> {
        let text = self.text.min(count);
        let audio = self.audio.min(count - text);
        let image = count - text - audio;
        (image <= self.image).then_some(Self { text, audio, image })
    }
}
