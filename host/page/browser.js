// What a connection may read: folders, objects, and a look at one. A preview is a blob of an allowed type: nothing in it is ever run.

import { h, actionButton, busy, count, fresh, glyph, lines, named, plain, say, size, when, copyButton } from "./dom.js";
import { all, ask, bytes, get, post, query } from "./api.js";
import { choice, empty, fact, field, heading, note, problem } from "./parts.js";

const MIB = 1 << 20;
/** Types that are shown, by kind, and how large one may be. What is not in here (SVG, HTML, PDF…) is downloaded. */
const SHOWN = {
  image: { types: ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"], most: 64 * MIB },
  video: { types: ["video/mp4", "video/webm", "video/ogg", "video/quicktime"], most: 256 * MIB },
  audio: {
    types: ["audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav", "audio/x-wav", "audio/wave", "audio/webm", "audio/flac", "audio/aac"],
    most: 128 * MIB,
  },
  text: {
    types: [
      "text/plain",
      "text/csv",
      "text/tab-separated-values",
      "text/markdown",
      "text/vtt",
      "application/json",
      "application/x-ndjson",
      "application/xml",
      "text/xml",
      "application/yaml",
    ],
    most: 256 * 1024,
  },
};
/** By the name's end, where the remote says nothing better. */
const ENDINGS = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  bmp: "image/bmp",
  mp4: "video/mp4",
  m4v: "video/mp4",
  webm: "video/webm",
  mov: "video/quicktime",
  mp3: "audio/mpeg",
  m4a: "audio/mp4",
  ogg: "audio/ogg",
  wav: "audio/wav",
  flac: "audio/flac",
  txt: "text/plain",
  log: "text/plain",
  md: "text/plain",
  csv: "text/csv",
  tsv: "text/plain",
  json: "application/json",
  jsonl: "application/x-ndjson",
  srt: "text/plain",
  vtt: "text/vtt",
  yaml: "application/yaml",
  yml: "application/yaml",
  xml: "application/xml",
};
const DOWNLOAD_MOST = 1024 * MIB;
const VAGUE = ["application/octet-stream", "binary/octet-stream", ""];
const PATIENCE = 60_000;

function typeOf(path, given) {
  const type = (given ?? "").split(";")[0].trim().toLowerCase();
  if (!VAGUE.includes(type)) return type;
  return ENDINGS[/\.([a-z0-9]+)$/i.exec(path.split(/[?#]/)[0])?.[1]?.toLowerCase()] ?? "application/octet-stream";
}
const kindOf = (type) => Object.keys(SHOWN).find((kind) => SHOWN[kind].types.includes(type));
const objectAt = (connection, path) => `/api/v1/objects?${new URLSearchParams({ connection, source_path: path })}`;

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
      onsubmit: (event) => {
        event.preventDefault();
        go(here({ bucket: bucketInput.value.trim(), prefix: "" }));
      },
    },
    field("Bucket", bucketInput),
    h("button", null, "Open"),
  );
  const preview = h("aside", { class: "card preview", hidden: true, "aria-label": "Preview" });
  const shelf = h("div", { class: "shelf alone" });
  let stop = new AbortController(),
    url;
  signal.addEventListener("abort", () => {
    stop.abort();
    if (url) URL.revokeObjectURL(url);
  });

  head[1].append(
    bucketForm,
    h(
      "form",
      {
        class: "row",
        onsubmit: (event) => {
          event.preventDefault();
          if (asked.value.trim()) look({ path: asked.value.trim() });
        },
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
  const tail = (path) => {
    const mark = prefix && path.lastIndexOf(prefix);
    return prefix && mark >= 0 ? path.slice(mark + prefix.length) : path.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*\//, "");
  };
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
    const kind = kindOf(typeOf(one.path));
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

  /** What the object is, then what may be shown of it. */
  async function look(one) {
    stop.abort();
    stop = new AbortController();
    const mine = stop.signal;
    if (url) URL.revokeObjectURL(url);
    url = undefined;
    const figure = h("figure", null, h("p", { class: "muted" }, "Loading…"));
    const facts = h("dl", { class: "facts" });
    const actions = h("div", { class: "row" });
    const title = h("h2", { tabindex: "-1" }, named(tail(one.path) || one.path));
    preview.replaceChildren(
      h("div", { class: "spread" }, title, h("button", { type: "button", class: "plain", onclick: close }, "Close")),
      figure,
      actions,
      facts,
    );
    preview.hidden = false;
    shelf.classList.remove("alone");
    title.focus();
    try {
      const head = (await ask("HEAD", objectAt(chosen.name, one.path), { signal: mine })).headers;
      const length = head.get("content-length") === null ? (one.size ?? null) : Number(head.get("content-length"));
      const type = typeOf(one.path, head.get("content-type"));
      const kind = kindOf(type);
      facts.replaceChildren(
        ...[
          fact("Source path", h("span", { class: "path" }, named(one.path)), " ", copyButton(one.path, "source path")),
          fact("Type", h("code", null, named(head.get("content-type") ?? "not given"))),
          length !== null && fact("Size", `${size(length)} (${count(length)} bytes)`),
          head.get("last-modified") && fact("Changed", when(head.get("last-modified"))),
          head.get("etag") && fact("ETag", h("code", null, named(head.get("etag")))),
        ]
          .filter(Boolean)
          .flat(),
      );
      const small = length === null || length <= DOWNLOAD_MOST;
      actions.replaceChildren(
        small
          ? actionButton("Download", {}, () => download(one.path))
          : h(
              "p",
              { class: "hint" },
              "Too large for a browser's memory. On a command line: ",
              h("code", null, `portcullis cat ${chosen.name} `, named(one.path)),
            ),
      );
      if (kind === "text") await showText(figure, one.path, length, mine);
      else if (kind && (length ?? 0) <= SHOWN[kind].most) await showMedia(figure, one.path, kind, type, mine);
      else
        figure.replaceChildren(
          h("p", { class: "muted hint" }, kind ? "Too large to show here." : "This type is not shown here; it can be downloaded."),
        );
    } catch (error) {
      if (mine.aborted) return;
      // HEAD has no body: what is wrong is told by the same question as GET, of one byte.
      figure.replaceChildren(problem(error.code === "no_problem_document" ? await reason(one.path, error) : error, () => look(one)));
    }
  }
  async function reason(path, otherwise) {
    try {
      await ask("GET", objectAt(chosen.name, path), { headers: { range: "bytes=0-0" } });
      return otherwise;
    } catch (error) {
      return error;
    }
  }
  async function showText(figure, path, length, mine) {
    const { most } = SHOWN.text;
    // An empty object has no first byte.
    const parts = await bytes(objectAt(chosen.name, path), most, {
      cut: true,
      signal: mine,
      headers: length === 0 ? {} : { range: `bytes=0-${most - 1}` },
    });
    // A remote that knows no ranges sends more.
    const text = await new Blob(parts).slice(0, most).text();
    figure.replaceChildren(
      h(
        "pre",
        { tabindex: "0", role: "region", "aria-label": "The object's text" },
        text ? lines(text) : h("span", { class: "muted" }, "It is empty."),
      ),
    );
    if (length > most) figure.after(h("p", { class: "hint" }, `The first ${size(most)}.`));
    say("Its text is shown");
  }
  async function showMedia(figure, path, kind, type, mine) {
    const parts = await bytes(objectAt(chosen.name, path), SHOWN[kind].most, { signal: mine });
    // The blob's type is one of ours: what the remote says of it is not believed a second time.
    url = URL.createObjectURL(new Blob(parts, { type }));
    const broken = () => figure.replaceChildren(h("p", { class: "muted hint" }, `The bytes are no ${kind} that this browser can show.`));
    const element =
      kind === "image"
        ? h("img", { src: url, alt: `Preview of ${plain(tail(path) || path)}`, onerror: broken })
        : h(kind, { src: url, controls: true, onerror: broken, "aria-label": `Preview of ${plain(tail(path) || path)}` });
    figure.replaceChildren(element);
    say("The preview is shown");
  }
  async function download(path) {
    try {
      const parts = await bytes(objectAt(chosen.name, path), DOWNLOAD_MOST);
      const at = URL.createObjectURL(new Blob(parts, { type: "application/octet-stream" }));
      h("a", { href: at, download: path.split(/[?#]/)[0].split("/").filter(Boolean).pop() ?? "object" }).click();
      setTimeout(() => URL.revokeObjectURL(at), PATIENCE);
      say("Downloaded");
    } catch (error) {
      preview.querySelector("figure").replaceChildren(problem(error, () => busy(preview.querySelector("button"), () => download(path))));
    }
  }
  function close() {
    stop.abort();
    preview.hidden = true;
    preview.replaceChildren();
    shelf.classList.add("alone");
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
