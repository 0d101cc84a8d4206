//! Components that no compiler would make: a core module written by hand, and made a plugin of.

use plugin_host::World;
use std::path::Path;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The parts of a core module. By default it takes every configuration, and prices everything at no lines; as a plugin that
/// throttles it asks for no windows and allows everything, since both answers are nothing but zeros.
pub(crate) struct Parts {
    /// What it is made a plugin of.
    pub(crate) world: World,
    /// Fields of the module besides the functions: its memory has to be among them.
    pub(crate) fields: &'static str,
    /// The function that allocates for the host.
    pub(crate) realloc: &'static str,
    /// Loads the configuration; its answer lies at 16.
    pub(crate) configure: &'static str,
    /// Answers a request, at 32.
    pub(crate) answer: &'static str,
    /// What is called once the answer was read.
    pub(crate) post_answer: &'static str,
}

/// One page of memory, of which the host is given what lies behind the first KiB, and an answer of no lines.
pub(crate) const MEMORY: &str = r#"(memory (export "memory") 1) (global $next (mut i32) (i32.const 1024))"#;

const BUMP: &str = "
    (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get 3)))";

impl Default for Parts {
    fn default() -> Self {
        Self {
            world: World::Pricing,
            fields: MEMORY,
            realloc: BUMP,
            configure: "(i32.const 16)",
            answer: "(i32.const 32)",
            post_answer: "",
        }
    }
}

impl Parts {
    /// The component.
    pub(crate) fn component(&self) -> Vec<u8> {
        let Self { world, fields, realloc, configure, answer, post_answer } = self;
        let interface = world.interface();
        let function = match world {
            World::Pricing => "price",
            World::Throttling => "decide",
        };
        let text = format!(
            r#"(module
                {fields}
                (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
                (func (export "{interface}#configure") (param i32 i32) (result i32) {configure})
                (func (export "{interface}#{function}") (param i32) (result i32) {answer})
                (func (export "cabi_post_{interface}#{function}") (param i32) {post_answer})
            )"#
        );
        let mut module = wat::parse_str(text).unwrap();
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin-sdk/wit/v0.1");
        let (package, _) = resolve.push_path(wit).unwrap();
        let world = resolve.select_world(&[package], Some(world.name())).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
    }
}
