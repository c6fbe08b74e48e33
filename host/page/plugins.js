// Connectors as plugins: what each may call and reach, and, for an operator, their life from a dropped file to their end.

import { h, actionButton, ask, busy, count, lines, named, open, plain, say, size, when } from "./dom.js";
import { all, ask as send, post, remove } from "./api.js";
import { empty, fact, heading, note, problem, state } from "./parts.js";

const MOST = 32 << 20;
const POWERS = {
  aws: ["Amazon Web Services", "Asks the gateway to assume roles and to look at buckets, where its egress allows. It never sees a key."],
  http: ["Small HTTP requests", "Asks the gateway for headers and small documents, where its egress allows. It never sees a secret."],
  wasi: ["An empty WASI", "What its language needs to start: no files, no network, no environment."],
};

const power = (word, fresh) =>
  h(
    "li",
    { class: fresh ? "new" : "" },
    h(
      "strong",
      null,
      plain(POWERS[word]?.[0] ?? word),
      " ",
      h("code", { class: "muted" }, word),
      fresh && [" ", h("span", { class: "pill wait" }, "new")],
    ),
    h("span", { class: "hint" }, POWERS[word]?.[1]),
  );
const reach = (template, fresh) =>
  h(
    "li",
    { class: fresh ? "new" : "" },
    h("span", null, h("code", null, named(template)), fresh && [" ", h("span", { class: "pill wait" }, "new")]),
  );

function powers(capabilities, egress, fresh = { capabilities: [], egress: [] }) {
  return [
    h("h3", null, "May call"),
    capabilities.length
      ? h(
          "ul",
          { class: "powers" },
          capabilities.map((one) => power(one, fresh.capabilities.includes(one))),
        )
      : h("p", { class: "muted" }, "Nothing: it only plans."),
    h("h3", null, "May reach, by the settings of each connection"),
    egress.length
      ? h(
          "ul",
          { class: "powers" },
          egress.map((one) => reach(one, fresh.egress.includes(one))),
        )
      : h("p", { class: "muted" }, "Nothing."),
  ];
}

export async function show({ may, signal, flash, again }) {
  const plugins = await all("/plugins", { signal });
  const operator = may("operator");
  const trouble = h("div");
  const act = async (run, said) => {
    try {
      await run();
      flash(said);
      await again();
    } catch (error) {
      trouble.replaceChildren(problem(error));
      trouble.scrollIntoView({ block: "nearest" });
    }
  };
  return [
    heading(
      "Plugins",
      operator
        ? "Each kind of storage is a connector, one sandboxed file. It runs for nobody before it is granted exactly what it asks for."
        : "Each kind of storage is a connector. An operator of the gateway installs them.",
    ),
    operator && drop(act),
    trouble,
    plugins.length === 0 && h("section", { class: "card" }, empty("No connectors", h("p", null, "Without one, nothing can be connected."))),
    ...plugins.map((one) => card(one, operator, act)),
  ];
}

function card(plugin, operator, act) {
  const id = encodeURIComponent(plugin.id);
  const installed = plugin.origin === "installed";
  const pending = plugin.versions.find((one) => one.state === "pending");
  const gone =
    operator &&
    installed &&
    actionButton("Remove", { class: "danger", "aria-label": `Remove ${plugin.id}` }, async () => {
      if (
        await ask({
          title: `Remove ${plugin.id}?`,
          text: "All its versions go. It is refused while a connection uses one of them.",
          confirm: "Remove",
          danger: true,
          word: plugin.id,
        })
      ) {
        await act(() => remove(`/plugins/${id}`), `${plugin.id} was removed.`);
      }
    });
  return h(
    "section",
    { class: "card", "data-plugin": plugin.id, "aria-label": plain(plugin.title ?? plugin.id) },
    h(
      "div",
      { class: "spread" },
      h(
        "div",
        null,
        h("h2", null, named(plugin.title ?? plugin.id)),
        h(
          "div",
          { class: "row" },
          h("code", { class: "muted" }, named(plugin.id)),
          plugin.version && h("span", { class: "muted" }, `version ${plain(plugin.version)}`),
          state(plugin.state, { pending: "Waits for a grant" }),
          h("span", { class: "pill" }, installed ? "installed" : "built in"),
        ),
      ),
      h(
        "div",
        { class: "row" },
        operator && pending && !plugin.versions.some((one) => one.state === "active") && review(plugin, pending, act),
        gone,
      ),
    ),
    plugin.summary && h("p", null, lines(plugin.summary)),
    plugin.imports &&
      h(
        "dl",
        { class: "facts" },
        fact(
          "May call",
          plugin.granted.length
            ? plugin.granted.map((one) => [h("span", { class: "pill", title: POWERS[one]?.[1] }, POWERS[one]?.[0] ?? one), " "])
            : h("span", { class: "muted" }, "nothing: it only plans"),
        ),
        fact(
          "May reach",
          plugin.egress.length
            ? plugin.egress.map((one) => h("div", null, h("code", null, named(one))))
            : h("span", { class: "muted" }, "nothing"),
        ),
        fact(
          "Reads",
          plugin.source_schemes.map((scheme) => [h("code", null, named(`${scheme}:`)), " "]),
        ),
      ),
    plugin.suspensions.length > 0 && suspended(plugin),
    plugin.versions.length > 0 && versions(plugin, operator, act),
  );
}

const suspended = (plugin) =>
  note(
    "bad",
    "It keeps failing",
    h("p", null, "After five faults within a minute it is left alone for the organization; then one call tries it again."),
    h(
      "ul",
      null,
      plugin.suspensions.map((one) =>
        h(
          "li",
          { "data-suspended": one.organization },
          named(one.organization),
          ": since ",
          when(one.since),
          ", tried again ",
          when(one.until),
          "; last fault ",
          h("code", null, named(one.code)),
        ),
      ),
    ),
  );

const review = (plugin, version, act) =>
  actionButton("Review and grant", { class: "first" }, () => consent({ ...version, id: plugin.id, change: null }, act));

function versions(plugin, operator, act) {
  const id = encodeURIComponent(plugin.id);
  const row = (one) =>
    h(
      "tr",
      { "data-digest": one.digest },
      h("td", { "data-label": "Version" }, named(one.version)),
      h(
        "td",
        { "data-label": "State" },
        state(one.state, { pending: "Waits for a grant" }),
        one.fault && h("p", { class: "small" }, lines(one.fault)),
      ),
      h("td", { "data-label": "Digest" }, h("code", { title: one.digest }, one.digest.slice(0, 19), "…")),
      h("td", { class: "number", "data-label": "Size" }, size(one.size)),
      h("td", { "data-label": "Uploaded" }, when(one.uploaded_at)),
      h(
        "td",
        { class: "actions" },
        operator &&
          h(
            "div",
            { class: "row" },
            one.state === "pending" && review(plugin, one, act),
            one.state === "granted" &&
              actionButton("Activate", { "aria-label": `Activate ${one.version} of ${plugin.id}` }, () =>
                act(
                  () => post(`/plugins/${id}/activate`, { digest: one.digest }),
                  `Version ${one.version} of ${plugin.id} is active. Connections stay on theirs until they are moved.`,
                ),
              ),
            one.state !== "active" &&
              actionButton("Remove", { class: "danger", "aria-label": `Remove version ${one.version} of ${plugin.id}` }, async () => {
                if (
                  await ask({
                    title: "Remove this version?",
                    text: "It is refused while a connection is pinned to it.",
                    confirm: "Remove",
                    danger: true,
                  })
                )
                  await act(() => remove(`/plugins/${id}/versions/${one.digest}`), `Version ${one.version} of ${plugin.id} was removed.`);
              }),
          ),
      ),
    );
  return h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { class: "cards", "aria-label": `Versions of ${plain(plugin.id)}` },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          ["Version", "State", "Digest", "Size", "Uploaded", ""].map((text) =>
            h("th", { scope: "col", class: text === "Size" ? "number" : "" }, text || h("span", { class: "unseen" }, "Actions")),
          ),
        ),
      ),
      h("tbody", null, plugin.versions.map(row)),
    ),
  );
}

/** A file in, what it asks for out. */
function drop(act) {
  const input = h("input", { type: "file", id: "component", accept: ".wasm,application/wasm" });
  const said = h("div", { "aria-live": "polite" });
  const zone = h(
    "section",
    { class: "drop", "aria-label": "Install a connector" },
    h("label", { for: "component" }, "Drop a connector's .wasm here, or choose it"),
    input,
    h("p", { class: "small" }, "It is looked at first; nothing in it runs before you grant what it asks for. At most 32 MiB."),
    said,
  );
  const stop = (event) => event.preventDefault();
  zone.addEventListener("dragover", (event) => {
    stop(event);
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    stop(event);
    zone.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
  input.addEventListener("change", () => input.files[0] && take(input.files[0]).finally(() => (input.value = "")));
  async function take(file) {
    if (!file) return;
    if (file.size > MOST)
      return said.replaceChildren(
        note("bad", "Too large", h("p", null, `A component is at most 32 MiB; this one has ${size(file.size)}.`)),
      );
    said.replaceChildren(h("p", { role: "status" }, "Looking at it…"));
    try {
      const offered = await (await send("POST", "/api/v1/plugins", { body: await file.arrayBuffer(), type: "application/wasm" })).json();
      said.replaceChildren();
      say(`${offered.id}, version ${offered.version}, was uploaded`);
      consent(offered, act);
    } catch (error) {
      said.replaceChildren(problem(error));
    }
  }
  return zone;
}

/** What a version asks for, before it is granted exactly that. */
function consent(offered, act) {
  const { id, digest, imports, egress, change } = offered;
  const known = offered.state === "active";
  const needed = offered.grant_required ?? offered.state === "pending";
  const settings =
    change &&
    Object.entries({
      "New settings": change.settings.added,
      "Settings that are gone": change.settings.removed,
      "Settings that changed": change.settings.changed,
      "Settings that are required now": change.settings.now_required,
    }).filter(([, list]) => list.length);
  const submit = h("button", { class: "first" }, needed ? "Grant and activate" : "Activate");
  const path = `/plugins/${encodeURIComponent(id)}`;
  const form = h(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        dialog.close();
        busy(submit, () =>
          act(
            () => (needed ? post(`${path}/grant`, { digest, capabilities: imports, egress }) : post(`${path}/activate`, { digest })),
            `${id}, version ${offered.version}, is active: new connections can be made with it.`,
          ),
        );
      },
    },
    h(
      "div",
      null,
      h(
        "h2",
        { id: "consent", tabindex: "-1" },
        known ? "It is there already" : needed ? `Grant ${plain(id)} what it asks for?` : `Activate ${plain(id)}?`,
      ),
      h("p", { class: "muted" }, named(offered.title), ", version ", named(offered.version), `, ${count(offered.size)} bytes`),
    ),
    change &&
      note(
        change.new.capabilities.length + change.new.egress.length ? "wait" : "good",
        `Compared with version ${plain(change.from_version)}`,
        h(
          "p",
          null,
          change.new.capabilities.length + change.new.egress.length
            ? "It asks for more than the active version: what is new is marked."
            : "It asks for nothing new.",
        ),
        change.dropped.capabilities.length + change.dropped.egress.length > 0 &&
          h(
            "p",
            null,
            "It no longer asks for: ",
            [...change.dropped.capabilities, ...change.dropped.egress].map((one) => [h("code", null, named(one)), " "]),
          ),
        settings.map(([title, list]) =>
          h(
            "p",
            null,
            `${title}: `,
            list.map((one) => [h("code", null, named(one)), " "]),
          ),
        ),
      ),
    h("div", { class: "stack" }, powers(imports, egress, change?.new)),
    h("p", { class: "small" }, h("code", null, named(digest))),
    h("div", { class: "end" }, h("button", { type: "button", onclick: leave }, known ? "Close" : "Leave it as it is"), !known && submit),
  );
  function leave() {
    dialog.close();
    if (!known) act(async () => {}, `${id}, version ${offered.version}, is kept and runs for nobody.`);
  }
  const dialog = open(form, "consent");
  form.querySelector("h2").focus();
}
