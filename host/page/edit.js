// Changing a connection: its form, filled with what is there; only what was changed is sent.

import { h, busy, named, plain, submits } from "./dom.js";
import { get, patch } from "./api.js";
import { crumbs, heading, problem } from "./parts.js";
import { clearErrors, field, settingsFields, showErrors } from "./form.js";
import { at, link, pinnedConnector } from "./place.js";

export async function show({ path, signal, go, flash, again }) {
  const connection = await get(at(path[1]), { signal });
  const { name } = connection;
  if (connection.default)
    return [
      crumbs(["Connections", "#/connections"], [plain(name), link(name)], ["Edit"]),
      h("h1", { tabindex: "-1" }, "The default connection is not edited"),
      h("p", null, "Its name and role come from the gateway's configuration."),
    ];
  const connector = await pinnedConnector(connection, signal);
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
      onsubmit: submits(() => busy(submit, save)),
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
