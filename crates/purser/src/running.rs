//! Where the server that holds a data directory listens, in a file of the directory: so that a command asks that server,
//! and no other that happens to listen on the usual address.

use anyhow::Context;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

fn path(data: &Path) -> PathBuf {
    data.join("ADDRESS")
}

/// Says where the server listens. Only for whoever holds the directory.
pub(crate) fn announce(data: &Path, scheme: &str, listening: SocketAddr) -> anyhow::Result<()> {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("{scheme}://{}\n", SocketAddr::new(ip, listening.port()));
    fs::write(path(data), url).with_context(|| format!("{} cannot be written", path(data).display()))
}

/// Says that no server listens: at a stop, and at a start until it does. Only for whoever holds the directory.
pub(crate) fn withdraw(data: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path(data)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path(data).display()))
        }
        _ => Ok(()),
    }
}

/// The address of the server that holds the directory, where it has said one.
pub(crate) fn address(data: &Path) -> Option<String> {
    fs::read_to_string(path(data)).ok().map(|url| url.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_until_it_stops() {
        let data = tempfile::tempdir().unwrap();
        for (listening, url) in [
            ("127.0.0.1:7070", "http://127.0.0.1:7070"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
            ("10.1.2.3:7070", "http://10.1.2.3:7070"),
        ] {
            announce(data.path(), "http", listening.parse().unwrap()).unwrap();
            assert_eq!(address(data.path()).as_deref(), Some(url));
        }
        withdraw(data.path()).unwrap();
        withdraw(data.path()).unwrap();
        assert_eq!(address(data.path()), None);
    }
}
