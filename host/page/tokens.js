// Tokens of the organization: made, shown once, revoked.

import { h, actionButton, ask, busy, copyButton, named, open, plain, when, submits } from "./dom.js";
import { get, newKey, once, post, query, remove } from "./api.js";
import { cells, choice, empty, heading, paged, problem } from "./parts.js";
import { clearErrors, field, showErrors } from "./form.js";

const COLUMNS = [["Name"], ["Role"], ["Made"], ["Expires"], ["Id"], ["", "actions"]];
const ROLES = [
  ["member", "Member: uses connections"],
  ["admin", "Admin: also makes connections and tokens"],
  ["operator", "Operator: also manages the gateway"],
];
const LIVES = [
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
  ["", "Never"],
];
const DAY = 86_400_000;

export async function show({ me, may, signal, flash, again }) {
  const trouble = h("div");
  const list = paged({
    signal,
    label: "Tokens",
    columns: COLUMNS,
    load: (cursor) => get(`/tokens${query({ limit: 100, cursor })}`, { signal }),
    show: (token) =>
      h(
        "tr",
        { "data-token": token.token_id },
        cells(COLUMNS, [
          h(
            "div",
            null,
            h("span", { class: "title" }, named(token.name)),
            token.token_id === me.token_id && [" ", h("span", { class: "pill accent" }, "this one")],
          ),
          token.role,
          when(token.created_at),
          over(token) ? h("span", { class: "pill bad" }, "expired") : when(token.expires_at),
          h("code", { class: "small" }, token.token_id.slice(0, 8)),
          actionButton("Revoke", { class: "danger", "aria-label": `Revoke ${plain(token.name)}` }, () => revoke(token)),
        ]),
      ),
    nothing: () => empty("No tokens", h("p", null, "Make one for each program and each person.")),
  });
  async function revoke(token) {
    const own = token.token_id === me.token_id;
    if (
      !(await ask({
        title: "Revoke this token?",
        text: [
          "The next request with ",
          named(token.name),
          " is refused.",
          own && " It is the one that you are signed in with: you will have to sign in with another.",
        ],
        confirm: "Revoke",
        danger: true,
      }))
    )
      return;
    try {
      await remove(`/tokens/${token.token_id}`);
      flash(`The token ${plain(token.name)} is revoked.`);
      await again();
    } catch (error) {
      trouble.replaceChildren(problem(error));
    }
  }
  await list.ready;
  return [
    heading(
      "Tokens",
      `For programs and people of the organization ${me.organization}. A token is shown once, when it is made; the gateway keeps a hash of it.`,
    ),
    trouble,
    maker(may, again),
    h("section", { class: "card flush", "aria-label": "Tokens" }, list.place),
  ];
}

const over = (token) => token.expires_at && Date.parse(token.expires_at) <= Date.now();

function maker(may, again) {
  const name = h("input", { autocomplete: "off", placeholder: "labelling-pipeline" });
  const role = choice(
    undefined,
    ROLES.filter(([one]) => may(one)),
    "member",
  );
  const life = choice(undefined, LIVES, "90");
  const submit = h("button", { class: "first" }, "Make a token");
  const form = h(
    "form",
    {
      class: "card",
      novalidate: true,
      "aria-label": "New token",
      onsubmit: submits(() => busy(submit, make)),
    },
    h("div", { class: "summary" }),
    h(
      "div",
      { class: "two" },
      field({ pointer: "/name", label: "Name", hint: "Who or what uses it.", input: name, required: true }),
      field({ pointer: "/role", label: "Role", hint: "No more than it needs.", input: role, required: true }),
      field({ pointer: "/expires_at", label: "Expires", hint: "After that it is refused.", input: life, required: true }),
    ),
    h("div", null, submit),
  );
  async function make() {
    clearErrors(form);
    try {
      const expires = life.value && { expires_at: new Date(Date.now() + Number(life.value) * DAY).toISOString().replace(/\.\d+Z$/, "Z") };
      // Its text is in this answer only, so a lost answer is a lost token: revoke it, make another.
      shown(await post("/tokens", { name: name.value, role: role.value, ...expires }, once(newKey())), again);
    } catch (error) {
      showErrors(form, error, (one) => problem(one));
    }
  }
  return form;
}

function shown(made, again) {
  const dialog = open(
    h(
      "div",
      { class: "stack" },
      h("h2", { id: "minted", tabindex: "-1" }, "Copy it now"),
      h("p", null, "This is the only time that the token ", named(made.name), " is shown."),
      h("div", { class: "once" }, h("code", { class: "minted" }, made.token), copyButton(made.token, "token")),
      h(
        "p",
        { class: "hint" },
        "A program sends it in the header ",
        h("code", null, "Authorization: Bearer …"),
        "; the command line reads it from ",
        h("code", null, "PORTCULLIS_TOKEN"),
        ".",
      ),
      h("div", { class: "end" }, h("button", { type: "button", class: "first", onclick: () => dialog.close() }, "I have it")),
    ),
    "minted",
  );
  dialog.addEventListener("close", () => again());
  dialog.querySelector("h2").focus();
}
