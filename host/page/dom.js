// Elements. Every text becomes a text node: nothing that comes from outside is ever read as markup.

/** `on…` is a listener, `true` an attribute without a value; children that are null or false are left out. */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
const GLYPHS = {
  folder: "M2 4.5h4l1.5 2H14v7H2z",
  file: "M4 2h5l3 3v9H4zM9 2v3h3",
  image: "M2 3h12v10H2zM2 11l4-4 3 3 2-2 3 3",
  film: "M2 3h12v10H2zM6.5 6v4l3.5-2z",
};

export function glyph(name) {
  const path = filled(document.createElementNS(SVG, "path"), { d: GLYPHS[name] }, []);
  return filled(document.createElementNS(SVG, "svg"), { class: "glyph", viewBox: "0 0 16 16", "aria-hidden": "true" }, [path]);
}

// Format characters (bidirectional controls, zero width), controls, spaces that look like others, and what else a reader does not see.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]/gu;

function pieces(text, keep) {
  const parts = [];
  let from = 0;
  for (const match of String(text).matchAll(UNSEEN)) {
    if (keep.includes(match[0])) continue;
    if (match.index > from) parts.push(text.slice(from, match.index));
    const name = `U+${match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    parts.push(h("span", { class: "escaped", title: "A character that cannot be seen" }, name));
    from = match.index + match[0].length;
  }
  parts.push(String(text).slice(from));
  return parts;
}

/** A name or a key that somebody else chose: apart from the text around it, with what is unseen spelled out. */
export const named = (text) => h("bdi", null, pieces(String(text ?? ""), ""));
/** The same in lines. */
export const lines = (text) => pieces(String(text ?? ""), "\n\t");

/** The same, as plain text: for labels, titles and the name of the page. */
export const plain = (text) =>
  String(text ?? "").replace(UNSEEN, (one) => `U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);

/** Prose with `code` in it, as connectors write their descriptions. */
export function prose(text) {
  return String(text ?? "")
    .split("`")
    .map((part, index) => (index % 2 ? h("code", null, lines(part)) : lines(part)));
}

let last = 0;
export const fresh = (word) => `${word}-${++last}`;

const NUMBER = new Intl.NumberFormat("en");
export const count = (number) => NUMBER.format(number);

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value.toFixed(value < 10 ? 1 : 0)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

const SPANS = [
  [60, "second"],
  [60, "minute"],
  [24, "hour"],
  [30, "day"],
  [12, "month"],
  [Infinity, "year"],
];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const EXACT = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });

/** How long ago; exactly when, as its title. */
export function when(moment, none = "never") {
  const time = Date.parse(moment ?? "");
  if (!time) return h("span", { class: "muted" }, none);
  let value = (time - Date.now()) / 1000;
  for (const [most, unit] of SPANS) {
    if (Math.abs(value) < most) {
      const text = unit === "second" && value > -10 && value <= 0 ? "just now" : RELATIVE.format(Math.round(value), unit);
      return h("time", { datetime: moment, title: EXACT.format(time), class: "nowrap" }, text);
    }
    value /= most;
  }
}

/** For those who listen. */
export function say(text) {
  document.getElementById("say").textContent = plain(text);
}

export function copyButton(text, what) {
  const button = h("button", { type: "button", class: "plain", "aria-label": `Copy ${what}`, onclick: copy }, "Copy");
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      done("Copied");
    } catch {
      // Without https there is no clipboard but on this machine itself.
      const area = h("textarea", { class: "unseen", "aria-hidden": "true" });
      area.value = text;
      button.after(area);
      area.select();
      done(document.execCommand("copy") ? "Copied" : "Not copied");
      area.remove();
      button.focus();
    }
  }
  function label(word) {
    button.textContent = word;
    button.setAttribute("aria-label", `${word} ${what}`);
  }
  function done(word) {
    label(word);
    say(`${word}: ${what}`);
    setTimeout(() => label("Copy"), 2000);
  }
  return button;
}

/** Runs once at a time, and shows that it runs. */
export function actionButton(label, attributes, run) {
  const button = h("button", { type: "button", ...attributes }, label);
  button.addEventListener("click", () => busy(button, run));
  return button;
}

export async function busy(button, run) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    return await run();
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/** For `onsubmit`: the browser itself never sends a form. */
export const submits = (run) => (event) => {
  event.preventDefault();
  run();
};

/** Asks; true where it was confirmed. `word`: what has to be typed first. */
export function ask({ title, text, confirm, danger, word }) {
  return new Promise((answer) => {
    const id = fresh("ask");
    const input = word && h("input", { id: `${id}-word`, autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-wrong` });
    const wrong = word && h("p", { id: `${id}-wrong`, class: "wrong", hidden: true }, "That is not the name.");
    const field =
      word &&
      h("div", { class: "field" }, h("label", { for: `${id}-word` }, "Type ", h("code", null, named(word)), " to confirm"), input, wrong);
    const submit = h("button", { class: danger ? "first danger" : "first" }, confirm);
    const form = h(
      "form",
      { onsubmit: submitted },
      h("h2", { id }, title),
      h("p", null, text),
      field,
      h("div", { class: "end" }, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), submit),
    );
    function submitted(event) {
      event.preventDefault();
      if (word && input.value !== word) {
        wrong.hidden = false;
        input.setAttribute("aria-invalid", "true");
        return input.focus();
      }
      answer(true);
      dialog.close();
    }
    const dialog = open(form, id);
    dialog.addEventListener("close", () => answer(false));
    (input ?? submit).focus();
  });
}

/** A dialog with this in it; gone when it is closed. */
export function open(content, labelledby) {
  const dialog = h("dialog", { "aria-labelledby": labelledby }, content);
  const before = document.activeElement;
  document.body.append(dialog);
  dialog.showModal();
  dialog.addEventListener("close", () => {
    dialog.remove();
    before?.focus?.();
  });
  return dialog;
}
