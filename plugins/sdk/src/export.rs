//! Between the contract's text and an author's types: settings are parsed here, once for each call.

use std::marker::PhantomData;

use crate::bindings::exports::portcullis::connector::connector::Guest;
use crate::settings::{parse, parse_each, to_json};
use crate::{Connector, Error, FieldError, Finding, Page, Plan, Principal, SetupStep, describe};

/// A connector as the component exports it.
pub struct Exported<C>(PhantomData<C>);

impl<C: Connector> Guest for Exported<C> {
    fn describe() -> String {
        describe::<C>()
    }

    fn normalize(settings: String) -> Result<String, Vec<FieldError>> {
        to_json(&C::normalize(parse_each(&settings)?)?)
    }

    fn setup(settings: String, principal: Principal, external_id: String) -> Result<Vec<SetupStep>, Error> {
        C::setup(&parse(&settings)?, &principal, &external_id)
    }

    fn locate(settings: String, sources: Vec<String>) -> Result<Plan, Error> {
        C::locate(&parse(&settings)?, &sources)
    }

    fn check(settings: String, test_location: Option<String>) -> Vec<Finding> {
        match parse(&settings) {
            Ok(settings) => C::check(&settings, test_location.as_deref()),
            Err(error) => vec![Finding::failed("settings", &error)],
        }
    }

    fn list(settings: String, prefix: String, cursor: Option<String>, limit: u32) -> Result<Page, Error> {
        C::list(&parse(&settings)?, &prefix, cursor.as_deref(), limit)
    }
}

/// Makes a component of a [`Connector`]: `portcullis_plugin::export!(MyConnector);`.
#[macro_export]
macro_rules! export {
    ($connector:ty) => {
        // A native build of the crate is for its tests: it exports nothing.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Connector = $crate::exported::Exported<$connector>;
            $crate::exported::export!(Connector);
        };
    };
}
