//! `purser plugin build`: the project's sources to a component, `target/NAME.wasm`.

mod component;
mod javascript;
mod python;
mod rust;

use crate::plugin::args::{Build, Lang};
use crate::plugin::format::thousands;
use crate::plugin::project::Project;
use anyhow::{Context, ensure};
use ledger_core::Digest;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

pub(crate) fn run(arguments: &Build) -> anyhow::Result<()> {
    let project = Project::find(&arguments.place)?;
    let begun = Instant::now();
    let bytes = match project.lang {
        Lang::Rust => rust::build(&project, arguments.offline)?,
        Lang::Js => javascript::build(&project)?,
        Lang::Python => python::build(&project)?,
    };
    let path = project.component();
    let checked = component::check(&bytes, project.kind);
    let exports = checked.with_context(|| format!("what was built is no plugin for {:?}", project.kind))?;
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    // Nobody ever sees half a component.
    let fresh = path.with_extension("wasm.new");
    let written = folder.and_then(|()| fs::write(&fresh, &bytes)).and_then(|()| fs::rename(&fresh, &path));
    written.with_context(|| format!("{} cannot be written", path.display()))?;
    println!("component  {}", path.display());
    println!("size       {} bytes", thousands(bytes.len() as u64));
    println!("sha256     {}", Digest::of(&bytes).hex());
    println!("exports    {}", exports.join(", "));
    eprintln!("built in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Where a tool's own output goes: it is not what the command has to say, but whoever waits wants to see it.
fn run_tool(command: &mut Command, what: &str, when_missing: &str) -> anyhow::Result<()> {
    let status = match command.stdin(Stdio::null()).stdout(std::io::stderr()).status() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => anyhow::bail!("{when_missing}"),
        status => status.with_context(|| format!("{what} cannot be started"))?,
    };
    ensure!(status.success(), "{what} did not build the plugin; what is wrong stands above");
    Ok(())
}
