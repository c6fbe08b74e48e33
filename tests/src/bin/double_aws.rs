//! `double-aws --listen 127.0.0.1:PORT --fixture FILE`: the double of AWS as a process of its own. On SIGHUP it reads the fixture again and
//! keeps the sessions that are open.

use std::path::Path;
use std::process::ExitCode;

use portcullis_tests::aws::{AwsDouble, Fixture};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("double-aws: {problem}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), String> {
    let [listen, address, from, file] = arguments else { return Err("usage: double-aws --listen 127.0.0.1:PORT --fixture FILE".into()) };
    if listen != "--listen" || from != "--fixture" {
        return Err("usage: double-aws --listen 127.0.0.1:PORT --fixture FILE".into());
    }
    let double = AwsDouble::listen(address).await.map_err(|error| format!("{address}: {error}"))?;
    double.replace(&Fixture::read(Path::new(file))?)?;
    println!("listening on {}", double.endpoint());
    let fail = |error: std::io::Error| error.to_string();
    let (mut again, mut end) = (signal(SignalKind::hangup()).map_err(fail)?, signal(SignalKind::terminate()).map_err(fail)?);
    loop {
        tokio::select! {
            _ = again.recv() => double.replace(&Fixture::read(Path::new(file))?)?,
            _ = end.recv() => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}
