//! Scenarios: one command a line, and after `=>` what must come of it. A new test is a new section in `scenarios/`.
//!
//! A file is one scenario, or many, each after a line `## what holds`. `;` stands between entries, `|` between accounts.
//!
//! ```text
//! plan NAME PACKAGE [weekly|yearly|days N|months N] [rollover CAPxCYCLES] [overage LIMIT] [grace G] [first full|proportional|none]
//! at TIME                              the clock
//! open PLAN [zone ZONE] [anchor TIME] [parent NAME] [STATUS]
//! grant SOURCE CREDITS [priority N] [effective TIME] [expires TIME]
//! purchase CREDITS paid MONEY CURRENCY [pack PACK] [effective TIME] [expires TIME]
//! take-back GRANT [MONEY] [dispute]    the money went back: all of it, or so much
//! void GRANT · deduct CREDITS [debt]
//! charge CREDITS [cap|overflow] [occurred TIME] · refund CHARGE [CREDITS]
//! hold NAME CREDITS [ttl 60s] [cap|overflow] [used UNIT=N] · extend NAME [CREDITS] [ttl 60s]
//! settle NAME [CREDITS] [final] [used UNIT=N] [late 34d] · release NAME
//! change-plan NAME [next] [none] [restart]
//! status STATUS · zone ZONE · anchor TIME · parent NAME · put PLAN
//! transfer CREDITS to NAME             send, receive and arrived in one
//! send CREDITS to NAME · receive NAME ENTRY · arrived ENTRY · reverse ENTRY
//! erase FIRST-LAST …
//! advance                              books what is due
//! balance · show FIELD … · grants · holds     what is there
//! child: COMMAND                       the same on another account than acme
//! ```
//!
//! After every command the account is recounted, made again of its journal's bytes, and the identity of the ledger rules
//! is checked.

mod command;
mod describe;
mod world;

use std::fs;
use std::path::Path;
use world::World;

/// Fewer than this many scenarios would mean that some were lost.
const SCENARIOS_MIN: usize = 150;

#[test]
fn every_scenario_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        let mut world = World::default();
        let mut has_begun = false;
        for (number, line) in text.lines().enumerate() {
            if let Some(title) = line.strip_prefix("## ") {
                assert!(title.len() > 10, "{name}:{}: a scenario says what holds", number + 1);
                world = World::default();
                has_begun = false;
                continue;
            }
            let line = line.split('#').next().unwrap().trim();
            if line.is_empty() {
                continue;
            }
            count += usize::from(!has_begun);
            has_begun = true;
            let (command, expected) = line.split_once("=>").map_or((line, ""), |(c, e)| (c.trim(), e.trim()));
            let place = format!("{name}:{}: {command}", number + 1);
            let run = std::panic::AssertUnwindSafe(|| world.run(command));
            let found = std::panic::catch_unwind(run).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                format!("PANIC {}", text.unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap_or(&"")).to_owned()))
            });
            if found != expected {
                wrong.push(format!("{place}\n   expected {expected}\n   found    {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(count >= SCENARIOS_MIN, "{count} scenarios");
}
