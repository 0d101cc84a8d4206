//! `cargo xtask run`: a server with something in it, one command after a clone.
//!
//! The server is a child process, talked to over HTTP alone, as anybody's would be. Starting again on the same data adds
//! what happened since and repeats nothing, because the history's ids are a function of the day.

mod account;
mod history;
mod server;

use crate::plugins;
use crate::workspace::{BUILD_SERVER, Workspace};
use anyhow::{Context, Result, ensure};
use ledger_core::Timestamp;
use server::Server;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use trace_replay::client::Client;

/// The demo's own key. It opens nothing but a server on this machine with made-up data.
const DEMO_KEY: &str = "purser-demo-admin-key";

/// How the demo is started.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Where the server listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,

    /// The data directory [default: target/demo-data]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
}

/// Builds, starts, fills, prints, and stays until Ctrl-C.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    ensure!(options.listen.port() != 0, "--listen needs a port of its own, so that the address can be printed");
    plugins::build(workspace)?;
    println!("building the server (the first time takes minutes: it has a WASM compiler in it)");
    workspace.run_cargo(&BUILD_SERVER)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(serve(workspace, options))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(workspace: &Workspace, options: &Options) -> Result<()> {
    let data = options.data.clone().unwrap_or_else(|| workspace.target.join("demo-data"));
    let data = std::path::absolute(data).context("the data directory has no absolute path")?;
    let key = admin_key();
    let url = format!("http://{}", reachable(options.listen));
    let client = Client::new(&url, Some(&key))?;
    let mut server = Server::start(workspace, options.listen, &data, &key)?;
    // Whatever goes wrong from here on, the child does not outlive this program.
    let result = fill_and_wait(&mut server, &client, &url, &key).await;
    let stopped = server.stop().await;
    result.and(stopped)
}

async fn fill_and_wait(server: &mut Server, client: &Client, url: &str, key: &str) -> Result<()> {
    tokio::select! {
        ready = server.until_ready(client) => ready?,
        asked = server::until_asked_to_stop() => return asked,
    }
    let now = now();
    let events = history::events(now);
    let filled = account::fill(client, &events).await.context("the demo account could not be filled")?;
    let page = account::page(client).await.context("no link to the credits page could be made")?;
    let history::Try { request, note } = history::request_to_try(url, key, now);
    println!(
        "\nPurser runs at {url}\n\
         \x20 admin key  {key}\n\
         \x20 account    {}: {filled}\n\
         \nCredits page, for a day:\n\n{page}\n\
         \nTry it ({note}):\n\n{request}\n\
         \nCtrl-C stops the server; the data stays.",
        history::ACCOUNT
    );
    tokio::select! {
        exited = server.until_exited() => exited,
        asked = server::until_asked_to_stop() => asked,
    }
}

#[allow(clippy::disallowed_methods, reason = "who has a key of their own in the environment means that one")]
fn admin_key() -> String {
    let key = std::env::var("PURSER_ADMIN_KEY").ok().filter(|key| !key.is_empty());
    key.unwrap_or_else(|| DEMO_KEY.to_owned())
}

#[allow(clippy::disallowed_methods, reason = "the demo's month ends today, by the clock of who runs it")]
fn now() -> Timestamp {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// Where this machine reaches a server that listens there: "every address" is none to connect to.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_at_this_machine() {
        for (listen, reached) in
            [("0.0.0.0:7070", "127.0.0.1:7070"), ("[::]:7070", "[::1]:7070"), ("10.0.0.2:80", "10.0.0.2:80")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), reached);
        }
    }
}
