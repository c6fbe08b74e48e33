// Which gateway this is, how it is, and the other ways in.

import { h, named, when } from "./dom.js";
import { all, outside } from "./api.js";
import { copied, fact, heading, state } from "./parts.js";

export async function show({ me, signal }) {
  const [version, connectors, ready] = await Promise.all([
    outside("/version", { signal }),
    all("/connectors", { signal }),
    readiness(signal),
  ]);
  const here = location.origin;
  const part = (word) => state(word);
  return [
    heading("About"),
    h(
      "div",
      { class: "two" },
      h(
        "section",
        { class: "card", "aria-label": "Gateway" },
        h("h2", null, "This gateway"),
        h(
          "dl",
          { class: "facts" },
          fact("Version", `Portcullis ${version.version}`),
          fact("State", ready ? state(ready.status, { ready: "Ready", not_ready: "Not ready", stopping: "Stopping" }) : "unknown"),
          ready &&
            [
              ["Store", ready.store],
              ["Sink", ready.sink],
              ["Connectors", ready.connectors],
            ].map(([name, word]) => fact(name, part(word))),
          fact("Licence", "Apache-2.0"),
        ),
      ),
      h(
        "section",
        { class: "card", "aria-label": "You" },
        h("h2", null, "You"),
        h(
          "dl",
          { class: "facts" },
          fact("Token", named(me.name)),
          fact("Role", me.role),
          fact("Organization", named(me.organization)),
          fact("Made", when(me.created_at)),
          fact("Expires", when(me.expires_at)),
        ),
      ),
    ),
    h(
      "section",
      { class: "card", "aria-label": "Connectors" },
      h("h2", null, "Connectors"),
      h(
        "dl",
        { class: "facts" },
        connectors.map((one) => fact(named(one.title), h("code", { class: "muted" }, named(one.id)), ` ${one.version}`)),
      ),
    ),
    h(
      "section",
      { class: "card", "aria-label": "API" },
      h("h2", null, "The other ways in"),
      h("p", null, "Whatever this page does, any program can: it is a client of the same API."),
      h(
        "dl",
        { class: "facts" },
        fact("API", copied(`${here}/api/v1`, "address of the API")),
        fact("To read", h("a", { href: "/docs" }, "every operation, with examples")),
        fact("Its document", h("a", { href: "/api/v1/openapi.json" }, "OpenAPI 3.1")),
        fact("Command line", copied(`export PORTCULLIS_URL=${here}`, "command"), " then ", h("code", null, "portcullis --help")),
      ),
    ),
  ];
}

/** 503 is an answer here, not an error. */
async function readiness(signal) {
  try {
    return await (await fetch("/readyz", { signal, cache: "no-store", credentials: "omit" })).json();
  } catch {
    return null;
  }
}
