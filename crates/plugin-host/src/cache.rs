//! Compiled code on disk, by the digests of what it was compiled from, so that a start compiles nothing again.

use sha2::{Digest as _, Sha256};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The file of compiled code for a component with a configuration, on this engine.
pub(crate) fn file_of(folder: &Path, component: &str, config: &str, engine: &Engine) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let engine = hasher.finish();
    folder.join(format!("{}-{}-{engine:016x}.cwasm", &component[..16], &config[..16]))
}

/// Loads compiled code; `None` where there is none that can be trusted.
pub(crate) fn load(path: &Path, engine: &Engine) -> Option<Component> {
    let bytes = fs::read(path).ok()?;
    let (hash, code) = bytes.split_at_checked(32)?;
    if Sha256::digest(code).as_slice() != hash {
        tracing::warn!(path = %path.display(), "cached compiled code is damaged; compiling again");
        return None;
    }
    #[allow(
        unsafe_code,
        reason = "wasmtime runs what it deserializes without a check, so the bytes must be its own. They are: this \
                  process wrote them into its own data directory, the hash before them shows that nothing has changed \
                  since, and the file's name holds the engine's compatibility hash"
    )]
    // SAFETY: see the reason above; whoever can write to the data directory can do anything to this process anyway.
    unsafe { Component::deserialize(engine, code) }.ok()
}

/// Writes compiled code so that a reader sees all of it or nothing.
pub(crate) fn store(path: &Path, code: &[u8]) -> io::Result<()> {
    let mut bytes = Sha256::digest(code).to_vec();
    bytes.extend_from_slice(code);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&unfinished, bytes)?;
    fs::rename(&unfinished, path)
}
