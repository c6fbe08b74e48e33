//! What `wit/` becomes in Rust. These types end in `runtime`: `lift` and `lower` turn them into `model` and back.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "full-connector",
    imports: {
        "portcullis:connector/log.write": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    // Arguments are lent to the guest: a batch of paths is not copied before it is copied.
    ownership: Borrowing { duplicate_if_necessary: true },
});
