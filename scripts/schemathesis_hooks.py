"""A generated connection that would be accepted is one to this machine: no generated name is looked up anywhere. A generated component is bytes."""

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    config = case.body.get("config") if isinstance(case.body, dict) else None
    if case.meta.generation.mode.is_positive and isinstance(config, dict) and "hostname" in config:
        config["hostname"] = "localhost"


@schemathesis.serializer("application/wasm")
def component(context, value):
    return value if isinstance(value, bytes) else str(value).encode()
