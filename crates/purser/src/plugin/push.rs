//! `purser plugin push`: a component and its configuration to a server. Nothing is live by it.

use crate::plugin::args::Push;
use crate::plugin::configuration::Configuration;
use crate::plugin::format::thousands;
use crate::plugin::project::{Project, component};
use crate::plugin::server::{Server, text};
use anyhow::ensure;
use std::time::Duration;
use trace_replay::client::Call;

/// How long a server may take over what was sent: it compiles a component before it answers, which is ten seconds of a
/// core for one that brings a runtime along, and waits for its turn where others upload too.
pub(crate) const TAKEN_WITHIN: Duration = Duration::from_secs(600);

pub(crate) fn run(arguments: &Push) -> anyhow::Result<()> {
    let Push { name, .. } = arguments;
    let is_whole = arguments.component.is_some() || (arguments.config_only && arguments.config.is_some());
    let project =
        if is_whole && arguments.place.path.is_none() { None } else { Some(Project::find(&arguments.place)?) };
    let config = arguments.config.as_deref().or_else(|| project.as_ref().and_then(|p| p.config.as_deref()));
    // What cannot be read is found before anything is sent.
    let config = config.map(|path| Configuration::read(Some(path))).transpose()?;
    let bytes = match arguments.config_only {
        true => None,
        false => Some(component(arguments.component.as_ref(), project.as_ref())?.1),
    };
    ensure!(bytes.is_some() || config.is_some(), "there is no configuration to push; --config names its file");
    let server = Server::new(&arguments.at)?;
    let mut digest = None;
    if let Some(bytes) = bytes {
        let size = bytes.len() as u64;
        let call = Call::put_bytes(format!("/v1/plugins/{name}/versions"), "application/wasm", bytes)
            .with_patience(TAKEN_WITHIN);
        let version = server.ask_json(&format!("upload {name}"), &call)?;
        println!("component  {}  {} bytes, {}", text(&version, "digest"), thousands(size), text(&version, "world"));
        digest = Some(text(&version, "digest").to_owned());
    }
    if let Some(config) = config {
        // The component that came along is the one to take it: what is live may know other settings.
        let of = digest.as_ref().map(|digest| format!("?digest={digest}")).unwrap_or_default();
        let path = format!("/v1/plugins/{name}/configs{of}");
        let call = Call::put_bytes(path, config.media_type(), config.text.clone()).with_patience(TAKEN_WITHIN);
        let taken = server.ask_json(&format!("upload {}", config.name()), &call)?;
        println!("config     {}  {}", text(&taken, "config_digest"), config.name());
    }
    eprintln!(
        "{name} is at {}, and nothing of it is live yet; `purser plugin release {name}` makes it so",
        server.name()
    );
    Ok(())
}
