// How a customer lets the gateway in: documents to paste, the role where it is still to come, and the test that shows whether it is right.

import { h, busy, fresh, named, plain, say, submits, when } from "./dom.js";
import { get, patch, post, query } from "./api.js";
import { copied, crumbs, fact, field as row, findings, heading, problem, setupSteps } from "./parts.js";
import { clearErrors, field, roleSetting, showErrors } from "./form.js";
import { at, link, pinnedConnector, reserves } from "./place.js";

/** The last test, and another one. */
export function testCard(connection, admin, again) {
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
        onsubmit: submits(() => busy(run, test)),
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

/** What to paste, read when it is opened. */
export function setupCard(connection) {
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
        onsubmit: submits(() => load()),
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

/** The third step of the wizard. */
export async function show({ path, signal, go, flash, again }) {
  const connection = await get(at(path[1]), { signal });
  const { name } = connection;
  const [told, connector] = await Promise.all([get(at(name, "/setup"), { signal }), pinnedConnector(connection, signal)]);
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
      onsubmit: submits(() => busy(submit, save)),
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
