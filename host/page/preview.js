// A look at one object. What is shown is a blob of an allowed type, made here: nothing in it is ever run.

import { h, actionButton, copyButton, count, lines, named, plain, say, size, when } from "./dom.js";
import { ask, bytes, post } from "./api.js";
import { fact, problem } from "./parts.js";

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

/** `image`, `video`, `audio` or `text`, as far as a name tells. */
export const kindOfName = (path) => kindOf(typeOf(path));

/**
 * The panel beside a list. `connection`: its name; `tail(path)`: what of a path is shown; `shown(whether)`: told when it comes and goes.
 * It ends with `signal`.
 */
export function panel({ connection, tail, shown, signal }) {
  const preview = h("aside", { class: "card preview", hidden: true, "aria-label": "Preview" });
  let stop = new AbortController();
  let url;
  signal.addEventListener("abort", () => {
    stop.abort();
    if (url) URL.revokeObjectURL(url);
  });

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
    shown(true);
    title.focus();
    try {
      const head = (await ask("HEAD", objectAt(connection, one.path), { signal: mine })).headers;
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
              h("code", null, `portcullis cat ${connection} `, named(one.path)),
            ),
        actionButton("Copy link", {}, () => link(one.path, actions)),
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
      await ask("GET", objectAt(connection, path), { headers: { range: "bytes=0-0" } });
      return otherwise;
    } catch (error) {
      return error;
    }
  }
  async function showText(figure, path, length, mine) {
    const { most } = SHOWN.text;
    // An empty object has no first byte.
    const parts = await bytes(objectAt(connection, path), most, {
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
    const parts = await bytes(objectAt(connection, path), SHOWN[kind].most, { signal: mine });
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
  /** A signed URL, copied at once, and how long it lasts. */
  async function link(path, actions) {
    try {
      const { url, expires_at } = await post(`/connections/${encodeURIComponent(connection)}/sign`, { source_path: path });
      const copy = copyButton(url, "link");
      preview.querySelector(".link")?.remove();
      actions.after(h("p", { class: "hint link" }, "Opens this object for whoever has it. Ends ", when(expires_at), " ", copy));
      copy.click();
    } catch (error) {
      preview.querySelector("figure")?.replaceChildren(problem(error, () => link(path, actions)));
    }
  }
  async function download(path) {
    try {
      const parts = await bytes(objectAt(connection, path), DOWNLOAD_MOST);
      const at = URL.createObjectURL(new Blob(parts, { type: "application/octet-stream" }));
      h("a", { href: at, download: path.split(/[?#]/)[0].split("/").filter(Boolean).pop() ?? "object" }).click();
      setTimeout(() => URL.revokeObjectURL(at), PATIENCE);
      say("Downloaded");
    } catch (error) {
      preview.querySelector("figure")?.replaceChildren(problem(error, () => download(path)));
    }
  }
  function close() {
    stop.abort();
    preview.hidden = true;
    preview.replaceChildren();
    shown(false);
  }

  return { element: preview, look };
}
