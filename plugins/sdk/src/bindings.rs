//! The contract as Rust, generated from `wit/`. Nothing is written by hand here.

// The widest world: the linker drops the imports that a connector does not call, and the gateway reads what is left.
wit_bindgen::generate!({
    path: "../../wit",
    world: "full-connector",
    pub_export_macro: true,
    export_macro_name: "export",
    default_bindings_module: "::portcullis_plugin::exported",
    additional_derives: [PartialEq, Eq],
});
