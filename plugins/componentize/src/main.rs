//! `componentize <core.wasm> <out.wasm>`: makes a component of a core module that carries its world, and validates it.

use std::process::ExitCode;

use wit_component::ComponentEncoder;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = arguments.as_slice() else {
        eprintln!("usage: componentize <core.wasm> <out.wasm>");
        return ExitCode::from(2);
    };
    match componentize(input, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("componentize: {message}");
            ExitCode::FAILURE
        }
    }
}

fn componentize(input: &str, output: &str) -> Result<(), String> {
    let module = std::fs::read(input).map_err(|error| format!("{input}: {error}"))?;
    let component =
        ComponentEncoder::default().module(&module).and_then(|encoder| encoder.validate(true).encode()).map_err(|error| format!("{input}: {error:#}"))?;
    std::fs::write(output, component).map_err(|error| format!("{output}: {error}"))
}
