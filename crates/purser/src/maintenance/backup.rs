//! `purser backup`: writes a consistent copy of a ledger into a file, while a server goes on serving it.

use super::remote::Remote;
use super::target::Target;
use super::{bundle, progress};
use crate::cli::Backup;
use crate::system;
use anyhow::Context;
use indicatif::HumanBytes;
use ledger_redb::RedbStore;
use ledger_service::SystemClock;
use ledger_service::ports::Clock;
use ledger_store::LedgerStore;
use progress::Counted;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const MIB: u64 = 1 << 20;

/// Writes the file, under its own name only once it is whole and durable. `-` is the standard output.
pub(crate) fn backup(arguments: &Backup) -> anyhow::Result<ExitCode> {
    system::log("warn")?;
    let target = Target::new(&arguments.place)?;
    let mut output = Output::new(&arguments.file);
    let bar = progress::bytes_without_end()?;
    let written = target.in_directory(|data, settings| {
        let store = RedbStore::open(data, settings)?;
        let pace = arguments.mib_per_second.map(|mib| mib * MIB);
        let mut out = Counted { inner: output.begin()?, bar: &bar };
        bundle::write(&store, data, SystemClock.now(), pace, &mut out)?;
        Ok(store.close()?)
    })?;
    if written.is_none() {
        let server = target.server()?;
        let mut receive = || system::runtime()?.block_on(receive(&server, arguments.mib_per_second, &mut output, &bar));
        receive()?;
    }
    let bytes = bar.position();
    bar.finish_and_clear();
    output.finish()?;
    eprintln!("{} written", HumanBytes(bytes));
    Ok(ExitCode::SUCCESS)
}

/// Takes a backup from a server. Only a body that has come to its end is one.
async fn receive(
    server: &Remote,
    mib_per_second: Option<u64>,
    output: &mut Output,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<()> {
    let query = mib_per_second.map(|mib| format!("?mib_per_second={mib}")).unwrap_or_default();
    let mut stream = server.ask(format!("/v1/backup{query}")).await?;
    let mut out = Counted { inner: output.begin()?, bar };
    while let Some(bytes) = stream.next().await? {
        out.write_all(&bytes).context("the backup cannot be written")?;
    }
    Ok(())
}

/// Where a backup goes, or something that belongs with one.
pub(super) enum Output {
    Standard(io::Stdout),
    File { path: PathBuf, part: PathBuf, file: Option<File> },
}

impl Output {
    pub(super) fn new(path: &Path) -> Self {
        if path == Path::new("-") {
            return Self::Standard(io::stdout());
        }
        let mut part = OsString::from(path);
        part.push(".part");
        Self::File { path: path.to_owned(), part: part.into(), file: None }
    }

    /// Opens it, once there is something to write.
    pub(super) fn begin(&mut self) -> anyhow::Result<&mut dyn Write> {
        match self {
            Self::Standard(out) => Ok(out),
            Self::File { part, file, .. } => {
                // What customers have and did is in it: that is for its owner alone.
                let mut options = OpenOptions::new();
                let created = options.write(true).create(true).truncate(true).mode(0o600).open(&*part);
                Ok(file.insert(created.with_context(|| format!("{} cannot be made", part.display()))?))
            }
        }
    }

    /// Makes it durable, and gives it its name.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        match &mut self {
            Self::Standard(out) => out.flush().context("the output cannot be written"),
            Self::File { path, part, file } => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let named = || -> io::Result<()> {
                    if let Some(file) = &*file {
                        file.sync_all()?;
                    }
                    fs::rename(&*part, &*path)?;
                    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
                };
                named().with_context(|| format!("{} cannot be written", path.display()))?;
                *file = None;
                Ok(())
            }
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Self::File { part, file: Some(_), .. } = self
            && let Err(error) = fs::remove_file(&*part)
        {
            tracing::warn!(part = %part.display(), %error, "what was written of the backup stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_backup_has_its_name_only_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (path, part) = (folder.path().join("b.tar"), folder.path().join("b.tar.part"));
        let mut broken_off = Output::new(&path);
        broken_off.begin().unwrap().write_all(b"half").unwrap();
        assert!(part.exists() && !path.exists());
        drop(broken_off);
        assert!(!part.exists() && !path.exists());
        let mut whole = Output::new(&path);
        whole.begin().unwrap().write_all(b"whole").unwrap();
        whole.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "only its owner may read it");
        assert!(!part.exists());
        drop(Output::new(&path));
        assert!(path.exists(), "what was not begun removes nothing");
    }
}
