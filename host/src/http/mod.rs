//! The face: HTTP in, problem+json out. Routes live one file a resource; nothing is decided here but who may call what.
//!
//! It never follows what a client says about itself (forwarding headers, method overrides), and no token is read from a URL.

mod access;
mod answer;
mod audit;
mod body;
mod caller;
mod connections;
mod connectors;
mod datasets;
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
mod reload;
mod routes;
mod scrape;
mod signed;
mod throttle;
mod tokens;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;

use crate::app::traces::Traces;
use crate::app::{self, App, logging};
use crate::config::Config;
use crate::meter;
use crate::model::{Error, Result, Role};
use crate::runtime::Compiler;
use crate::tokens::Minted;

use idempotency::Idempotency;
use listen::Stop;
use openapi::Document;
use problem::Problem;
use reload::Reload;
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
    stop: Stop,
    /// What signed URLs begin with: no slash at the end. `None`: it is not known how the gateway is called from outside.
    public_url: Option<String>,
    requests: AtomicU64,
    /// Tells the requests of this run from those of others.
    run: u32,
}

type Shared = axum::extract::State<Arc<Gateway>>;
type Answer = std::result::Result<axum::response::Response, Problem>;

/// Runs the gateway until it is told to stop, then lets what is in flight end.
pub async fn serve(config: Config) -> Result<()> {
    let (traces, spans) = match config.otlp_endpoint()? {
        Some(endpoint) => {
            let (traces, spans) = Traces::start(&endpoint, app::operators_fetcher(&config)?)?;
            (Some(traces), Some(spans))
        }
        None => (None, None),
    };
    let level = logging::start(&config.settings.log, spans)?;
    let reload = Reload::new(&config, level, app::clock())?;
    let measured = match config.settings.metrics.listen {
        Some(address) => {
            meter::start()?;
            Some(scrape::serve(address).await?)
        }
        None => None,
    };
    // Before anything is made: a start that cannot listen must not use up the first token.
    let listener = listen::bind(config.settings.server.listen).await?;
    let (app, first_token) = App::start(&config, Compiler::this_program()).await?;
    let address = listener.local_addr().map_err(|error| Error::internal("listen_failed", "the listening address is unknown").with_source(error))?;
    let tls = reload.acceptor().is_some();
    let public_url = signed::public_url(config.public_url()?.as_ref(), tls, address);
    let gateway = Arc::new(Gateway::new(app, public_url));
    greet(address, tls, measured, first_token.as_ref())
        .map_err(|error| Error::internal("output_closed", "standard output cannot be written").with_source(error))?;
    drop(first_token);
    idempotency::keep_clean(gateway.idempotency.clone());
    let ended = listen::run(listener, gateway, &reload).await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    ended
}

/// The only place where a token is printed, and the only time.
fn greet(address: SocketAddr, tls: bool, measured: Option<SocketAddr>, first_token: Option<&Minted>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(address) = measured {
        writeln!(out, "metrics on http://{address}/metrics")?;
    }
    writeln!(out, "listening on {}://{address}", if tls { "https" } else { "http" })?;
    if let Some(minted) = first_token {
        writeln!(out, "operator token, shown this once: {}", minted.text)?;
    }
    out.flush()
}

impl Gateway {
    fn new(app: App, public_url: Option<String>) -> Self {
        let mut run = [0; 4];
        (app.random)(&mut run);
        let (store, clock, random) = (app.store.clone(), app.clock.clone(), app.random.clone());
        Self {
            key: app.vault.derive("cursors"),
            idempotency: Arc::new(Idempotency { store, key: app.vault.derive("idempotency"), clock, random }),
            failures: Throttle::default(),
            document: Document::new(routes().into_parts().1),
            stop: Stop::default(),
            public_url,
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
        .merge(datasets::routes())
        .merge(objects::routes())
        .merge(organizations::routes())
        .merge(tokens::routes())
        .merge(audit::routes())
        .merge(Routes::new("gateway").get("/openapi.json", openapi::document, openapi::describe()));
    page::routes().merge(health::routes()).merge(signed::routes()).nest("/api/v1", "", api).nest("/api/v0", "_v0", connections::routes())
}

fn router(gateway: Arc<Gateway>) -> Router {
    let (routes, _) = routes().into_parts();
    routes
        .fallback(|| async {
            Problem::from(Error::not_found("no_such_route", "there is nothing at this path").with_remedy("GET /api/v1/openapi.json lists every path."))
        })
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
    Err(Error::denied("role_required", format!("only {who} may do this")).with_remedy(format!("Ask {who} to do it, or to give you a token of that role.")))
}
