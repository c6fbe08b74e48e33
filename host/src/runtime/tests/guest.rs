//! A minimal connector as a core module in text, made a component by `wit-component`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::model::{OrgId, Result};
use crate::runtime::{Compiler, Limits, Plugin, Runtime, RuntimeConfig};

pub const DESCRIPTION: &str = r#"{"id":"tiny","title":"Tiny","version":"1","summary":"A guest in text.","settings":{"type":"object","additionalProperties":false},"source_schemes":["s3"],"egress":["s3://*"],"capabilities":["aws","http"]}"#;

/// The parts of the module; a body that is not given traps. Bodies leave one i32: where the result lies.
pub struct Guest<'a> {
    /// Further imports, before everything else.
    pub imports: &'a str,
    /// Further fields: globals, functions, a start.
    pub fields: &'a str,
    pub memory: &'a str,
    pub description: &'a str,
    pub describe: &'a str,
    pub normalize: &'a str,
    pub setup: &'a str,
    pub locate: &'a str,
    pub check: &'a str,
    pub list: &'a str,
    /// Data at fixed places: (offset, bytes).
    pub data: Vec<(u32, Vec<u8>)>,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        let none = "unreachable";
        Self {
            imports: "",
            fields: "",
            memory: "2",
            description: DESCRIPTION,
            describe: "i32.const 0",
            normalize: none,
            setup: none,
            locate: none,
            check: none,
            list: none,
            data: Vec::new(),
        }
    }
}

/// Little-endian words, as the canonical ABI lays records out.
pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn data(offset: u32, bytes: &[u8]) -> String {
    let escaped = bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:02x}");
        text
    });
    format!("(data (i32.const {offset}) \"{escaped}\")\n")
}

const DESCRIPTION_AT: u32 = 0x1_0000;

impl Guest<'_> {
    pub fn text(&self) -> String {
        let Self { imports, fields, memory, description, describe, normalize, setup, locate, check, list, .. } = self;
        let length = u32::try_from(description.len()).unwrap();
        let places: String = self.data.iter().map(|(offset, bytes)| data(*offset, bytes)).collect();
        let described = data(DESCRIPTION_AT, description.as_bytes()) + &data(0, &words(&[DESCRIPTION_AT, length]));
        let export = |name: &str, parameters: usize, body: &str| {
            let parameters = "i32 ".repeat(parameters);
            format!("(func (export \"portcullis:connector/connector@0.1.0#{name}\") (param {parameters}) (result i32) {body})\n")
        };
        let exports = [
            export("describe", 0, describe),
            export("normalize", 2, normalize),
            export("setup", 12, setup),
            export("locate", 4, locate),
            export("check", 5, check),
            export("list", 8, list),
        ];
        // Arguments are put above everything else and never freed: the instance lives for one call.
        format!(
            r#"(module {imports}
            (memory (export "memory") {memory})
            (global $top (mut i32) (i32.const 0x1_8000))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $top)
                (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
            {described} {places} {fields} {} )"#,
            exports.concat()
        )
    }

    pub fn component(&self) -> Vec<u8> {
        component(&self.text())
    }

    pub async fn load(&self, limits: Limits) -> Arc<Plugin> {
        load(&self.component(), limits).await.expect("the guest loads")
    }
}

/// A component of the contract's full world.
pub fn component(core: &str) -> Vec<u8> {
    component_with(core, &[], "")
}

/// The same with further packages, and imports of theirs.
pub fn component_with(core: &str, packages: &[&str], imports: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    resolve.push_path("../wit").unwrap();
    for (number, package) in packages.iter().enumerate() {
        resolve.push_str(format!("further{number}.wit"), package).unwrap();
    }
    let world = format!("package test:guest; world guest {{ include portcullis:connector/full-connector@0.1.0; {imports} }}");
    let package = resolve.push_str("guest.wit", &world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8).unwrap();
    wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// In whose name guests are called.
pub fn org() -> OrgId {
    OrgId::new("studio").unwrap()
}

pub fn runtime(limits: Limits) -> Arc<Runtime> {
    Runtime::new(RuntimeConfig { limits, compiler: Compiler::InProcess, cache_dir: None, cache_key: [0; 32] }, None).expect("a sandbox")
}

pub async fn load(wasm: &[u8], limits: Limits) -> Result<Arc<Plugin>> {
    runtime(limits).load(wasm, &BTreeSet::new()).await
}
