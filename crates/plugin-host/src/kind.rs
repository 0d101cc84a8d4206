//! What the host must know of a kind of plugin to run its guests. All else is the same for every kind.

use crate::error::ConfigProblem;
use crate::failure::Failure;
use crate::limits::{Limiter, Limits};
use crate::world::World;
use std::fmt::Debug;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance, Lift};

/// A world of one version of the WIT. It has two functions: `configure`, and one that is called for each request.
pub(crate) trait Kind: 'static {
    /// The world.
    const WORLD: World;
    /// The name of the function that is called for each request.
    const FUNCTION: &'static str;

    /// That function, found in an instance.
    type Function: Copy + Send;
    /// What a request asks.
    type Question<'a>: Copy;
    /// What the guest answers, checked. A refusal is an answer.
    type Answer: PartialEq + Debug;
    /// What `configure` answers where it takes the configuration, as the guest says it.
    type Configured: Lift + 'static;
    /// The same, checked.
    type Told: Clone;

    /// Finds the function in an instance, and checks its type.
    fn find(
        store: &mut Store<Limiter>,
        instance: &Instance,
        function: &ComponentExportIndex,
    ) -> wasmtime::Result<Self::Function>;

    /// Asks the guest, and holds its answer to what an answer must be.
    fn ask(
        store: &mut Store<Limiter>,
        function: Self::Function,
        question: Self::Question<'_>,
        limits: &Limits,
    ) -> Result<Self::Answer, Failure>;

    /// Checks what `configure` answered.
    fn told(configured: Self::Configured) -> Result<Self::Told, Vec<ConfigProblem>>;

    /// What was told, to be kept beside compiled code: a guest is not configured again where that is found.
    fn keep(told: &Self::Told) -> String;

    /// What was kept; `None` where it is not what [`Kind::keep`] writes.
    fn recall(kept: &str) -> Option<Self::Told>;
}
