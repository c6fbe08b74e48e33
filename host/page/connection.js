// One connection: what it is, what its last test found, how the customer lets the gateway in, and its end.

import { h, actionButton, ask, named, plain, when } from "./dom.js";
import { get, patch, post, query, remove } from "./api.js";
import { connectionState, copied, crumbs, fact, heading, note, problem } from "./parts.js";
import { NO_ROLE_YET } from "./form.js";
import { at, connectorOf, link, pinnedConnector, reserves } from "./place.js";
import { setupCard, testCard } from "./setup.js";

export async function show({ path, may, signal, go, flash, again }) {
  const connection = await get(at(path[1]), { signal });
  const { name } = connection;
  const [connector, pinned] = await Promise.all([connectorOf(connection, signal), pinnedConnector(connection, signal)]);
  const admin = may("admin"),
    editable = admin && !connection.default;
  const usable = connection.enabled && connection.status === "ready";

  const toggle =
    editable &&
    actionButton(connection.enabled ? "Disable" : "Enable", {}, async () => {
      if (
        connection.enabled &&
        !(await ask({
          title: "Disable this connection?",
          text: "Nothing can be read or ingested through it until it is enabled again. Running jobs stop at it.",
          confirm: "Disable",
        }))
      )
        return;
      await tried(
        () => patch(at(name), { enabled: !connection.enabled, version: connection.version }),
        connection.enabled ? "It is disabled." : "It is enabled.",
      );
    });
  const end =
    editable &&
    actionButton("Delete", { class: "danger" }, async () => {
      const sure = await ask({
        title: `Delete ${name}?`,
        text: "It cannot be brought back: its settings, its secrets and its external id are gone. What was ingested stays.",
        confirm: "Delete",
        danger: true,
        word: name,
      });
      if (!sure) return;
      await tried(() => remove(at(name)), `The connection ${name} was deleted.`, "#/connections");
    });
  const trouble = h("div");
  async function tried(run, said, to) {
    try {
      await run();
      flash(said);
      if (to) go(to);
      else await again();
    } catch (error) {
      trouble.replaceChildren(problem(error));
    }
  }

  const moved =
    editable &&
    connector &&
    connector.digest !== connection.plugin &&
    note(
      "wait",
      "A newer version of its connector is active",
      h(
        "p",
        null,
        `Version ${plain(connector.version)} is active; this connection stays on the one it was made with until you move it. It is tested first, and stays where it is unless it passes.`,
      ),
      h(
        "div",
        { class: "row" },
        actionButton("Move it", {}, () =>
          tried(() => post(at(name, "/plugin"), { version: connection.version }), `It was moved to version ${connector.version}.`),
        ),
      ),
    );
  const reserved =
    reserves(connection) &&
    note(
      "wait",
      "It waits for its role",
      h("p", null, "The external id is reserved. Make the role with the documents of the setup, then enter its ARN."),
      admin && h("div", { class: "row" }, h("a", { class: "button first", href: link(name, "/setup") }, "Go on with the setup")),
    );

  return [
    crumbs(["Connections", "#/connections"], [name]),
    heading(
      [named(name), " ", connectionState(connection), connection.default && [" ", h("span", { class: "pill" }, "default")]],
      connection.description && named(connection.description),
      usable && h("a", { class: "button", href: `#/browse/${encodeURIComponent(name)}` }, "Browse"),
      usable && h("a", { class: "button", href: `#/ingest${query({ connection: name })}` }, "Ingest"),
      editable && h("a", { class: "button", href: link(name, "/edit") }, "Edit"),
      toggle,
      end,
    ),
    trouble,
    reserved,
    moved,
    h(
      "div",
      { class: "columns" },
      h("div", { class: "stack" }, testCard(connection, admin, again), admin && setupCard(connection)),
      h(
        "section",
        { class: "card", "aria-label": "Settings" },
        h("h2", null, "Settings"),
        h(
          "dl",
          { class: "facts" },
          fact("Connector", named(pinned?.title ?? connection.type), " ", h("code", { class: "muted" }, named(connection.type))),
          settingFacts(connection, pinned),
          connection.test_location && fact("Test location", h("span", { class: "path" }, named(connection.test_location))),
        ),
        h("h2", null, "About it"),
        h(
          "dl",
          { class: "facts" },
          fact("Id", copied(connection.connection_id, "id")),
          admin &&
            !connection.default &&
            connector?.capabilities.includes("aws") &&
            fact("External id", copied(connection.external_id, "external id")),
          fact("Revision", `${connection.revision}, version ${connection.version}`),
          !connection.default && [fact("Created", when(connection.created_at)), fact("Changed", when(connection.updated_at))],
          fact("Last worked", when(connection.last_good_at)),
          fact("Plugin", h("code", { class: "small" }, named(connection.plugin))),
        ),
      ),
    ),
  ];
}

function settingFacts(connection, connector) {
  const titles = connector?.settings?.properties ?? {};
  return Object.entries(connection.config).map(([name, value]) =>
    fact(
      plain(titles[name]?.title ?? name.replaceAll("_", " ")),
      value?.set === true
        ? h("span", { class: "muted" }, "Set; never shown")
        : value === NO_ROLE_YET
          ? h("span", { class: "muted" }, "None yet")
          : named(typeof value === "object" ? JSON.stringify(value) : String(value)),
    ),
  );
}
