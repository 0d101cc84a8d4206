//! Random commands on the core beside a model of the ledger rules that is written for obviousness, and shares nothing
//! with the core but whole numbers. After every command everything that both know must be the same.
//!
//! A failure prints its seed and the shortest list of steps that still fails.

mod compare;
mod coverage;
pub(crate) mod driver;
mod rules;
pub(crate) mod steps;

use compare::compare;
use driver::{Ask, Driver};
use rules::Model;
use steps::{Step, generate, shortest};

/// How many commands the normal test run gives to both, at the least.
const COMMANDS_MIN: usize = 600_000;
const STEPS_PER_RUN: usize = 160;

#[test]
fn the_ledger_agrees_with_the_model() {
    let mut commands = 0;
    let mut seed = 1;
    let mut said = std::collections::BTreeMap::new();
    while commands < COMMANDS_MIN {
        let steps = generate(seed, STEPS_PER_RUN);
        match run(seed, &steps, &mut said) {
            Ok(count) => commands += count,
            Err(_) => {
                let fails = |steps: &[Step]| run(seed, steps, &mut std::collections::BTreeMap::new()).is_err();
                let steps = shortest(&steps, fails);
                let error = run(seed, &steps, &mut said).unwrap_err();
                let lines: Vec<String> = steps.iter().map(|step| format!("    {step:?}")).collect();
                panic!("seed {seed}: {error}\nwith these steps:\n{}", lines.join("\n"));
            }
        }
        seed += 1;
    }
    // A generator that never reaches a rule tests nothing of it.
    for what in coverage::ALL {
        assert!(said.get(what).copied().unwrap_or(0) >= 50, "{what}: {said:?}");
    }
}

/// Runs steps on both. Returns how many commands that were, or where they differ.
fn run(seed: u64, steps: &[Step], said: &mut std::collections::BTreeMap<&'static str, usize>) -> Result<usize, String> {
    let mut driver = Driver::new(seed);
    let mut model = Model::new(seed);
    compare(&driver, &model).map_err(|error| format!("at the opening: {error}"))?;
    let mut commands = 0;
    for (index, step) in steps.iter().enumerate() {
        let Some(ask) = driver.resolve(step) else { continue };
        let place = || format!("step {index}, {step:?}, which is {ask:?}");
        let by_core = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| driver.execute(&ask)));
        let by_core = by_core.map_err(|_| format!("{}: the core panicked", place()))?;
        let by_core = by_core.map_err(|error| format!("{}: {error}", place()))?;
        let by_model = model.execute(&ask);
        if by_core != by_model {
            return Err(format!("{}: the core says {by_core:?}, the model {by_model:?}", place()));
        }
        *said.entry(by_core.kind()).or_default() += 1;
        if matches!(ask, Ask::Of { .. }) {
            commands += 1;
        }
        compare(&driver, &model).map_err(|error| format!("{}: {error}", place()))?;
    }
    driver.check_journals();
    for sealed in driver.accounts.iter().flat_map(|side| &side.journal) {
        for mark in coverage::marks(&sealed.entry) {
            *said.entry(mark).or_default() += 1;
        }
    }
    Ok(commands)
}
