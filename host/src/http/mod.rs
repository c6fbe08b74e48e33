//! The face: HTTP in, problem+json out. Routes live one file a resource; nothing is decided here but who may call what.
//!
//! It never follows what a client says about itself (forwarding headers, method overrides), and no token is read from a URL.

mod answer;
mod audit;
mod body;
mod caller;
mod connections;
mod connectors;
mod fields;
mod health;
mod idempotency;
mod ingestion;
mod linger;
mod listen;
mod objects;
mod openapi;
mod organizations;
mod page;
mod paging;
mod params;
mod patience;
mod plan;
mod plugins;
mod precondition;
mod problem;
mod routes;
mod throttle;
mod tokens;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use axum::Router;

use crate::app::{App, logging};
use crate::config::Config;
use crate::model::{Error, Result, Role};
use crate::runtime::Compiler;
use crate::tokens::Minted;

use idempotency::Idempotency;
use openapi::Document;
use problem::Problem;
use routes::Routes;
use throttle::Throttle;

/// What handlers share.
pub(crate) struct Gateway {
    app: App,
    /// Authenticates cursors; derived from the master key, so that they survive a restart.
    key: [u8; 32],
    idempotency: Arc<Idempotency>,
    failures: Throttle,
    document: Document,
    /// `/readyz` says so, so that nobody sends more.
    draining: AtomicBool,
    requests: AtomicU64,
    /// Tells the requests of this run from those of others.
    run: u32,
}

type Shared = axum::extract::State<Arc<Gateway>>;
type Answer = std::result::Result<axum::response::Response, Problem>;

/// Runs the gateway until it is told to stop, then lets what is in flight end.
pub async fn serve(config: Config) -> Result<()> {
    logging::start(&config.settings.log)?;
    let (app, first_token) = App::start(&config, Compiler::this_program()).await?;
    let listener = listen::bind(config.settings.server.listen).await?;
    let address = listener.local_addr().map_err(|error| Error::internal("listen_failed", "the listening address is unknown").with_source(error))?;
    let gateway = Arc::new(Gateway::new(app));
    greet(address, first_token.as_ref()).map_err(|error| Error::internal("output_closed", "standard output cannot be written").with_source(error))?;
    drop(first_token);
    idempotency::keep_clean(gateway.idempotency.clone());
    listen::run(listener, gateway).await
}

/// The only place where a token is printed, and the only time.
fn greet(address: std::net::SocketAddr, first_token: Option<&Minted>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    if let Some(minted) = first_token {
        writeln!(out, "operator token, shown this once: {}", minted.text)?;
    }
    out.flush()
}

impl Gateway {
    fn new(app: App) -> Self {
        let mut run = [0; 4];
        (app.random)(&mut run);
        let (store, clock, random) = (app.store.clone(), app.clock.clone(), app.random.clone());
        Self {
            key: app.vault.derive("cursors"),
            idempotency: Arc::new(Idempotency { store, key: app.vault.derive("idempotency"), clock, random }),
            failures: Throttle::default(),
            document: Document::new(routes().into_parts().1),
            draining: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            run: u32::from_le_bytes(run),
            app,
        }
    }
}

fn routes() -> Routes {
    let api = connections::routes()
        .merge(connectors::routes())
        .merge(plugins::routes())
        .merge(plan::routes())
        .merge(ingestion::routes())
        .merge(objects::routes())
        .merge(organizations::routes())
        .merge(tokens::routes())
        .merge(audit::routes())
        .merge(Routes::new("gateway").get("/openapi.json", openapi::document, openapi::describe()));
    page::routes().merge(health::routes()).nest("/api/v1", "", api).nest("/api/v0", "_v0", connections::routes())
}

fn router(gateway: Arc<Gateway>) -> Router {
    let (routes, _) = routes().into_parts();
    routes
        .fallback(|| async { Problem::from(Error::not_found("no_such_route", "there is nothing at this path")) })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .with_state(gateway)
}

/// SPEC C5. Each role may do what the ones below it may.
fn require(caller: &crate::model::Caller, role: Role) -> Result<()> {
    if caller.role >= role {
        return Ok(());
    }
    let who = match role {
        Role::Member => "a member",
        Role::Admin => "an admin of the organization",
        Role::Operator => "an operator of the gateway",
    };
    Err(Error::denied("role_required", format!("only {who} may do this")))
}
