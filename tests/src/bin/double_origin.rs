//! `double-origin --listen 127.0.0.1:PORT --folder FOLDER --ca FILE`: the https origin as a process of its own. It serves what is in the folders
//! `public`, `basic` and `bearer` of FOLDER, writes its authority's certificate to FILE, and takes `ORIGIN_USERNAME`, `ORIGIN_PASSWORD` and
//! `ORIGIN_TOKEN` from the environment.

use std::path::Path;
use std::process::ExitCode;

use portcullis_tests::origin::{Origin, Settings};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: double-origin --listen 127.0.0.1:PORT --folder FOLDER --ca FILE";

#[tokio::main]
async fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("double-origin: {problem}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), String> {
    let [listen, address, from, folder, to, ca] = arguments else { return Err(USAGE.into()) };
    if (listen.as_str(), from.as_str(), to.as_str()) != ("--listen", "--folder", "--ca") {
        return Err(USAGE.into());
    }
    let secret = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let settings = Settings {
        listen: address.clone(),
        username: secret("ORIGIN_USERNAME")?,
        password: secret("ORIGIN_PASSWORD")?,
        token: secret("ORIGIN_TOKEN")?,
        ca: Some(ca.into()),
        ..Settings::default()
    };
    let origin = Origin::with(settings).await.map_err(|error| format!("{address}: {error}"))?;
    for tree in ["public", "basic", "bearer"] {
        let folder = Path::new(folder).join(tree);
        if folder.is_dir() {
            origin.put_folder(&format!("/{tree}"), &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
    }
    println!("listening on https://localhost:{}", origin.port());
    let mut end = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    tokio::select! {
        _ = end.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}
