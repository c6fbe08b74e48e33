// One connection: what it is, what its last test found, how the customer lets the gateway in, and its end.

import { h, actionButton, ask, busy, fresh, named, plain, say, when } from "./dom.js";
import { all, get, patch, post, query, remove } from "./api.js";
import { connectionState, copied, crumbs, fact, field as row, findings, heading, note, problem, setupSteps } from "./parts.js";
import { NO_ROLE_YET, clearErrors, field, roleSetting, settingsFields, showErrors } from "./form.js";

const link = (name, rest = "") => `#/connections/${encodeURIComponent(name)}${rest}`;
const at = (name, rest = "") => `/connections/${encodeURIComponent(name)}${rest}`;
const connectorOf = async (connection, signal) => (await all("/connectors", { signal })).find((one) => one.id === connection.type);
const reserves = (connection) => Object.values(connection.config).includes(NO_ROLE_YET);

export async function show({ path, may, signal, go, flash, again }) {
  const connection = await get(at(path[1]), { signal });
  const { name } = connection;
  const connector = await connectorOf(connection, signal);
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
          fact("Connector", named(connector?.title ?? connection.type), " ", h("code", { class: "muted" }, named(connection.type))),
          settingFacts(connection, connector),
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

/** The last test, and another one. */
function testCard(connection, admin, again) {
  const place = h("div", { "aria-live": "polite" });
  const last = connection.last_test;
  const location = h("input", {
    id: fresh("location"),
    autocomplete: "off",
    spellcheck: "false",
    placeholder: connection.test_location ?? "s3://bucket/key or https://…",
  });
  place.replaceChildren(
    last
      ? findings(last.findings)
      : h(
          "p",
          { class: "muted" },
          connection.default
            ? "Name an object of a bucket whose policy lets the gateway in, then test."
            : "It has not been tested since its settings last changed.",
        ),
  );
  const run = h("button", { class: last?.passed === false ? "first" : "" }, "Test");
  const form =
    admin &&
    h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          busy(run, test);
        },
      },
      row(
        "Test at another place",
        location,
        connection.test_location
          ? "Left empty, the connection's own test location is read."
          : "An object that must be readable. Left empty, only access is tested.",
      ),
      h("div", null, run),
    );
  async function test() {
    try {
      const tested = await post(at(connection.name, "/test"), location.value ? { location: location.value } : {});
      place.replaceChildren(findings(tested.checks));
      say(tested.passed ? "Every check passed" : `${tested.checks.filter((one) => !one.passed).length} checks failed`);
      head.replaceChildren(
        h("h2", null, tested.passed ? "Every check passed" : "A check failed"),
        h("span", { class: "small muted" }, "just now"),
      );
      if (!connection.default && tested.status !== connection.status) {
        say(`The connection is ${tested.status} now`);
        await again();
      }
    } catch (error) {
      place.replaceChildren(problem(error, () => busy(run, test)));
    }
  }
  const head = h(
    "div",
    { class: "spread" },
    h("h2", null, last ? (last.passed ? "Every check passed" : "The last test failed") : "Test"),
    last && h("span", { class: "small muted" }, "tested ", when(last.at)),
  );
  return h("section", { class: "card test", "aria-label": "Test" }, head, place, form);
}

/** Read when it is opened. */
function setupCard(connection) {
  const place = h("div", { class: "stack" });
  const bucket =
    connection.default &&
    h("input", { id: fresh("bucket"), autocomplete: "off", spellcheck: "false", required: true, placeholder: "my-bucket" });
  async function load() {
    place.setAttribute("aria-busy", "true");
    try {
      place.replaceChildren(setup(await get(at(connection.name, `/setup${query({ bucket: bucket?.value })}`))));
    } catch (error) {
      place.replaceChildren(problem(error, load));
    }
    place.removeAttribute("aria-busy");
  }
  const form =
    bucket &&
    h(
      "form",
      {
        class: "row",
        onsubmit: (event) => {
          event.preventDefault();
          load();
        },
      },
      row("Bucket", bucket),
      h("button", { class: "first" }, "Show its policy"),
    );
  const details = h(
    "details",
    { class: "card setup" },
    h("summary", null, h("h2", { class: "unseen" }, "Setup"), h("span", { class: "label" }, "Setup: how to let the gateway in")),
    form,
    place,
  );
  details.addEventListener("toggle", () => details.open && !bucket && place.childElementCount === 0 && load());
  return details;
}

function setup({ principal, external_id: externalId, steps }, withId = true) {
  return h(
    "div",
    { class: "stack" },
    principal.account_id &&
      h(
        "dl",
        { class: "facts" },
        fact("Gateway's account", copied(principal.account_id, "account id")),
        fact("Gateway's role", copied(principal.role_arn, "role ARN")),
        withId && fact("External id", copied(externalId, "external id")),
      ),
    setupSteps(steps),
  );
}

/** The third step of the wizard: documents to paste, the role where it is still to come, and the test. */
export { setupView as setup };
async function setupView({ path, signal, go, flash, again }) {
  const connection = await get(at(path[1]), { signal });
  const { name } = connection;
  const [told, connector] = await Promise.all([get(at(name, "/setup"), { signal }), connectorOf(connection, signal)]);
  const setting = reserves(connection) && roleSetting(connector?.settings ?? {});
  const usesId = JSON.stringify(told.steps).includes(told.external_id);
  return [
    crumbs(["Connections", "#/connections"], [plain(name), link(name)], ["Setup"]),
    heading(["Set up ", named(name)], "The customer does this once, where their storage is. The test then shows whether it is right."),
    h(
      "ol",
      { class: "steps", "aria-label": "Steps" },
      h("li", { class: "done" }, "Choose a connector"),
      h("li", { class: "done" }, "Fill in its settings"),
      h("li", { "aria-current": "step" }, "Let the gateway in, and test"),
    ),
    h("section", { class: "card narrow", "aria-label": "Documents" }, h("h2", null, "What the customer does"), setup(told, usesId)),
    h(
      "div",
      { class: "narrow stack" },
      setting
        ? roleForm(connection, connector, setting, { go, flash })
        : [testCard(connection, true, again), h("div", null, h("a", { class: "button first", href: link(name) }, "Done"))],
    ),
  ];
}

function roleForm(connection, connector, setting, { go, flash }) {
  const input = h("input", { autocomplete: "off", spellcheck: "false", placeholder: "arn:aws:iam::123456789012:role/…" });
  const submit = h("button", { class: "first" }, "Save and test");
  const form = h(
    "form",
    {
      class: "card",
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        busy(submit, save);
      },
    },
    h("h2", null, "When the role is there"),
    h("div", { class: "summary" }),
    field({
      pointer: `/config/${setting}`,
      label: connector.settings.properties[setting].title ?? "Role ARN",
      hint: "Copy it from the role's page in IAM.",
      input,
      required: true,
    }),
    h("div", { class: "row" }, submit, h("a", { class: "button", href: link(connection.name) }, "Later")),
  );
  async function save() {
    clearErrors(form);
    try {
      const changed = await patch(at(connection.name), { config: { [setting]: input.value }, version: connection.version });
      flash(
        changed.last_test?.passed
          ? "The role works: the connection is ready."
          : "The role was saved; its test failed. What was found is below.",
      );
      go(link(connection.name));
    } catch (error) {
      showErrors(form, error, (one) => problem(one));
    }
  }
  return form;
}

export async function edit({ path, signal, go, flash, again }) {
  const connection = await get(at(path[1]), { signal });
  const { name } = connection;
  if (connection.default)
    return [
      crumbs(["Connections", "#/connections"], [plain(name), link(name)], ["Edit"]),
      h("h1", { tabindex: "-1" }, "The default connection is not edited"),
      h("p", null, "Its name and role come from the gateway's configuration."),
    ];
  // The form of the version that it is on; the active one's where that is the same or nothing else is known.
  const connector = await connectorOf(connection, signal);
  const settings = settingsFields(connector?.settings ?? {}, connection.config);
  const title = h("input", { value: name, autocomplete: "off", spellcheck: "false" });
  const about = h("textarea", { rows: 2 });
  about.value = connection.description;
  const location = h("input", { value: connection.test_location ?? "", autocomplete: "off", spellcheck: "false" });
  const submit = h("button", { class: "first" }, "Save and test");
  const form = h(
    "form",
    {
      class: "card narrow",
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        busy(submit, save);
      },
    },
    h("div", { class: "summary" }),
    field({ pointer: "/name", label: "Name", hint: "3 to 255 lower-case letters, digits and _.", input: title, required: true }),
    settings.needed,
    settings.others,
    field({ pointer: "/test_location", label: "Test location", hint: "An object that every test reads.", input: location }),
    field({ pointer: "/description", label: "Description", input: about }),
    h("div", { class: "row" }, submit, h("a", { class: "button", href: link(name) }, "Cancel")),
  );
  async function save() {
    clearErrors(form);
    const config = settings.read();
    const change = {
      ...(title.value === name ? {} : { name: title.value }),
      ...(about.value === connection.description ? {} : { description: about.value }),
      ...(location.value === (connection.test_location ?? "") ? {} : { test_location: location.value || null }),
      ...(Object.keys(config).length ? { config } : {}),
    };
    if (Object.keys(change).length === 0) return go(link(name));
    try {
      const changed = await patch(at(name), { ...change, version: connection.version });
      const tested = changed.revision !== connection.revision && changed.last_test;
      flash(
        !tested
          ? "Saved."
          : tested.passed
            ? "Saved, and it passed its test."
            : "Saved. It failed its test and is not used until it passes; what was found is below.",
      );
      go(link(changed.name));
    } catch (error) {
      showErrors(form, error, (one) => problem(one, one.code === "stale_version" ? again : undefined, "Load what it is now"));
    }
  }
  return [
    crumbs(["Connections", "#/connections"], [plain(name), link(name)], ["Edit"]),
    heading(
      ["Edit ", named(name)],
      "Changed settings are tested at once, and are not used before they pass. Another host, bucket or role asks for the secrets again.",
    ),
    form,
  ];
}
