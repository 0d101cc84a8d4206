//! A component that can be called, its instances, and the calls made in them.

use crate::engine::TICK_MS;
use crate::error::{ConfigProblem, PrepareError};
use crate::failure::Failure;
use crate::kind::Kind;
use crate::limits::{Limiter, Limits};
use crate::validate::Rejected;
use crate::wit::v0_1;
use std::marker::PhantomData;
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre, Linker};

/// A compiled component whose functions have been found.
pub(crate) struct Callable<K: Kind> {
    pre: InstancePre<Limiter>,
    configure: ComponentExportIndex,
    function: ComponentExportIndex,
    kind: PhantomData<fn() -> K>,
}

/// An instance that is alive.
pub(crate) struct Live<K: Kind> {
    store: Store<Limiter>,
    function: K::Function,
}

/// A store with an instance in it that has taken its configuration, and what it told.
pub(crate) struct Configured<K: Kind> {
    pub(crate) store: Store<Limiter>,
    pub(crate) instance: Instance,
    pub(crate) told: K::Told,
}

/// How a failure is told that happened while the configuration was loaded.
const LOADING: &str = "while it loads its configuration";
/// Most problems of a configuration that are told, and the longest text of each. A guest can say a lot.
const PROBLEMS_MAX: usize = 100;
const PROBLEM_BYTES_MAX: usize = 1024;

impl<K: Kind> Callable<K> {
    /// Links a component with nothing, and finds its functions.
    pub(crate) fn new(component: &Component) -> Result<Self, PrepareError> {
        let interface = K::WORLD.interface();
        let missing = |function: &str| Rejected::Mistyped(format!("{interface} has no function {function}"));
        let instance = component.get_export_index(None, interface);
        let find = |function: &str| {
            let index = instance.as_ref().and_then(|instance| component.get_export_index(Some(instance), function));
            index.ok_or_else(|| missing(function))
        };
        let (configure, function) = (find("configure")?, find(K::FUNCTION)?);
        let pre = Linker::<Limiter>::new(component.engine()).instantiate_pre(component)?;
        Ok(Self { pre, configure, function, kind: PhantomData })
    }

    /// Instantiates a component and loads the configuration into it, under the limits for that.
    pub(crate) fn configure(&self, config: &str, limits: &Limits) -> Result<Configured<K>, PrepareError> {
        let mut store = self.store(limits);
        set_budget(&mut store, limits.configure_fuel, limits.configure_deadline_ms);
        let failed = |store: &Store<Limiter>, error| PrepareError::failed(LOADING, &Failure::of(store, &error));
        let instance = self.pre.instantiate(&mut store).map_err(|error| failed(&store, error))?;
        let mistyped = |error: wasmtime::Error| Rejected::Mistyped(format!("{}: {error:#}", K::WORLD.interface()));
        K::find(&mut store, &instance, &self.function).map_err(mistyped)?;
        let configure = instance
            .get_typed_func::<(&str,), (Result<K::Configured, Vec<v0_1::ConfigProblem>>,)>(&mut store, self.configure)
            .map_err(mistyped)?;
        match configure.call(&mut store, (config,)) {
            Ok((Ok(configured),)) => {
                let told = K::told(configured).map_err(PrepareError::Config)?;
                Ok(Configured { store, instance, told })
            }
            Ok((Err(problems),)) => Err(PrepareError::Config(told_problems(problems))),
            Err(error) => Err(failed(&store, error)),
        }
    }

    /// Makes an instance: of a snapshot, or of a component that is configured first.
    pub(crate) fn start(&self, config: Option<&str>, limits: &Limits) -> Result<Live<K>, Failure> {
        match config {
            None => {
                let mut store = self.store(limits);
                let instance = self.pre.instantiate(&mut store).map_err(|error| Failure::of(&store, &error))?;
                self.live(store, &instance)
            }
            Some(config) => match self.configure(config, limits) {
                Ok(Configured { store, instance, .. }) => self.live(store, &instance),
                Err(PrepareError::Failed(kind, detail)) => Err(Failure { kind, detail }),
                Err(PrepareError::Config(_) | PrepareError::Rejected(_) | PrepareError::Host(_)) => {
                    Err(Failure::bad_answer("the configuration that was accepted is now refused"))
                }
            },
        }
    }

    /// An instance that has its configuration, ready to be asked.
    pub(crate) fn live(&self, mut store: Store<Limiter>, instance: &Instance) -> Result<Live<K>, Failure> {
        let function = K::find(&mut store, instance, &self.function).map_err(|error| Failure::of(&store, &error))?;
        Ok(Live { store, function })
    }

    /// A store for one instance, under the limits of a call.
    fn store(&self, limits: &Limits) -> Store<Limiter> {
        let mut store = Store::new(self.pre.engine(), Limiter::new(limits.memory_bytes));
        store.limiter(|limiter| limiter);
        store.set_hostcall_fuel(limits.output_bytes_max);
        set_budget(&mut store, limits.fuel, limits.deadline_ms);
        store
    }
}

impl<K: Kind> Live<K> {
    /// Asks the guest, with the whole budget of a call. Returns its answer and the fuel that the call used. After a
    /// failure the instance must not be asked again.
    pub(crate) fn ask(&mut self, question: K::Question<'_>, limits: &Limits) -> Result<(K::Answer, u64), Failure> {
        set_budget(&mut self.store, limits.fuel, limits.deadline_ms);
        // What an earlier call was denied and got over is not what ends this one.
        self.store.data_mut().denied = false;
        let answer = K::ask(&mut self.store, self.function, question, limits)?;
        let left = self.store.get_fuel().unwrap_or(0);
        Ok((answer, limits.fuel.saturating_sub(left)))
    }
}

fn set_budget(store: &mut Store<Limiter>, fuel: u64, deadline_ms: u64) {
    // Only an engine without fuel refuses it, and ours has it.
    let _ = store.set_fuel(fuel);
    // The running tick is partly over, so one more is given.
    store.set_epoch_deadline(deadline_ms.div_ceil(TICK_MS) + 1);
}

/// What a plugin says of its configuration, within bounds.
fn told_problems(problems: Vec<v0_1::ConfigProblem>) -> Vec<ConfigProblem> {
    let cut = |mut text: String| {
        text.truncate(text.floor_char_boundary(PROBLEM_BYTES_MAX));
        text
    };
    let problem = |p: v0_1::ConfigProblem| ConfigProblem { path: cut(p.path), reason: cut(p.reason) };
    let mut told: Vec<ConfigProblem> = problems.into_iter().take(PROBLEMS_MAX).map(problem).collect();
    if told.is_empty() {
        let reason = "the plugin refuses it, and names no problem".to_owned();
        told.push(ConfigProblem { path: String::new(), reason });
    }
    told
}
