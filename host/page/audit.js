// The audit log: each use of a credential and each change, the newest first. Read only: nobody changes it, and the gateway least of all.

import { h, busy, count, fresh, named, plain, submits, when } from "./dom.js";
import { get, query } from "./api.js";
import { cells, choice, empty, field, heading, paged } from "./parts.js";

const COLUMNS = [["When"], ["Who"], ["What"], ["Where"], ["Outcome"], ["Times", "number"]];
const VERBS = [
  ["", "Everything"],
  ["fetch", "Fetched"],
  ["ingest", "Ingested"],
  ["test", "Tested"],
  ["list", "Listed"],
  ["probe", "External id probed"],
  ["session", "Session opened"],
  ["create", "Made"],
  ["change", "Changed"],
  ["move", "Moved to another version"],
  ["delete", "Deleted"],
  ["revoke", "Revoked"],
];
const GATEWAY = [
  ["upload", "Plugin uploaded"],
  ["grant", "Plugin granted"],
  ["activate", "Plugin activated"],
  ["remove", "Plugin removed"],
  ["started", "Gateway started"],
  ["stopped", "Gateway stopped"],
  ["repaired", "Log repaired"],
  ["damaged", "Log damaged"],
  ["resumed", "Log went on"],
  ["dropped", "Lines dropped"],
];
const HOW = {
  assume_role: "asked for a role",
  sign_request: "signed a request",
  send_secret: "sent the secret",
  send_token: "sent a token",
  token_exchange: "asked for a token",
};

export async function show({ may, signal }) {
  const verbs = may("operator") ? [...VERBS, ...GATEWAY] : VERBS;
  const words = Object.fromEntries([...VERBS, ...GATEWAY]);
  const connection = h("input", { id: fresh("connection"), autocomplete: "off", placeholder: "name or id" });
  const actor = h("input", { id: fresh("actor"), autocomplete: "off", placeholder: "token:…, job:… or gateway" });
  const verb = choice(fresh("verb"), verbs);
  const submit = h("button", null, "Show");
  const place = h("section", { class: "card flush", "aria-label": "Audit log" });
  const load = async () => {
    const asked = { connection: connection.value.trim(), actor: actor.value.trim(), verb: verb.value };
    const list = paged({
      signal,
      label: "Audit log",
      columns: COLUMNS,
      load: (cursor) => get(`/audit${query({ ...asked, limit: 100, cursor })}`, { signal }),
      show: (line) => row(line, words),
      nothing: () => empty("Nothing", h("p", null, "No use of a credential and no change fits what is asked for.")),
    });
    place.replaceChildren(list.place);
    await list.ready;
  };
  const form = h(
    "form",
    { class: "card", "aria-label": "What to show", novalidate: true, onsubmit: submits(() => busy(submit, load)) },
    h("div", { class: "two" }, field("Connection", connection), field("Who", actor), field("What", verb)),
    h("div", null, submit),
  );
  await load();
  return [
    heading(
      "Audit",
      "Each use of a credential and each change of what decides about credentials. The lines are a chain: portcullis audit verify finds whatever was changed or is missing.",
    ),
    form,
    place,
  ];
}

function row(line, words) {
  const bad = line.kind === "use" ? line.outcome !== "ok" : line.verb === "damaged";
  const what = line.kind === "change" && [" ", line.subject];
  return h(
    "tr",
    { "data-verb": line.verb, "data-seq": line.seq },
    cells(COLUMNS, [
      h("div", null, when(line.time), h("div", { class: "small muted" }, `number ${count(line.seq)}`)),
      h("code", { class: "small", title: line.actor }, named(short(line.actor ?? "gateway"))),
      h(
        "div",
        null,
        words[line.verb] ?? plain(line.verb),
        what,
        line.how && h("div", { class: "small muted" }, HOW[line.how] ?? plain(line.how)),
      ),
      where(line),
      h("span", { class: `pill ${bad ? "bad" : "good"}` }, named(line.outcome ?? (bad ? "damaged" : "ok"))),
      line.count === undefined ? "" : count(line.count),
    ]),
  );
}

const short = (actor) => actor.replace(/^(\w+:[0-9a-f]{8})-[0-9a-f-]+$/, "$1…");

function where(line) {
  if (line.kind === "log") return h("span", null, named(line.detail ?? ""));
  if (line.kind === "change") return h("div", null, named(line.name ?? line.id), powers(line));
  const [first, ...others] = line.objects ?? [];
  const more = others.length + (line.unlisted ?? 0);
  return h(
    "div",
    null,
    h("code", null, named(line.target)),
    first !== undefined && h("div", { class: "small muted" }, named(first), more > 0 && ` and ${count(more)} more`),
  );
}

const powers = (line) =>
  line.powers?.length > 0 && h("div", { class: "small muted" }, line.powers.map((one) => [h("code", null, named(one)), " "]));
