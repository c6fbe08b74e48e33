// Connections, as a list: the default one first, with state, last test, and a test at a press.

import { h, fresh, named, plain, say, busy, when } from "./dom.js";
import { all, get, post, query } from "./api.js";
import { cells, choice, connectionState, empty, field, findings, heading, paged, problem } from "./parts.js";

const COLUMNS = [["Name"], ["Type"], ["Status"], ["Last test"], ["Last worked"], ["", "actions"]];

export async function show({ may, signal, query: given }) {
  const connectors = new Map((await all("/connectors", { signal })).map((one) => [one.id, one]));
  const status = choice(
    fresh("status"),
    [
      ["", "Any"],
      ["ready", "Ready"],
      ["pending", "Not tested"],
      ["error", "Error"],
    ],
    given.get("status") ?? "",
  );
  const type = choice(
    fresh("type"),
    [["", "Any"], ...[...connectors.values()].map((one) => [one.id, plain(one.title)])],
    given.get("type") ?? "",
  );
  const name = h("input", {
    id: fresh("name"),
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "Part of a name or description",
  });
  const card = h("section", { class: "card flush", "aria-label": "Connections" });
  const filters = h(
    "div",
    { class: "filters" },
    h("div", { class: "grow" }, field("Find", name)),
    field("Status", status),
    field("Type", type),
  );
  let list;

  function fill() {
    list = paged({
      signal,
      label: "Connections",
      columns: COLUMNS,
      load: (cursor) => get(`/connections${query({ status: status.value, type: type.value, limit: 500, cursor })}`, { signal }),
      show: (one) => rows(one, connectors, may),
      nothing: () =>
        empty(
          "No connection fits",
          h("p", null, "None has this status and type."),
          h("button", { type: "button", onclick: reset }, "Show all"),
        ),
    });
    card.replaceChildren(filters, list.place, teach);
    list.ready.then(() => {
      sift();
      teach.hidden = !may("admin") || Boolean(status.value || type.value) || list.items().length !== 1;
    });
  }
  function reset() {
    status.value = type.value = name.value = "";
    fill();
  }
  // Among those that are shown: there are seldom more than a page.
  function sift() {
    const wanted = name.value.trim().toLowerCase();
    for (const row of list.body.querySelectorAll("tr[data-find]")) {
      row.hidden = !row.dataset.find.includes(wanted);
      const detail = row.nextElementSibling;
      if (detail?.classList.contains("detail")) detail.hidden = row.hidden;
    }
  }
  const teach = h(
    "div",
    { class: "empty", hidden: true },
    h("h2", null, "Connect your first storage"),
    h(
      "p",
      null,
      "A connection lets the gateway read one place: a bucket behind a role, or a server behind a password or a key. Choose what it is, paste the policies that you are shown, and test it. Then browse it, or ingest from it.",
    ),
    h("a", { class: "button first", href: "#/connections/new" }, "New connection"),
  );
  name.addEventListener("input", sift);
  status.addEventListener("change", fill);
  type.addEventListener("change", fill);
  fill();
  await list.ready;
  return [
    heading(
      "Connections",
      "Where the gateway may read. Access is given once, here; no program ever holds a credential.",
      may("admin") && h("a", { class: "button first", href: "#/connections/new" }, "New connection"),
    ),
    card,
  ];
}

function rows(one, connectors, may) {
  const at = `#/connections/${encodeURIComponent(one.name)}`;

  const test = may("admin") && h("button", { type: "button", "aria-label": `Test ${one.name}`, onclick: () => busy(test, run) }, "Test");
  const row = h("tr", { "data-name": one.name, "data-find": `${one.name} ${one.description}`.toLowerCase() });
  function fill(connection) {
    row.replaceChildren(
      ...cells(COLUMNS, [
        h(
          "div",
          null,
          h("a", { class: "title", href: at }, named(connection.name)),
          one.default && [" ", h("span", { class: "pill" }, "default")],
          connection.description && h("div", { class: "small muted" }, named(connection.description)),
        ),
        named(connectors.get(connection.type)?.title ?? connection.type),
        connectionState(connection),
        when(connection.last_test?.at),
        when(connection.last_good_at),
        h(
          "div",
          { class: "row" },
          test,
          connection.enabled &&
            connection.status === "ready" &&
            h(
              "a",
              { class: "button", href: `#/browse/${encodeURIComponent(connection.name)}`, "aria-label": `Browse ${connection.name}` },
              "Browse",
            ),
        ),
      ]),
    );
  }
  async function run() {
    if (row.nextElementSibling?.classList.contains("detail")) row.nextElementSibling.remove();
    let said;
    try {
      const tested = await post(`/connections/${encodeURIComponent(one.name)}/test`);
      say(`${one.name}: ${tested.passed ? "every check passed" : "a check failed"}`);
      said = findings(tested.checks);
      fill(await get(`/connections/${encodeURIComponent(one.name)}`));
      test.focus();
    } catch (error) {
      said = problem(error, () => busy(test, run));
    }
    const close = h(
      "button",
      {
        type: "button",
        class: "plain",
        onclick: () => {
          detail.remove();
          test.focus();
        },
      },
      "Close",
    );
    const detail = h(
      "tr",
      { class: "detail" },
      h("td", { colspan: COLUMNS.length }, h("div", { class: "spread" }, h("h2", null, "What the test found"), close), said),
    );
    row.after(detail);
  }
  fill(one);
  return [row];
}
