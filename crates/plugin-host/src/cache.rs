//! Compiled code on disk, by the digests of what it was compiled from, so that a start compiles nothing again. What the
//! plugin told when it was configured lies in the same file: it is not configured again either.

use crate::world::World;
use ledger_core::Digest;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The file for a component of a world with a configuration, on this engine. Whole digests: whoever may upload a plugin
/// must not be able to find a second one that shares its file.
pub(crate) fn file_of(folder: &Path, world: World, component: Digest, config: Digest, engine: &Engine) -> PathBuf {
    folder.join(format!("{world}-{}-{}-{:016x}.cwasm", component.hex(), config.hex(), compatibility(engine)))
}

/// The file for a heavy component on this engine: of whatever world, and for all its configurations.
pub(crate) fn heavy_file_of(folder: &Path, component: Digest, engine: &Engine) -> PathBuf {
    folder.join(format!("heavy-{}-{:016x}.cwasm", component.hex(), compatibility(engine)))
}

/// What code must have been compiled under for an engine to run it.
fn compatibility(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Loads compiled code, and what was told; `None` where there is none that can be trusted.
pub(crate) fn load(path: &Path, engine: &Engine) -> Option<(Component, String)> {
    let bytes = fs::read(path).ok()?;
    let (hash, content) = bytes.split_at_checked(HASH_BYTES)?;
    if Sha256::digest(content).as_slice() != hash {
        tracing::warn!(path = %path.display(), "cached compiled code is damaged; compiling again");
        return None;
    }
    let (length, content) = content.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (told, code) = content.split_at_checked(length)?;
    let told = std::str::from_utf8(told).ok()?.to_owned();
    #[allow(
        unsafe_code,
        reason = "wasmtime runs what it deserializes without a check, so the bytes must be its own. They are: this \
                  process wrote them into its own data directory, the hash before them shows that nothing has changed \
                  since, and the file's name holds the engine's compatibility hash"
    )]
    // SAFETY: see the reason above; whoever can write to the data directory can do anything to this process anyway.
    let component = unsafe { Component::deserialize(engine, code) }.ok()?;
    Some((component, told))
}

const HASH_BYTES: usize = 32;

/// Writes compiled code and what was told, so that a reader sees all of it or nothing.
pub(crate) fn store(path: &Path, told: &str, code: &[u8]) -> io::Result<()> {
    let length = u32::try_from(told.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut content = length.to_le_bytes().to_vec();
    content.extend_from_slice(told.as_bytes());
    content.extend_from_slice(code);
    let mut bytes = Sha256::digest(&content).to_vec();
    bytes.append(&mut content);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&unfinished, bytes)?;
    fs::rename(&unfinished, path)
}
