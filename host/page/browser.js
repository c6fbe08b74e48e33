// What a connection may read: its folders and objects, by pages, and a look at one of them.

import { h, actionButton, copyButton, count, fresh, glyph, named, plain, size, submits, when } from "./dom.js";
import { all, get, post, query } from "./api.js";
import { choice, empty, field, heading, note, problem } from "./parts.js";
import { kindOfName, panel } from "./preview.js";

export async function show({ path, query: given, signal, go }) {
  const ready = (await all("/connections", { signal })).filter((one) => one.enabled && one.status === "ready");
  const name = path[1];
  const chosen =
    ready.find((one) => one.name === name || one.connection_id === name) ??
    (name ? await get(`/connections/${encodeURIComponent(name)}`, { signal }) : undefined);
  if (!chosen && ready.length === 0)
    return [
      heading("Browse"),
      h(
        "section",
        { class: "card" },
        empty(
          "Nothing to browse yet",
          h("p", null, "Only a connection that passed its test is used. Make one, or see what the test of an existing one found."),
          h("a", { class: "button first", href: "#/connections" }, "To the connections"),
        ),
      ),
    ];
  const select = choice(
    fresh("connection"),
    [...(chosen ? [] : [["", "Choose one"]]), ...ready.map((one) => [one.name, plain(one.name)])],
    chosen?.name ?? "",
  );
  select.addEventListener("change", () => go(`#/browse/${encodeURIComponent(select.value)}`));
  const head = [
    heading("Browse", "Listed and read through the gateway, with the connection's own access. Nothing is copied."),
    h("div", { class: "card row" }, field("Connection", select)),
  ];
  if (!chosen) return head;

  const bucket = given.get("bucket") ?? "",
    prefix = given.get("prefix") ?? "";
  const here = (more) => `#/browse/${encodeURIComponent(chosen.name)}${query({ bucket, prefix, ...more })}`;
  const asked = h("input", { id: fresh("path"), autocomplete: "off", spellcheck: "false", placeholder: "s3://bucket/key or https://…" });
  const bucketInput = h("input", {
    id: fresh("bucket"),
    value: bucket,
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "my-bucket",
  });
  const bucketForm = h(
    "form",
    {
      class: "row",
      hidden: !bucket,
      onsubmit: submits(() => go(here({ bucket: bucketInput.value.trim(), prefix: "" }))),
    },
    field("Bucket", bucketInput),
    h("button", null, "Open"),
  );
  const shelf = h("div", { class: "shelf alone" });
  const tail = (path) => {
    const mark = prefix && path.lastIndexOf(prefix);
    return prefix && mark >= 0 ? path.slice(mark + prefix.length) : path.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*\//, "");
  };
  const { element: preview, look } = panel({
    connection: chosen.name,
    tail,
    signal,
    shown: (whether) => shelf.classList.toggle("alone", !whether),
  });

  head[1].append(
    bucketForm,
    h(
      "form",
      {
        class: "row",
        onsubmit: submits(() => asked.value.trim() && look({ path: asked.value.trim() })),
      },
      field("A source path", asked),
      h("button", null, "Look at it"),
    ),
  );

  const selected = new Set();
  const bar = h("div", { class: "more spread", hidden: true });
  function picked() {
    bar.hidden = selected.size === 0;
    bar.replaceChildren(
      h("span", null, `${count(selected.size)} selected`),
      h(
        "div",
        { class: "row" },
        actionButton("Ingest them", { class: "first" }, () => {
          sessionStorage.setItem("portcullis.paths", JSON.stringify([...selected]));
          go(`#/ingest${query({ connection: chosen.name })}`);
        }),
      ),
    );
  }

  const body = h("tbody");
  const more = h("div", { class: "more", hidden: true }, actionButton("Load more", {}, load));
  const place = h("div", null, h("p", { class: "empty" }, "Loading…"));
  let next,
    rows = 0;
  async function load() {
    try {
      const page = await post(
        `/connections/${encodeURIComponent(chosen.name)}/list`,
        { prefix, max_keys: 200, ...(bucket && { bucket }), ...(next && { continuation_token: next }) },
        { signal },
      );
      next = page.next;
      body.append(...page.prefixes.map(folderRow), ...page.entries.map(entryRow));
      rows += page.prefixes.length + page.entries.length;
      more.hidden = !next;
      if (rows > 0 && !place.contains(body))
        place.replaceChildren(
          h(
            "div",
            { class: "scroll" },
            h(
              "table",
              { class: "cards", "aria-label": "Objects" },
              h(
                "thead",
                null,
                h(
                  "tr",
                  null,
                  [
                    ["", "pick"],
                    ["Name", ""],
                    ["Size", "number"],
                    ["Changed", ""],
                    ["", ""],
                  ].map(([text, kind], index) =>
                    h("th", { scope: "col", class: kind }, text || h("span", { class: "unseen" }, index ? "Actions" : "Select")),
                  ),
                ),
              ),
              body,
            ),
          ),
          more,
          bar,
        );
      if (rows === 0)
        place.replaceChildren(
          empty(
            "Nothing is here",
            h("p", null, prefix ? "No object begins with this path." : "The place that this connection reads is empty."),
          ),
        );
    } catch (error) {
      if (signal.aborted) return;
      if (error.code === "bucket_name_required") {
        bucketForm.hidden = false;
        place.replaceChildren(
          empty("Which bucket?", h("p", null, "This connection is not bound to one: enter a bucket above that lets the gateway in.")),
        );
      } else
        place.replaceChildren(
          error.code === "list_not_supported"
            ? empty(
                "This kind of storage has no listing",
                h("p", null, "A web server does not say what it has. Enter the path of an object above to look at it, or ingest by path."),
              )
            : h("div", { class: "card" }, problem(error, load)),
        );
    }
  }
  const folderRow = (one) =>
    h(
      "tr",
      null,
      h("td", { class: "pick" }),
      h("td", null, h("a", { class: "entry", href: here({ prefix: one }) }, glyph("folder"), named(tail(one)))),
      h("td"),
      h("td"),
      h("td"),
    );
  function entryRow(one) {
    const label = tail(one.path) || one.path;
    const kind = kindOfName(one.path);
    const check = h("input", {
      type: "checkbox",
      "aria-label": `Select ${plain(label)}`,
      onchange: () => {
        check.checked ? selected.add(one.path) : selected.delete(one.path);
        picked();
      },
    });
    return h(
      "tr",
      { "data-path": one.path },
      h("td", { class: "pick" }, check),
      h(
        "td",
        null,
        h(
          "button",
          { type: "button", class: "entry", onclick: () => look(one) },
          glyph(kind === "image" ? "image" : kind === "video" ? "film" : "file"),
          named(label),
        ),
      ),
      h("td", { class: "number", "data-label": "Size" }, size(one.size)),
      h("td", { "data-label": "Changed" }, one.last_modified && when(one.last_modified, "")),
      h("td", { class: "actions" }, copyButton(one.path, `the source path of ${plain(label)}`)),
    );
  }

  const parts = prefix.split("/").slice(0, prefix.endsWith("/") ? -1 : undefined);
  const trail = h(
    "nav",
    { "aria-label": "Folder" },
    h(
      "ol",
      { class: "crumbs" },
      h("li", null, h("a", { href: here({ prefix: "" }) }, named(bucket || chosen.config.bucket_name || chosen.name))),
      prefix &&
        parts.map((part, index) =>
          h(
            "li",
            null,
            h(
              "a",
              {
                href: here({ prefix: `${parts.slice(0, index + 1).join("/")}/` }),
                "aria-current": index === parts.length - 1 ? "page" : undefined,
              },
              part ? named(part) : "∅",
            ),
          ),
        ),
    ),
  );
  const unusable = !chosen.enabled || chosen.status !== "ready";
  if (unusable)
    place.replaceChildren(
      note(
        "wait",
        chosen.enabled ? "This connection is not ready" : "This connection is disabled",
        h("p", null, "Nothing is read through it. "),
        h("div", { class: "row" }, h("a", { class: "button", href: `#/connections/${encodeURIComponent(chosen.name)}` }, "See why")),
      ),
    );
  else load();
  shelf.append(h("section", { class: "card flush", "aria-label": "Objects" }, h("div", { class: "tabs" }, trail), place), preview);
  return [...head, shelf];
}
