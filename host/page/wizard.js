// A new connection: a connector from the catalogue, a form drawn from its schema, then the setup.

import { h, busy, named, plain, submits } from "./dom.js";
import { all, newKey, once, post } from "./api.js";
import { crumbs, empty, heading, problem } from "./parts.js";
import { NO_ROLE_YET, clearErrors, field, roleSetting, settingsFields, showErrors } from "./form.js";

const steps = (current) =>
  h(
    "ol",
    { class: "steps", "aria-label": "Steps" },
    ["Choose a connector", "Fill in its settings", "Let the gateway in, and test"].map((text, index) =>
      h("li", { class: index < current ? "done" : undefined, "aria-current": index === current ? "step" : undefined }, text),
    ),
  );

export async function show(context) {
  const connectors = await all("/connectors", { signal: context.signal });
  const chosen = connectors.find((one) => one.id === context.path[2]);
  return chosen ? settings(chosen, context) : catalogue(connectors, context);
}

function catalogue(connectors, { may }) {
  return [
    crumbs(["Connections", "#/connections"], ["New"]),
    heading("New connection", "Where are the files, and how is access given to them?"),
    steps(0),
    connectors.length === 0 && empty("There is no connector", h("p", null, "An operator installs connectors under Plugins.")),
    h(
      "ul",
      { class: "catalogue" },
      connectors.map((one) =>
        h(
          "li",
          null,
          h(
            "a",
            { href: `#/connections/new/${encodeURIComponent(one.id)}`, "data-type": one.id },
            h("h2", null, named(one.title)),
            h("p", null, named(one.summary)),
            h(
              "p",
              { class: "small" },
              one.source_schemes.map((scheme) => h("span", { class: "pill" }, named(`${scheme}:`), " ")),
              " ",
              h("code", { class: "muted" }, named(one.id)),
            ),
          ),
        ),
      ),
    ),
    may("operator") &&
      h(
        "p",
        { class: "muted" },
        "Another kind of storage? ",
        h("a", { href: "#/plugins" }, "Install a connector"),
        " as one file, without a restart.",
      ),
  ];
}

function settings(connector, { go, flash }) {
  const role = roleSetting(connector.settings);
  const fields = settingsFields(connector.settings);
  const name = h("input", { autocomplete: "off", spellcheck: "false", autocapitalize: "none" });
  const about = h("textarea", { rows: 2 });
  const location = h("input", {
    autocomplete: "off",
    spellcheck: "false",
    placeholder: connector.source_schemes.includes("s3") ? "s3://bucket/key" : "https://…",
  });
  const strict = h("input", { type: "checkbox" });
  const submit = h("button", { class: "first" }, "Create and test");
  const later = role && h("input", { type: "checkbox", id: "no-role-yet", onchange: chosen });
  const roleField = role && fields.fields.find((one) => one.name === role);
  // Two steps: the external id is there before the role is.
  function chosen() {
    const input = roleField.input;
    input.value = later.checked ? NO_ROLE_YET : "";
    input.readOnly = later.checked;
    submit.textContent = later.checked ? "Reserve, and show me the external id" : "Create and test";
  }
  if (later) {
    roleField.element
      .querySelector(".wrong")
      .before(h("label", { class: "check" }, later, h("span", null, "I have no role yet: show me the external id and the policies first")));
  }
  // The same press twice makes one connection; another body is another request.
  let key = newKey(),
    sent;
  const form = h(
    "form",
    {
      class: "card narrow",
      novalidate: true,
      onsubmit: submits(() => busy(submit, create)),
    },
    h("div", { class: "summary" }),
    field({
      pointer: "/name",
      label: "Name",
      hint: "What requests call it. 3 to 255 lower-case letters, digits and _.",
      input: name,
      required: true,
    }),
    fields.needed,
    fields.others,
    field({
      pointer: "/test_location",
      label: "Test location",
      hint: "An object that every test reads. Without it, only access is tested.",
      input: location,
    }),
    field({ pointer: "/description", label: "Description", input: about }),
    h("label", { class: "check" }, strict, h("span", null, "Store it only if it passes its test")),
    h("div", { class: "row" }, submit, h("a", { class: "button", href: "#/connections/new" }, "Back")),
  );
  async function create() {
    clearErrors(form);
    const body = {
      name: name.value,
      type: connector.id,
      config: fields.read(),
      ...(about.value && { description: about.value }),
      ...(location.value && { test_location: location.value }),
    };
    const at = `/connections${strict.checked && !later?.checked ? "?validate=require" : ""}`;
    const text = at + JSON.stringify(body);
    if (sent !== undefined && sent !== text) key = newKey();
    sent = text;
    try {
      const made = await post(at, body, once(key));
      const there = `#/connections/${encodeURIComponent(made.name)}`;
      if (made.status === "ready") {
        flash(`${made.name} is ready: it passed its test.`);
        go(there);
      } else {
        flash(
          made.last_test
            ? `${made.name} is stored; its first test failed. The setup below says what the customer has to do; then test again.`
            : `${made.name} is reserved. Its external id is below.`,
        );
        go(`${there}/setup`);
      }
    } catch (error) {
      // What the gateway refused made nothing: the next try is a new request.
      if (error.status >= 400 && error.status < 500) key = newKey();
      showErrors(form, error, (one) => problem(one));
    }
  }
  return [
    crumbs(["Connections", "#/connections"], ["New", "#/connections/new"], [plain(connector.title)]),
    heading(named(connector.title), named(connector.summary)),
    steps(1),
    form,
  ];
}
