//! A route and its description, given together: what the router answers is what the OpenAPI document lists.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use serde_json::{Map, Value};

use super::Gateway;
use super::access::{Marked, Route};
use super::openapi::Operation;

/// The only way to a route, so that there is none of the API without a description.
pub struct Routes {
    answers: Vec<Answers>,
    /// The `paths` of the document.
    paths: Map<String, Value>,
    tag: &'static str,
}

/// What answers one method of a path.
struct Answers {
    path: String,
    route: Arc<Route>,
    by: MethodRouter<Arc<Gateway>>,
}

impl Routes {
    /// `tag`: what the document groups them by.
    pub fn new(tag: &'static str) -> Self {
        Self { answers: Vec::new(), paths: Map::new(), tag }
    }

    pub fn get<T: 'static>(self, path: &str, handler: impl Handler<T, Arc<Gateway>>, operation: Operation) -> Self {
        self.route(MethodFilter::GET, path, handler, [("get", operation)])
    }
    /// `HEAD` is answered for every `GET`; this is for where it is worth asking.
    pub fn get_and_head<T: 'static>(self, path: &str, handler: impl Handler<T, Arc<Gateway>>, get: Operation, head: Operation) -> Self {
        self.route(MethodFilter::GET, path, handler, [("get", get), ("head", head)])
    }
    pub fn post<T: 'static>(self, path: &str, handler: impl Handler<T, Arc<Gateway>>, operation: Operation) -> Self {
        self.route(MethodFilter::POST, path, handler, [("post", operation)])
    }
    pub fn put<T: 'static>(self, path: &str, handler: impl Handler<T, Arc<Gateway>>, operation: Operation) -> Self {
        self.route(MethodFilter::PUT, path, handler, [("put", operation)])
    }
    pub fn patch<T: 'static>(self, path: &str, handler: impl Handler<T, Arc<Gateway>>, operation: Operation) -> Self {
        self.route(MethodFilter::PATCH, path, handler, [("patch", operation)])
    }
    pub fn delete<T: 'static>(self, path: &str, handler: impl Handler<T, Arc<Gateway>>, operation: Operation) -> Self {
        self.route(MethodFilter::DELETE, path, handler, [("delete", operation)])
    }

    /// A file of the web page: no operation of the API, and so not in its document.
    pub fn file<T: 'static>(self, path: &str, handler: impl Handler<T, Arc<Gateway>>) -> Self {
        self.route(MethodFilter::GET, path, handler, [])
    }

    /// What a browser asks before it lets another origin's page ask: no operation either.
    pub fn preflight<T: 'static>(self, path: &str, handler: impl Handler<T, Arc<Gateway>>) -> Self {
        self.route(MethodFilter::OPTIONS, path, handler, [])
    }

    fn route<T: 'static, const N: usize>(
        mut self,
        filter: MethodFilter,
        path: &str,
        handler: impl Handler<T, Arc<Gateway>>,
        described: [(&str, Operation); N],
    ) -> Self {
        let route = Arc::<Route>::default();
        self.answers.push(Answers { path: path.to_owned(), by: on(filter, Marked::new(handler, Arc::clone(&route))), route });
        for (method, operation) in described {
            put(&mut self.paths, path.to_owned(), method.to_owned(), operation.described(self.tag));
        }
        self
    }

    pub fn merge(self, other: Self) -> Self {
        self.nest("", "", other)
    }

    /// Below `prefix`. `mark` is added to the ids of the operations: routes that are nested twice are operations of their own.
    pub fn nest(mut self, prefix: &str, mark: &str, other: Self) -> Self {
        self.answers.extend(other.answers.into_iter().map(|answers| Answers { path: format!("{prefix}{}", answers.path), ..answers }));
        for (path, methods) in other.paths {
            let Value::Object(methods) = methods else { continue };
            for (method, mut operation) in methods {
                if let Some(Value::String(id)) = operation.get_mut("operationId") {
                    id.push_str(mark);
                }
                put(&mut self.paths, format!("{prefix}{path}"), method, operation);
            }
        }
        self
    }

    /// The router is flat: a nested one would take the path of each request apart and put it together again.
    pub fn into_parts(self) -> (Router<Arc<Gateway>>, Map<String, Value>) {
        let router = self.answers.into_iter().fold(Router::new(), |router, Answers { path, route, by }| {
            let router = router.route(&path, by);
            route.pattern.get_or_init(|| path);
            router
        });
        (router, self.paths)
    }
}

fn put(paths: &mut Map<String, Value>, path: String, method: String, operation: Value) {
    if let Value::Object(methods) = paths.entry(path).or_insert_with(|| Value::Object(Map::new())) {
        methods.insert(method, operation);
    }
}
