// The frame: who is signed in, which section is shown, and what happens when the gateway no longer answers.

import { h, plain, say } from "./dom.js";
import { Problem, forget, get, keep, onLost, signedIn } from "./api.js";
import { problem, sentence } from "./parts.js";

const ROLES = ["member", "admin", "operator"];
const app = document.getElementById("app");
const folder = new URL(".", import.meta.url).pathname;

let me = null;
let leaving = new AbortController();
let flashed = null;
let showing = 0;
/** A page that was just loaded is read from its beginning; later the heading of what is new has the focus. */
let loaded = true;

/** Each is fetched when it is first shown. `needs`: what is not for everybody is not shown to everybody. */
const SECTIONS = [
  { at: "connections", name: "Connections", load: () => import("./connections.js") },
  { at: "browse", name: "Browse", load: () => import("./browser.js") },
  { at: "ingest", name: "Ingest", load: () => import("./ingest.js") },
  { at: "plugins", name: "Plugins", load: () => import("./plugins.js") },
  { at: "audit", name: "Audit", load: () => import("./audit.js"), needs: "admin" },
  { at: "tokens", name: "Tokens", load: () => import("./tokens.js"), needs: "admin" },
  { at: "about", name: "About", load: () => import("./about.js") },
];

const may = (role) => ROLES.indexOf(me.role) >= ROLES.indexOf(role);

/** How to get what shows this place; nothing, where there is none for this role. */
function route([section, first, second]) {
  if (section === "connections" && first) {
    const changes = { new: () => import("./wizard.js"), edit: () => import("./edit.js"), setup: () => import("./setup.js") };
    const change = first === "new" ? changes.new : changes[second];
    if (change) return may("admin") ? () => change().then((part) => part.show) : null;
    return () => import("./connection.js").then((part) => part.show);
  }
  if (section === "jobs" && first) return () => import("./job.js").then((part) => part.show);
  const found = SECTIONS.find((one) => one.at === section);
  return found && (!found.needs || may(found.needs)) ? () => found.load().then((part) => part.show) : null;
}

async function fetched(load) {
  try {
    return await load();
  } catch {
    // A gateway that was replaced meanwhile has another page.
    throw new Problem({
      code: "page_incomplete",
      detail: "A part of this page could not be loaded.",
      remedy: "The gateway does not answer, or has been replaced by another version: load the page again.",
    });
  }
}

function place() {
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path
    .split("/")
    .filter(Boolean)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
  return { path: parts.length ? parts : ["connections"], query: new URLSearchParams(search ?? "") };
}

const brand = () => h("a", { class: "brand", href: "#/connections" }, h("img", { src: `${folder}icon.svg`, alt: "" }), "Portcullis");

function frame() {
  const toggle = h(
    "button",
    {
      type: "button",
      class: "menu",
      "aria-expanded": "false",
      "aria-controls": "sections",
      onclick: () => menu(!side.classList.contains("open")),
    },
    "Menu",
  );
  const links = SECTIONS.filter((one) => !one.needs || may(one.needs));
  const nav = h(
    "nav",
    { id: "sections", "aria-label": "Sections" },
    h(
      "ul",
      null,
      links.map((one) => h("li", null, h("a", { href: `#/${one.at}`, "data-at": one.at }, one.name))),
    ),
  );
  const side = h(
    "header",
    { class: "side" },
    brand(),
    toggle,
    nav,
    h(
      "div",
      { class: "whoami small" },
      h("p", { class: "muted" }, "Signed in as ", h("strong", null, plain(me.name)), h("br"), `${me.role} of ${me.organization}`),
      h("button", { type: "button", onclick: () => signIn() }, "Sign out"),
    ),
  );
  function menu(open) {
    side.classList.toggle("open", open);
    toggle.setAttribute("aria-expanded", String(open));
  }
  nav.addEventListener("click", () => menu(false));
  app.replaceChildren(h("div", { class: "frame" }, side, h("main", { id: "main", tabindex: "-1" })));
}

async function show() {
  if (!me) return;
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const turn = ++showing;
  const here = place();
  const main = document.getElementById("main");
  for (const link of document.querySelectorAll("nav [data-at]")) {
    const at = here.path[0] === "jobs" ? "ingest" : here.path[0];
    if (link.dataset.at === at) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const slow = setTimeout(() => turn === showing && main.replaceChildren(h("p", { class: "empty", role: "status" }, "Loading…")), 200);
  let content;
  try {
    const load = route(here.path);
    content = load ? await (await fetched(load))({ ...here, me, may, signal, go, flash, again: show }) : nothing();
  } catch (error) {
    if (signal.aborted || !me) return;
    content = [
      h("h1", { tabindex: "-1" }, "This cannot be shown"),
      problem(error, error.code === "page_incomplete" ? () => location.reload() : show),
    ];
  } finally {
    clearTimeout(slow);
  }
  if (turn !== showing || !me) return;
  main.replaceChildren(...[flashed && h("div", { class: "note good" }, h("p", null, flashed)), content].flat().filter(Boolean));
  if (flashed) say(flashed);
  flashed = null;
  const title = main.querySelector("h1");
  document.title = `${title?.textContent ?? "Portcullis"} · Portcullis`;
  if (!loaded && !main.contains(document.activeElement)) title?.focus({ preventScroll: true });
  loaded = false;
  window.scrollTo(0, 0);
}

const nothing = () => [
  h("h1", { tabindex: "-1" }, "There is nothing here"),
  h("p", null, "The address is wrong, or it is not for your role. ", h("a", { href: "#/connections" }, "To the connections")),
];

function go(hash) {
  if (location.hash === hash) show();
  else location.hash = hash;
}

/** Said above the next section that is shown. */
function flash(text) {
  flashed = text;
}

/** `why`: a sentence, when nobody asked for it. */
function signIn(why) {
  leaving.abort();
  forget();
  me = null;
  loaded = false;
  document.title = "Sign in · Portcullis";
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  const input = h("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "none",
    "aria-describedby": "token-hint token-wrong",
    required: true,
  });
  const wrong = h("p", { class: "wrong", id: "token-wrong", role: "alert" });
  const submit = h("button", { class: "first" }, "Sign in");
  const form = h(
    "form",
    { novalidate: true, onsubmit: enter },
    h("h1", null, "Sign in"),
    why && h("div", { class: "note wait", role: "alert" }, h("p", null, why)),
    h(
      "div",
      { class: "field" },
      h("label", { for: "token" }, "API token"),
      input,
      wrong,
      h(
        "p",
        { class: "hint", id: "token-hint" },
        "The first one was printed when the gateway was started for the first time; an admin makes others. It is kept until this tab is closed, and sent to this gateway only.",
      ),
    ),
    submit,
  );
  async function enter(event) {
    event.preventDefault();
    const text = input.value.trim();
    const told = (message) => {
      wrong.textContent = message;
      input.setAttribute("aria-invalid", "true");
      input.focus();
    };
    if (!/^[!-~]+$/.test(text))
      return told(text ? "A token has no spaces and no letters beyond ASCII: was something else pasted?" : "Enter a token.");
    submit.setAttribute("aria-busy", "true");
    keep(text);
    const error = await enterWith();
    submit.removeAttribute("aria-busy");
    if (!error) return;
    forget();
    told(
      error.status === 401
        ? "The gateway does not know this token: it is wrong, expired or revoked."
        : sentence(error.detail) + (error.remedy ? ` ${sentence(error.remedy)}` : ""),
    );
  }
  app.replaceChildren(h("div", { class: "gate" }, h("main", { id: "main", tabindex: "-1" }, brand(), h("div", { class: "card" }, form))));
  input.focus();
}

/** Nothing, where it worked. */
async function enterWith() {
  try {
    me = await get("/whoami");
  } catch (error) {
    return error;
  }
  frame();
  await show();
}

onLost(() => {
  if (me) signIn("Your token is no longer taken: it expired or was revoked. Sign in with another one; you come back to where you were.");
});
window.addEventListener("hashchange", show);
document.querySelector(".skip").addEventListener("click", (event) => {
  // The hash is ours.
  event.preventDefault();
  document.getElementById("main").focus();
});

if (!signedIn()) signIn();
else {
  const error = await enterWith();
  if (error?.status === 401)
    signIn("Your token is no longer taken: it expired or was revoked. Sign in with another one; you come back to where you were.");
  else if (error)
    app.replaceChildren(
      h(
        "div",
        { class: "gate" },
        h(
          "main",
          { id: "main", tabindex: "-1" },
          brand(),
          h("h1", { class: "unseen" }, "Portcullis"),
          problem(error, () => location.reload()),
        ),
      ),
    );
}
