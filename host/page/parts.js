// What several sections show: problems, states, findings, lists by pages.

import { h, actionButton, copyButton, lines, named, plain, say } from "./dom.js";

const TITLES = {
  403: "Not allowed",
  404: "Not there",
  409: "Not possible now",
  413: "Too large",
  422: "Some fields are wrong",
  429: "Too many requests",
  500: "The gateway failed",
  502: "The remote or its connector failed",
  503: "Not available now",
};

const CODES = {
  test_failed: "It did not pass its test",
  unreachable: "No connection to the gateway",
  page_failed: "The page failed",
  page_incomplete: "The page is not whole",
};

/** A problem with what to do about it. `again`: what to try again. */
export function problem(error, again, word = "Try again") {
  if (typeof error?.code !== "string") {
    // Ours: who looks for it finds it on the console.
    console.error(error);
    return problem(
      {
        code: "page_failed",
        detail: "This page has a defect.",
        remedy: "Load it again; if it stays, tell who runs the gateway what you did.",
      },
      () => location.reload(),
      "Load it again",
    );
  }
  const ours = error.status >= 500 && error.code === "internal_error";
  const remedy =
    error.remedy ?? (ours ? "It is not your doing. Try again; if it stays, tell who runs the gateway the request id." : undefined);
  say(`${CODES[error.code] ?? TITLES[error.status] ?? "Error"}: ${error.detail}`);
  return h(
    "div",
    { class: "note bad problem", role: "alert", "data-code": error.code },
    h("h2", null, CODES[error.code] ?? TITLES[error.status] ?? error.title ?? "Error"),
    h("p", null, lines(sentence(error.detail))),
    remedy && h("p", null, lines(sentence(remedy))),
    error.errors?.length > 0 &&
      h(
        "ul",
        null,
        error.errors.map((one) =>
          h("li", null, one.pointer !== "/config" && [h("code", null, named(one.pointer || "/")), " "], lines(sentence(one.detail))),
        ),
      ),
    h(
      "p",
      { class: "small muted" },
      "Code ",
      h("code", null, named(error.code)),
      error.request_id && [" · request ", h("code", null, named(error.request_id))],
    ),
    again && h("div", { class: "row" }, actionButton(word, {}, again)),
  );
}

/** Messages of the API begin small and end without a full stop. */
export function sentence(text) {
  const whole = String(text ?? "");
  // A code at the beginning stays as it is.
  if (/^[a-z0-9]+_[a-z0-9_]*\b/.test(whole)) return whole;
  return whole && whole[0].toUpperCase() + whole.slice(1) + (/[.!?…]$/.test(whole) ? "" : ".");
}

export const note = (kind, title, ...rest) => h("div", { class: `note ${kind}` }, h("h2", null, title), rest);

const STATES = {
  ready: ["good", "Ready"],
  pending: ["wait", "Not tested"],
  error: ["bad", "Error"],
  completed: ["good", "Completed"],
  in_progress: ["accent", "In progress"],
  received: ["accent", "Received"],
  paused: ["wait", "Paused"],
  stopping: ["wait", "Stopping"],
  stopped: ["off", "Stopped"],
  failed: ["bad", "Failed"],
  ok: ["good", "OK"],
  active: ["good", "Active"],
  granted: ["off", "Granted"],
  broken: ["bad", "Broken"],
};

export function state(word, words = {}) {
  const [kind, label] = STATES[word] ?? ["off", word];
  return h("span", { class: `pill dot ${kind}`, "data-state": word }, words[word] ?? label);
}

export const connectionState = (connection) =>
  connection.enabled ? state(connection.status) : h("span", { class: "pill dot", "data-state": "disabled" }, "Disabled");

/** The findings of a test, as they came: each passed or failed, with what to do. */
export function findings(list) {
  return h(
    "ul",
    { class: "findings" },
    list.map((one) =>
      h(
        "li",
        { class: one.passed ? "pass" : "fail" },
        h("span", { class: "mark", "aria-hidden": "true" }, one.passed ? "✓" : "✕"),
        h(
          "div",
          null,
          h(
            "p",
            null,
            h("strong", null, named(one.check.replaceAll("_", " "))),
            h("span", { class: "unseen" }, one.passed ? " passed" : " failed"),
            !one.passed && [" ", h("code", { class: "muted" }, named(one.code))],
          ),
          h("p", { class: one.passed ? "muted" : "" }, lines(sentence(one.message))),
          !one.passed && one.remedy && h("p", { class: "remedy" }, h("strong", null, "What to do: "), lines(sentence(one.remedy))),
        ),
      ),
    ),
  );
}

/** The setup of a connection: steps, and documents to paste. */
export function setupSteps(steps) {
  return h(
    "ol",
    { class: "numbered" },
    steps.map((step) =>
      h(
        "li",
        null,
        h(
          "div",
          { class: "stack" },
          h("div", null, h("h3", null, named(step.title)), h("p", { class: "hint" }, lines(step.text))),
          step.documents.map((one) =>
            h(
              "div",
              { class: "document" },
              h(
                "header",
                null,
                h("span", { class: "label" }, named(one.title), " ", h("span", { class: "muted small" }, one.language)),
                copyButton(one.body, plain(one.title)),
              ),
              h("pre", { tabindex: "0", role: "region", "aria-label": plain(one.title) }, lines(one.body)),
            ),
          ),
        ),
      ),
    ),
  );
}

export const fact = (name, ...value) => [h("dt", null, name), h("dd", null, value)];
export const copied = (text, what) => [h("code", null, named(text)), " ", copyButton(text, what)];

export function heading(title, about, ...actions) {
  return h(
    "div",
    { class: "head" },
    h("div", null, h("h1", { tabindex: "-1" }, title), about && h("p", null, about)),
    actions.some(Boolean) && h("div", { class: "row" }, actions),
  );
}

export const crumbs = (...parts) =>
  h(
    "nav",
    { "aria-label": "Where you are" },
    h(
      "ol",
      { class: "crumbs" },
      parts.map(([text, href]) => h("li", null, href ? h("a", { href }, text) : h("span", { "aria-current": "page" }, named(text)))),
    ),
  );

export const empty = (title, ...rest) => h("div", { class: "empty" }, h("h2", null, title), rest);

/** A table whose rows become cards where it is narrow. `columns`: `[label, class]`. */
export function table(label, columns, rows) {
  return h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { class: "cards", "aria-label": label },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          columns.map(([text, kind]) => h("th", { scope: "col", class: kind }, text || h("span", { class: "unseen" }, "Actions"))),
        ),
      ),
      h("tbody", null, rows),
    ),
  );
}

export function cells(columns, values) {
  return values.map((value, index) =>
    h("td", { class: columns[index][1], "data-label": (index > 0 && columns[index][0]) || undefined }, value),
  );
}

// Pages that hold nothing of what is asked for are passed over, so many at a time.
const PASSED_OVER = 5;

/** A list by pages: `load(cursor)` answers `{items, next_cursor}`, `show(item)` a row. Fills `body` and keeps a button for more. */
export function paged({ load, show, nothing, label, columns, signal }) {
  const place = h("div", { "aria-busy": "true" }, h("p", { class: "empty" }, "Loading…"));
  const body = h("tbody");
  const none = h("p", { class: "muted", hidden: true }, "Nothing that fits so far. There may be more.");
  const more = h("div", { class: "more", hidden: true }, none, actionButton("Load more", {}, next));
  let cursor,
    items = [];
  async function next() {
    try {
      let page;
      for (let asked = 0; asked < PASSED_OVER; asked++) {
        page = await load(cursor);
        if (signal?.aborted) return;
        cursor = page.next_cursor;
        if (page.items.length > 0 || !cursor) break;
      }
      items.push(...page.items);
      body.append(...page.items.flatMap(show));
      more.hidden = !cursor;
      none.hidden = page.items.length > 0;
      if (items.length === 0) place.replaceChildren(cursor ? more : nothing());
      else if (!place.contains(body)) {
        const made = table(label, columns, []);
        made.querySelector("tbody").replaceWith(body);
        place.replaceChildren(made, more);
      }
    } catch (error) {
      if (signal?.aborted) return;
      const told = h(
        "div",
        { class: "card" },
        problem(error, async () => {
          told.remove();
          await next();
        }),
      );
      if (items.length) place.append(told);
      else place.replaceChildren(told);
    } finally {
      place.removeAttribute("aria-busy");
    }
  }
  return { place, body, ready: next(), items: () => items };
}

export const field = (label, input, hint) =>
  h("div", { class: "field" }, h("label", { for: input.id }, label), input, hint && h("p", { class: "hint" }, hint));

export const choice = (id, options, value) => {
  const select = h(
    "select",
    { id },
    options.map(([key, text]) => h("option", { value: key }, text)),
  );
  if (value !== undefined) select.value = value;
  return select;
};
