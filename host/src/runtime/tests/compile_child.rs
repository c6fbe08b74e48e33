//! Each limit of the compiler's process, met by code that wants more: this test program, started again and confined as the compiler is.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use super::*;

const WANTED: &str = "PORTCULLIS_TEST_WANTED";
const CONFINED: &str = "runtime::compile_child::tests::p21_what_a_confined_process_wants";

/// This program, confined and wanting `what`.
fn confined(what: &str) -> Output {
    Command::new(std::env::current_exe().unwrap()).args([CONFINED, "--exact", "--nocapture"]).envs(ENVIRONMENT).env(WANTED, what).output().unwrap()
}

/// Runs in the process that `confined` starts; by itself it wants nothing.
#[test]
fn p21_what_a_confined_process_wants() {
    let Ok(wanted) = std::env::var(WANTED) else { return };
    let mut file = tempfile::tempfile().unwrap();
    confine(1).unwrap();
    settle_threads(&Engine::new(&engine::compiling()).unwrap()).unwrap();
    let got = match wanted.as_str() {
        "a program" => Command::new("/bin/true").spawn().is_ok(),
        "a thread" => std::thread::Builder::new().spawn(|| ()).is_ok(),
        "memory" => Vec::<u8>::new().try_reserve_exact(1 << 30).is_ok(),
        "files" => (0..FILES).map(|_| File::open("/dev/null")).collect::<Result<Vec<_>, _>>().is_ok(),
        "root" => geteuid().is_root(),
        "other powers" => {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let has = |line: &str| status.lines().any(|found| found == line);
            !has("NoNewPrivs:\t1") || !has("CapEff:\t0000000000000000")
        }
        "a written file" => file.write_all(b"x").is_ok(),
        "time" => loop {
            std::hint::spin_loop();
        },
        "a core" => std::process::abort(),
        "to compile" => {
            let wasm = wat::parse_str(format!("(component (core module {}))", "(func)".repeat(1000))).unwrap();
            Engine::new(&engine::compiling()).unwrap().precompile_component(&wasm).is_ok()
        }
        other => panic!("nobody wants {other}"),
    };
    writeln!(std::io::stdout(), "got it: {got}").unwrap();
}

#[test]
fn p21_each_limit_of_the_compilers_process_holds() {
    let answer = |what: &str| String::from_utf8(confined(what).stdout).unwrap();
    assert!(answer("to compile").contains("got it: true"), "what it is there for: {}", answer("to compile"));
    for what in ["a program", "a thread", "memory", "files", "root", "other powers"] {
        assert!(answer(what).contains("got it: false"), "{what}: {}", answer(what));
    }
    // SIGXFSZ, SIGKILL or SIGXCPU, SIGABRT.
    for (what, signals) in [("a written file", &[25][..]), ("time", &[9, 24]), ("a core", &[6])] {
        let ended = confined(what).status;
        assert!(ended.signal().is_some_and(|signal| signals.contains(&signal)), "{what}: {ended}");
        assert!(!ended.core_dumped(), "{what}");
    }
}
