//! Puts the samples to a plugin, in the engine that prepares: each twice, in instances of their own. A plugin has nothing
//! that could make a difference between the two, so that one is a defect of the host or a hole in its walls.

use crate::call::Callable;
use crate::error::PrepareError;
use crate::failure::Failure;
use crate::kind::Kind;
use crate::limits::Limits;
use crate::samples::{SITUATIONS, events};
use crate::validate::Description;
use crate::wit::v0_1::pricing::Pricing;
use crate::wit::v0_1::throttling::{Question, Throttling};

/// A plugin that answered all samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedOut {
    /// What it is.
    pub description: Description,
    /// Most fuel of a call.
    pub fuel_max: u64,
    /// Calls that were made.
    pub calls: u32,
}

/// Tries out a plugin that prices.
pub(crate) fn pricing(
    callable: &Callable<Pricing>,
    description: Description,
    config: &str,
    limits: &Limits,
) -> Result<TriedOut, PrepareError> {
    callable.configure(config, limits)?;
    let mut trial = Trial { callable, config, limits, fuel_max: 0, calls: 0 };
    for (name, event) in &events() {
        trial.sample(name, event)?;
    }
    Ok(TriedOut { description, fuel_max: trial.fuel_max, calls: trial.calls })
}

/// Tries out a plugin that throttles.
pub(crate) fn throttling(
    callable: &Callable<Throttling>,
    description: Description,
    config: &str,
    limits: &Limits,
) -> Result<TriedOut, PrepareError> {
    let windows = callable.configure(config, limits)?.told;
    let mut trial = Trial { callable, config, limits, fuel_max: 0, calls: 0 };
    for (name, event) in &events() {
        for situation in &SITUATIONS {
            let asked = situation.asked(event);
            let readings = vec![situation.reading; windows.len()];
            let question = Question { asked: &asked, windows: &windows, readings: &readings };
            trial.sample(&format!("{name}, {}", situation.name), question)?;
        }
    }
    Ok(TriedOut { description, fuel_max: trial.fuel_max, calls: trial.calls })
}

struct Trial<'a, K: Kind> {
    callable: &'a Callable<K>,
    config: &'a str,
    limits: &'a Limits,
    fuel_max: u64,
    calls: u32,
}

impl<K: Kind> Trial<'_, K> {
    /// Puts a sample to two instances.
    fn sample(&mut self, name: &str, question: K::Question<'_>) -> Result<(), PrepareError> {
        let first = self.ask(question);
        let tried = first.and_then(|first| same(&first, &self.ask(question)?));
        tried.map_err(|failure| PrepareError::failed(&format!("over the sample `{name}`"), &failure))
    }

    fn ask(&mut self, question: K::Question<'_>) -> Result<(K::Answer, u64), Failure> {
        let answered = self.callable.start(Some(self.config), self.limits)?.ask(question, self.limits)?;
        self.calls += 1;
        self.fuel_max = self.fuel_max.max(answered.1);
        Ok(answered)
    }
}

/// Whether two instances gave one answer, for one fuel.
fn same<A: PartialEq>(first: &(A, u64), second: &(A, u64)) -> Result<(), Failure> {
    if first.0 != second.0 {
        return Err(Failure::bad_answer("two fresh instances gave two answers"));
    }
    if first.1 != second.1 {
        let reason = format!("two fresh instances used {} and {} units of fuel", first.1, second.1);
        return Err(Failure::bad_answer(reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told() {
        assert_eq!(same(&("a", 1), &("a", 1)), Ok(()));
        assert!(same(&("a", 1), &("b", 1)).unwrap_err().detail.contains("two answers"));
        assert!(same(&("a", 1), &("a", 2)).unwrap_err().detail.contains("1 and 2 units"));
    }
}
