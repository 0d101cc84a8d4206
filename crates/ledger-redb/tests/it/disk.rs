//! A disk in memory that can lose power: writes that were not synced then survive in part, torn at sector boundaries.

use ledger_redb::Medium;
use ledger_store::StoreError;
use redb::StorageBackend;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

const SECTOR_BYTES: usize = 512;

/// The disk. Operations are counted over all files, so that a run can be cut at any of them.
#[derive(Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// Names, each of one image. An image that has lost its name is there for whoever has it open.
    names: BTreeMap<String, usize>,
    images: Vec<Image>,
    operations: u64,
    /// The operation at which power is cut, and the seed of what then survives.
    cut_at: Option<(u64, u64)>,
    off: bool,
}

#[derive(Debug, Default)]
struct Image {
    /// What has been synced.
    durable: Vec<u8>,
    /// What the process sees.
    now: Vec<u8>,
    unsynced: Vec<Operation>,
}

#[derive(Debug)]
enum Operation {
    Write(usize, Vec<u8>),
    Resize(usize),
}

impl Disk {
    /// Cuts the power now.
    pub(crate) fn cut_power(&self, seed: u64) {
        self.0.lock().unwrap().cut(seed);
    }

    /// Cuts the power at the n-th operation from now.
    pub(crate) fn cut_power_at(&self, n: u64, seed: u64) {
        let mut inner = self.0.lock().unwrap();
        inner.cut_at = Some((inner.operations + n, seed));
    }

    /// Gives power back; the files are what survived.
    pub(crate) fn turn_on(&self) {
        let mut inner = self.0.lock().unwrap();
        inner.off = false;
        inner.cut_at = None;
    }

    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().unwrap().operations
    }

    /// What is in each file.
    pub(crate) fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let inner = self.0.lock().unwrap();
        inner.names.iter().map(|(name, image)| (name.clone(), inner.images[*image].now.clone())).collect()
    }

    pub(crate) fn is_off(&self) -> bool {
        self.0.lock().unwrap().off
    }
}

impl Inner {
    fn operate(&mut self) -> io::Result<()> {
        self.operations += 1;
        if let Some((at, seed)) = self.cut_at
            && self.operations >= at
            && !self.off
        {
            self.cut(seed);
        }
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn cut(&mut self, seed: u64) {
        self.off = true;
        let mut random = seed;
        for image in &mut self.images {
            for operation in image.unsynced.drain(..) {
                match operation {
                    Operation::Resize(length) => {
                        if next(&mut random).is_multiple_of(2) {
                            image.durable.resize(length, 0);
                        }
                    }
                    Operation::Write(offset, data) => {
                        for (n, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                            let start = offset + n * SECTOR_BYTES;
                            if next(&mut random).is_multiple_of(2) && start + sector.len() <= image.durable.len() {
                                image.durable[start..start + sector.len()].copy_from_slice(sector);
                            }
                        }
                    }
                }
            }
            image.now = image.durable.clone();
        }
    }
}

fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 33
}

impl Medium for Disk {
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.0.lock().unwrap().names.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }

    fn open(&self, name: &str) -> Result<Box<dyn StorageBackend>, StoreError> {
        let mut inner = self.0.lock().unwrap();
        inner.operate().map_err(StoreError::unavailable)?;
        let image = inner.names.get(name).copied().unwrap_or_else(|| {
            inner.images.push(Image::default());
            let image = inner.images.len() - 1;
            inner.names.insert(name.to_owned(), image);
            image
        });
        Ok(Box::new(Handle { disk: self.0.clone(), image }))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.0.lock().unwrap().names.remove(name);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let mut inner = self.0.lock().unwrap();
        inner.operate().map_err(StoreError::unavailable)?;
        let image = inner.names.remove(from).unwrap();
        inner.names.insert(to.to_owned(), image);
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}

#[derive(Debug)]
struct Handle {
    disk: Arc<Mutex<Inner>>,
    image: usize,
}

impl Handle {
    fn with<T>(&self, act: impl FnOnce(&mut Image) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.disk.lock().unwrap();
        inner.operate()?;
        act(&mut inner.images[self.image])
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        self.with(|image| Ok(image.now.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|image| {
            let start = usize::try_from(offset).unwrap();
            let source = image.now.get(start..start + out.len());
            out.copy_from_slice(source.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|image| {
            let length = usize::try_from(len).unwrap();
            image.now.resize(length, 0);
            image.unsynced.push(Operation::Resize(length));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|image| {
            image.durable = image.now.clone();
            image.unsynced.clear();
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|image| {
            let start = usize::try_from(offset).unwrap();
            image.now[start..start + data.len()].copy_from_slice(data);
            image.unsynced.push(Operation::Write(start, data.to_vec()));
            Ok(())
        })
    }
}
