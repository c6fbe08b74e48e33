//! `bindings-c <wit> <world> <folder>`: writes the contract as C, as `wit-bindgen c` does, under names that can be read:
//! `plugin.h`, `plugin.c` and `plugin_component_type.o`.

use std::path::Path;
use std::process::ExitCode;

use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [wit, world, folder] = arguments.as_slice() else {
        eprintln!("usage: bindings-c <wit> <world> <folder>");
        return ExitCode::from(2);
    };
    match generate(wit, world, Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bindings-c: {message}");
            ExitCode::FAILURE
        }
    }
}

fn generate(wit: &str, world: &str, folder: &Path) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit).map_err(|error| format!("{wit}: {error:#}"))?;
    let selected = resolve.select_world(&[package], Some(world)).map_err(|error| format!("{world}: {error:#}"))?;
    let mut rename = Vec::new();
    for (id, interface) in resolve.interfaces.iter() {
        let (Some(name), Some(short)) = (resolve.id_of(id), interface.name.clone()) else { continue };
        // Only those of the world: the generator warns of the others.
        let world = &resolve.worlds[selected];
        if world.imports.iter().chain(&world.exports).any(|(key, _)| resolve.name_world_key(key) == name) {
            rename.push((name, short));
        }
    }
    let options = wit_bindgen_c::Opts { rename, rename_world: Some("plugin".to_owned()), ..Default::default() };
    let mut files = Files::default();
    options.build().generate(&mut resolve, selected, &mut files).map_err(|error| format!("{error:#}"))?;
    for (name, content) in files.iter() {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
