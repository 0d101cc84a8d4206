//! The snapshot: a component whose memory already holds the loaded configuration.
//!
//! wasmtime-wizer instruments the component so that its state can be read, we instantiate that, call `configure` under
//! full limits, and wizer writes a component that starts where this one stopped. It runs nothing itself.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wasmtime::component::{Instance, Lift, WasmList};
use wasmtime::{Store, error::Error};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

/// Ticks that never pass: hours.
const TICKS_MAX: u64 = 1 << 20;

/// Instruments a component, has `configure` called on an instance of it, and returns the snapshot.
pub(crate) fn take<T: Send + 'static, E: From<Error>>(
    component: &[u8],
    configure: impl FnOnce(&[u8]) -> Result<(Store<T>, Instance), E>,
) -> Result<Vec<u8>, E> {
    let wizer = Wizer::new();
    let (context, instrumented) = wizer.instrument_component(component)?;
    let (mut store, instance) = configure(&instrumented)?;
    // What is called from here on is wizer's code, not the guest's, and it hands out the whole memory.
    store.set_fuel(u64::MAX)?;
    store.set_hostcall_fuel(usize::MAX);
    store.set_epoch_deadline(TICKS_MAX);
    let mut state = State { store: &mut store, instance, failed: None };
    let snapshot = now(wizer.snapshot_component(&context, &mut state))
        .ok_or_else(|| Error::msg("taking the snapshot waited for something, which nothing here does"))?;
    if let Some(error) = state.failed {
        return Err(error.into());
    }
    Ok(snapshot?)
}

/// Runs a future that never waits.
fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Reads an instance's state for wizer.
struct State<'a, T: 'static> {
    store: &'a mut Store<T>,
    instance: Instance,
    /// The trait cannot say that reading failed; this does, and the snapshot is then thrown away.
    failed: Option<Error>,
}

impl<T: Send> State<'_, T> {
    fn call<R: Lift + 'static>(&mut self, instance: &str, function: &str) -> Option<R> {
        let mut call = || {
            let missing = || Error::msg("the instrumented component lacks an export of wizer's");
            let instance = self.instance.get_export_index(&mut *self.store, None, instance).ok_or_else(missing)?;
            let function = self.instance.get_export_index(&mut *self.store, Some(&instance), function);
            let function = self.instance.get_typed_func::<(), (R,)>(&mut *self.store, function.ok_or_else(missing)?)?;
            Ok::<R, Error>(function.call(&mut *self.store, ())?.0)
        };
        match call() {
            Ok(value) => Some(value),
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }
}

impl<T: Send> ComponentInstanceState for State<'_, T> {
    async fn call_func_ret_list_u8(&mut self, instance: &str, function: &str, contents: impl FnOnce(&[u8]) + Send) {
        if let Some(list) = self.call::<WasmList<u8>>(instance, function) {
            contents(list.as_le_slice(&*self.store));
        }
    }

    async fn call_func_ret_s32(&mut self, instance: &str, function: &str) -> i32 {
        self.call(instance, function).unwrap_or_default()
    }

    async fn call_func_ret_s64(&mut self, instance: &str, function: &str) -> i64 {
        self.call(instance, function).unwrap_or_default()
    }

    async fn call_func_ret_f32(&mut self, instance: &str, function: &str) -> u32 {
        self.call::<f32>(instance, function).unwrap_or_default().to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, function: &str) -> u64 {
        self.call::<f64>(instance, function).unwrap_or_default().to_bits()
    }
}
