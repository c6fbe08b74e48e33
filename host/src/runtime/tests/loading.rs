//! What is refused before it runs, each with its own code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::guest::{Guest, component_with, load, runtime};
use crate::model::{Capability, Kind};
use crate::runtime::{Compiler, Limits, Runtime, RuntimeConfig};

async fn refused(wasm: &[u8]) -> crate::model::Error {
    load(wasm, Limits::default()).await.err().expect("this component must be refused")
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn p18_what_is_no_component_is_refused() {
    let cases: [(&str, Vec<u8>); 7] = [
        ("nothing", Vec::new()),
        ("an ELF file, as compiled forms are", b"\x7fELF\x02\x01\x01\x00".to_vec()),
        ("a picture", b"\xff\xd8\xff\xe0\x00\x10JFIF".to_vec()),
        ("text", b"(component)".to_vec()),
        ("a core module", wat("(module)")),
        ("a core module with the contract's exports", wat(&Guest::default().text())),
        ("a header and then nonsense", b"\0asm\x0d\0\x01\0\xff\xff\xff\xff".to_vec()),
    ];
    for (what, wasm) in cases {
        assert_eq!(refused(&wasm).await.code(), "invalid_component", "{what}");
    }
}

#[tokio::test]
async fn p20_a_component_beyond_the_size_limit_is_refused_unread() {
    let mut wasm = Guest::default().component();
    let limits = Limits { component_bytes: wasm.len(), ..Limits::default() };
    assert!(load(&wasm, limits.clone()).await.is_ok(), "at the limit");
    wasm.push(0);
    let error = load(&wasm, limits).await.err().unwrap();
    assert_eq!((error.kind(), error.code()), (Kind::LimitExceeded, "component_too_large"));
}

#[tokio::test]
async fn p18_a_component_cut_off_anywhere_is_refused() {
    let wasm = Guest::default().component();
    let runtime = runtime(Limits::default());
    for end in (0..wasm.len()).step_by(64).chain(wasm.len() - 8..wasm.len()) {
        // A cut between two sections can leave a valid component without its exports.
        let error = runtime.load(&wasm[..end], &BTreeSet::new()).await.err().unwrap_or_else(|| panic!("accepted after {end} bytes"));
        assert!(["invalid_component", "incompatible_world"].contains(&error.code()), "after {end} bytes: {error}");
    }
}

#[tokio::test]
async fn p18_ten_thousand_flipped_bits_never_harm_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let wasm = Guest::default().component();
    let config = RuntimeConfig { limits: Limits::default(), compiler: Compiler::InProcess, cache_dir: Some(dir.path().to_owned()), cache_key: [1; 32] };
    let runtime = Runtime::new(config, None).unwrap();
    let (mut refused, mut loaded) = (BTreeMap::<String, u32>::new(), BTreeSet::new());
    let flips = stream::iter(0..10_000).map(|number| {
        let (runtime, mut flipped) = (Arc::clone(&runtime), wasm.clone());
        let at = nth_bit(number, flipped.len());
        flipped[at / 8] ^= 1 << (at % 8);
        async move {
            // A flip in a name or in data may well leave a plugin that loads: what counts is an answer.
            let answer = runtime.load(&flipped, &BTreeSet::new()).await.map(|plugin| plugin.digest());
            if answer.is_err() {
                runtime.forget(crate::runtime::sha256(&flipped)).await;
            }
            (at, answer)
        }
    });
    let mut flips = flips.buffer_unordered(4);
    while let Some((at, answer)) = flips.next().await {
        match answer {
            Ok(digest) => drop(loaded.insert(digest)),
            Err(error) => {
                assert_ne!(error.kind(), Kind::Internal, "bit {at}: {error:?}");
                *refused.entry(error.code().to_owned()).or_default() += 1;
            }
        }
    }
    assert!(refused.get("invalid_component").is_some_and(|count| *count > 1000), "{refused:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), loaded.len(), "nothing is left of those that were refused");
    assert!(runtime.load(&wasm, &BTreeSet::new()).await.is_ok(), "and the next one loads");
}

/// A fixed sequence (splitmix64) of bits of so many bytes, so that a failure can be repeated.
fn nth_bit(number: u64, bytes: usize) -> usize {
    let mut mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) % (bytes as u64 * 8)).unwrap()
}

#[tokio::test]
async fn p16_an_import_that_nobody_gets_is_named() {
    for name in ["wasi:filesystem/types@0.2.3", "wasi:cli/environment@0.2.3", "wasi:sockets/tcp@0.2.3", "wasi:http/types@0.2.3", "evil:host/door@1.0.0"] {
        let wasm = wat(&format!(r#"(component (import "{name}" (instance (export "f" (func)))))"#));
        let error = refused(&wasm).await;
        assert_eq!((error.kind(), error.code()), (Kind::Denied, "forbidden_import"));
        assert!(error.message().contains(name), "{error}");
    }
}

#[tokio::test]
async fn p16_a_capability_is_offered_only_where_it_was_granted() {
    let imports = r#"(import "portcullis:connector/http@0.1.0" "head" (func (param i32 i32)))"#;
    // `head` takes more than 16 flat values: they come through memory.
    let wasm = Guest { imports, ..Guest::default() }.component();
    let runtime = runtime(Limits::default());
    let error = runtime.load(&wasm, &BTreeSet::from([Capability::Aws])).await.err().unwrap();
    assert_eq!((error.kind(), error.code()), (Kind::Denied, "capability_not_granted"));
    let plugin = runtime.load(&wasm, &BTreeSet::from([Capability::Http, Capability::Aws])).await.unwrap();
    assert_eq!(plugin.imports(), &BTreeSet::from([Capability::Http]), "what is asked for, not what is granted");
    assert_eq!(plugin.description().id, "tiny");
}

#[tokio::test]
async fn p16_a_granted_wasi_is_empty() {
    let packages = [
        "package wasi:cli@0.2.3; interface environment { get-environment: func() -> list<tuple<string, string>>; get-arguments: func() -> list<string>; }",
        "package wasi:random@0.2.3; interface random { get-random-u64: func() -> u64; }",
        "package wasi:clocks@0.2.3; interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }",
        "package wasi:filesystem@0.2.3; interface types { resource descriptor; } interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; }",
    ];
    let wit = "import wasi:cli/environment@0.2.3; import wasi:random/random@0.2.3; import wasi:clocks/wall-clock@0.2.3; import wasi:filesystem/preopens@0.2.3;";
    let imports = r#"
        (import "wasi:cli/environment@0.2.3" "get-environment" (func $environment (param i32)))
        (import "wasi:cli/environment@0.2.3" "get-arguments" (func $arguments (param i32)))
        (import "wasi:random/random@0.2.3" "get-random-u64" (func $random (result i64)))
        (import "wasi:clocks/wall-clock@0.2.3" "now" (func $now (param i32)))
        (import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $directories (param i32)))"#;
    // Everything that WASI tells is added up: lengths of lists, a random number, the time.
    let describe =
        "(call $environment (i32.const 0x600)) (call $arguments (i32.const 0x610)) (call $now (i32.const 0x620)) (call $directories (i32.const 0x640))
        (if (i64.ne (i64.const 0) (i64.add (i64.add (call $random) (i64.load (i32.const 0x620)))
            (i64.extend_i32_u (i32.add (i32.load (i32.const 0x604)) (i32.add (i32.load (i32.const 0x614)) (i32.load (i32.const 0x644))))))) (then unreachable))
        i32.const 0";
    let wasm = component_with(&Guest { imports, describe, ..Guest::default() }.text(), &packages, wit);
    let error = refused(&wasm).await;
    assert_eq!((error.code(), error.message().contains("wasi:")), ("forbidden_import", true), "{error}");
    let plugin = runtime(Limits::default()).load(&wasm, &BTreeSet::from([Capability::Wasi])).await.expect("granted");
    assert_eq!(plugin.imports(), &BTreeSet::from([Capability::Wasi]));
}

#[tokio::test]
async fn p20_p21_what_is_hard_to_compile_is_answered_in_time() {
    let blocks = 50_000;
    let nested = format!("(component (core module (func {} {})))", "block ".repeat(blocks), "end ".repeat(blocks));
    let cases = [
        ("50,000 nested blocks", wat(&nested)),
        ("20,000 functions", wat(&format!("(component (core module {}))", "(func)".repeat(20_000)))),
        (
            "20,000 exports",
            wat(&format!("(component (core module (func $f) {}))", (0..20_000).map(|n| format!("(export \"{n}\" (func $f))")).collect::<String>())),
        ),
        (
            "types that double 40 times",
            wat(&format!("(component (type $t0 (tuple u8 u8)) {})", (0..40).map(|n| format!("(type $t{} (tuple $t{n} $t{n}))", n + 1)).collect::<String>())),
        ),
        ("a name of 1 MiB", wat(&format!("(component (import \"{}\" (func)))", "a".repeat(1 << 20)))),
    ];
    for (what, wasm) in cases {
        let started = std::time::Instant::now();
        let error = refused(&wasm).await;
        assert_ne!(error.kind(), Kind::Internal, "{what}: {error:?}");
        assert!(started.elapsed().as_secs() < 30, "{what} took {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn p22_another_world_is_refused_with_what_was_expected_and_found() {
    for (what, text, found) in [
        ("no export", "(component)", "nothing"),
        ("another version", r#"(component (instance $i) (export "portcullis:connector/connector@0.9.0" (instance $i)))"#, "connector@0.9.0"),
        ("no functions", r#"(component (instance $i) (export "portcullis:connector/connector@0.1.0" (instance $i)))"#, "connector@0.1.0"),
        (
            "two worlds, neither ours",
            r#"(component (instance $i) (export "a:b/one@1.0.0" (instance $i)) (export "a:b/two@1.0.0" (instance $i)))"#,
            "a:b/two@1.0.0",
        ),
        ("an import of another version", r#"(component (import "portcullis:connector/log@0.2.0" (instance)))"#, "0.2.0"),
        ("an import of another type", r#"(component (import "portcullis:connector/log@0.1.0" (instance (export "write" (func)))))"#, "nothing"),
    ] {
        let error = refused(&wat(text)).await;
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "incompatible_world"), "{what}");
        assert!(error.message().contains("0.1.0") && error.message().contains(found), "{what}: {error}");
    }
}

#[tokio::test]
async fn p22_features_that_are_off_are_refused_as_such() {
    for (what, text) in [
        ("threads", "(component (core module (memory 1 1 shared)))"),
        ("memory64", "(component (core module (memory i64 1)))"),
        ("gc", "(component (core module (type (struct (field i32)))))"),
        ("exceptions", "(component (core module (tag (param i32))))"),
        ("tail calls", "(component (core module (func $f (return_call $f))))"),
        ("relaxed SIMD", "(component (core module (func (param v128) (result v128) local.get 0 local.get 0 local.get 0 f32x4.relaxed_madd)))"),
        (
            "component async",
            r#"(component (core module $m (func (export "f") (result i32) i32.const 0)) (core instance $i (instantiate $m)) (func async (canon lift (core func $i "f") async (callback (core func $i "f")))))"#,
        ),
        ("streams", "(component (type (stream u8)))"),
    ] {
        let error = refused(&wat(text)).await;
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "feature_disabled"), "{what}: {error}");
    }
}

#[tokio::test]
async fn p03_what_needs_too_much_memory_is_refused_before_it_runs() {
    for (what, memory, fields) in [("4 GiB of memory", "65536", ""), ("65 MiB of memory", "1040", ""), ("a table of 10^9", "2", "(table 1000000000 funcref)")] {
        let error = refused(&Guest { memory, fields, ..Guest::default() }.component()).await;
        assert_eq!(error.code(), "plugin_memory", "{what}: {error}");
    }
    let memories =
        wat("(component (core module $m (memory 1)) (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m)))");
    assert_eq!(refused(&memories).await.code(), "plugin_memory", "three memories");
    let instances = "(core instance (instantiate $m))".repeat(65);
    assert_eq!(refused(&wat(&format!("(component (core module $m) {instances})"))).await.code(), "plugin_memory", "65 instances");
}

#[tokio::test]
async fn p03_memories_are_summed() {
    let two = |pages: u32| {
        let memory = pages.to_string();
        let fields = format!("(memory {pages})");
        Guest { memory: &memory, fields: &fields, ..Guest::default() }.component()
    };
    assert!(load(&two(500), Limits::default()).await.is_ok(), "two memories of 31 MiB");
    let error = load(&two(600), Limits::default()).await.err().expect("two memories of 37 MiB each fit alone, together they do not");
    assert_eq!(error.code(), "plugin_memory", "{error}");
}

#[tokio::test]
async fn p24_an_altered_compiled_form_is_compiled_anew_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let wasm = Guest::default().component();
    let runtime = |key| {
        let config =
            RuntimeConfig { limits: Limits::default(), compiler: Compiler::InProcess, cache_dir: Some(dir.path().join("compiled")), cache_key: [key; 32] };
        Runtime::new(config, None).unwrap()
    };
    let file = || {
        let files: Vec<_> = fs::read_dir(dir.path().join("compiled")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "one file, nothing unfinished beside it: {files:?}");
        files[0].clone()
    };
    runtime(1).load(&wasm, &BTreeSet::new()).await.unwrap();
    let good = fs::read(file()).unwrap();
    assert!(file().extension().is_some_and(|extension| extension == "cwasm"));

    let written = fs::metadata(file()).unwrap().modified().unwrap();
    runtime(1).load(&wasm, &BTreeSet::new()).await.unwrap();
    assert_eq!(fs::metadata(file()).unwrap().modified().unwrap(), written, "a good one is used as it is");

    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (what, bytes) in [
        ("code", flipped(good.len() / 2)),
        ("head", flipped(20)),
        ("MAC", flipped(good.len() - 1)),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("empty", Vec::new()),
        ("a compiled form without our MAC", good[good.len().min(56)..].to_vec()),
    ] {
        fs::write(file(), &bytes).unwrap();
        runtime(1).load(&wasm, &BTreeSet::new()).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_ne!(fs::read(file()).unwrap(), bytes, "{what}: not replaced");
    }

    let ours = fs::read(file()).unwrap();
    runtime(2).load(&wasm, &BTreeSet::new()).await.unwrap();
    assert_ne!(fs::read(file()).unwrap(), ours, "another key's file is not trusted");
}

#[tokio::test]
async fn p24_a_compiled_form_of_another_plugin_is_not_taken_for_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let new = || {
        Runtime::new(
            RuntimeConfig { limits: Limits::default(), compiler: Compiler::InProcess, cache_dir: Some(dir.path().to_owned()), cache_key: [1; 32] },
            None,
        )
        .unwrap()
    };
    let (one, two) = (Guest::default().component(), Guest { description: &super::guest::DESCRIPTION.replace("tiny", "other"), ..Guest::default() }.component());
    new().load(&one, &BTreeSet::new()).await.unwrap();
    let first = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    new().load(&two, &BTreeSet::new()).await.unwrap();
    let second = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).find(|path| *path != first).unwrap();
    fs::copy(&first, &second).unwrap();
    assert_eq!(new().load(&two, &BTreeSet::new()).await.unwrap().description().id, "other");
}

#[tokio::test]
async fn p24_a_compiled_form_is_never_taken_for_a_component() {
    let compiled = wasmtime::Engine::default().precompile_component(&wat("(component)")).unwrap();
    assert!(compiled.starts_with(b"\x7fELF"));
    assert_eq!(refused(&compiled).await.code(), "invalid_component");
}

#[tokio::test]
async fn p18_a_plugin_that_cannot_describe_itself_is_refused() {
    for (description, code) in [("", "plugin_contract"), ("{}", "plugin_contract"), ("[1", "plugin_contract")] {
        assert_eq!(refused(&Guest { description, ..Guest::default() }.component()).await.code(), code, "{description:?}");
    }
    let endless = Guest { describe: "(loop $l (br $l)) i32.const 0", ..Guest::default() }.component();
    let error = load(&endless, Limits { cpu: std::time::Duration::from_millis(50), ..Limits::default() }).await.err().unwrap();
    assert_eq!(error.code(), "plugin_deadline");
}
