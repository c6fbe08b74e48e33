// One job: its progress while it runs, and what became of each asset.

import { h, actionButton, count, named, say, size, when } from "./dom.js";
import { get, newKey, once, post, query } from "./api.js";
import { cells, copied, crumbs, empty, fact, heading, paged, problem, sentence, state } from "./parts.js";

const FINAL = ["completed", "failed", "stopped"];
const COLUMNS = [["#", "number"], ["Source path"], ["Status"], ["Size", "number"], ["Type"]];
const FIRST_WAIT = 600,
  LONGEST_WAIT = 5000;

export async function show({ path, signal, go }) {
  const at = `/ingestion/jobs/${encodeURIComponent(path[1])}`;
  let job = await get(at, { signal });
  const connection = await get(`/connections/${job.connection_id}`, { signal }).catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });

  const bar = h("progress", { "aria-label": "Progress" });
  const word = h("span");
  const counts = h("dl", { class: "counts" });
  const trouble = h("div", { "aria-live": "polite" });
  const facts = h("dl", { class: "facts" });
  const actions = h("div", { class: "row" });
  let spoken = -1;

  function draw() {
    const { total, processed, errored, bytes } = job;
    bar.max = Math.max(total, 1);
    bar.value = FINAL.includes(job.status) && job.status === "completed" ? bar.max : processed;
    bar.textContent = `${processed} of ${total}`;
    word.replaceChildren(state(job.status, { pending: "Waiting" }));
    const done = processed - errored,
      left = total - done;
    counts.replaceChildren(
      ...[
        ["Assets", count(total)],
        ["Completed", count(Math.max(done, 0))],
        ["Errors", count(errored), errored > 0],
        ["Bytes", size(bytes)],
      ].map(([name, value, some]) => h("div", null, h("dt", null, name), h("dd", { class: some ? "some" : "" }, value))),
    );
    facts.replaceChildren(
      ...[
        fact(
          "Connection",
          connection
            ? h("a", { href: `#/connections/${encodeURIComponent(connection.name)}` }, named(connection.name))
            : h("span", { class: "muted" }, "deleted since"),
        ),
        fact("Begun", when(job.started_at ?? job.created_at)),
        fact("Ended", when(job.finished_at, "not yet")),
        fact("Job", copied(job.job_id, "job id")),
      ].flat(2),
    );
    trouble.replaceChildren(...(job.error ? [problem({ ...job.error, detail: job.error.message })] : []));
    actions.replaceChildren(
      ...(FINAL.includes(job.status) && left > 0 && connection
        ? [actionButton(`Try the ${left === 1 ? "failed one" : `${count(left)} failed ones`} again`, {}, anew)]
        : []),
    );
    // Every tenth of the way, and the end: not each step.
    const tenth = FINAL.includes(job.status) ? 11 : Math.floor((processed / Math.max(total, 1)) * 10);
    if (tenth !== spoken)
      say(FINAL.includes(job.status) ? `The job is ${job.status}: ${done} completed, ${errored} with errors` : `${processed} of ${total}`);
    spoken = tenth;
  }

  const key = newKey();
  async function anew() {
    try {
      const made = await post(`${at}/retry`, {}, once(key));
      go(`#/jobs/${made.job_id}`);
    } catch (error) {
      if (!signal.aborted) trouble.replaceChildren(problem(error));
    }
  }

  const card = h("section", { class: "card flush", "aria-label": "Assets" });
  const tabs = [
    ["", "All"],
    ["error", "Errors"],
    ["completed", "Completed"],
    ["pending", "Waiting"],
  ].map(([key, text]) => h("button", { type: "button", "data-filter": key, "aria-pressed": "false", onclick: () => fill(key) }, text));
  let filter = "";
  function fill(key) {
    filter = key;
    for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset.filter === key));
    const list = paged({
      signal,
      label: "Assets",
      columns: COLUMNS,
      load: (cursor) => get(`${at}/assets${query({ status: key, limit: 100, cursor })}`, { signal }),
      show: (item) =>
        h(
          "tr",
          { "data-status": item.status },
          cells(COLUMNS, [
            count(item.index + 1),
            h(
              "div",
              { class: "stack tight" },
              h("span", { class: "path" }, named(item.source_path)),
              item.error &&
                h(
                  "div",
                  { class: "findings" },
                  h(
                    "div",
                    { class: "remedy" },
                    h("strong", null, sentence(item.error.message)),
                    " ",
                    h("code", null, named(item.error.code)),
                    item.error.remedy && h("p", null, "What to do: ", sentence(item.error.remedy)),
                    item.attempts > 1 && h("p", { class: "muted" }, `Tried ${item.attempts} times.`),
                  ),
                ),
            ),
            state(item.status, { pending: "Waiting" }),
            item.stored ? size(item.stored.size) : "",
            item.stored ? h("code", null, named(item.stored.content_type ?? "")) : "",
          ]),
        ),
      nothing: () =>
        key === "error"
          ? empty("No errors", h("p", null, "Every asset that was tried came in."))
          : empty("None", h("p", null, "No asset of this job is in this state.")),
    });
    card.replaceChildren(h("div", { class: "tabs", role: "group", "aria-label": "Which assets" }, tabs), list.place);
    return list.ready;
  }

  async function follow() {
    let wait = FIRST_WAIT,
      seen = job.processed;
    const lost = h("div");
    trouble.before(lost);
    while (!FINAL.includes(job.status) && job.status !== "paused" && !signal.aborted) {
      await new Promise((then) => setTimeout(then, wait));
      if (signal.aborted) return;
      if (document.hidden) continue;
      try {
        job = await get(at, { signal });
        lost.replaceChildren();
        wait = job.processed === seen ? Math.min(wait * 1.4, LONGEST_WAIT) : FIRST_WAIT;
        draw();
        // Those that are shown, as they change; not while somebody reads on.
        if (job.processed !== seen && card.querySelectorAll("tbody tr").length <= 100) fill(filter);
        seen = job.processed;
      } catch (error) {
        if (signal.aborted || error.status === 401) return;
        wait = LONGEST_WAIT;
        if (!lost.hasChildNodes())
          lost.replaceChildren(
            problem({
              ...error,
              detail: error.message,
              remedy: `${error.remedy ?? ""} The job goes on without this page, which asks again by itself.`.trim(),
            }),
          );
      }
    }
    if (FINAL.includes(job.status)) await fill(job.errored > 0 ? "error" : filter);
  }

  draw();
  await fill(FINAL.includes(job.status) && job.errored > 0 ? "error" : "");
  follow();
  return [
    crumbs(["Ingest", "#/ingest"], [job.dataset_id]),
    heading(["Into ", named(job.dataset_id), " ", word]),
    h("section", { class: "card", "aria-label": "Progress" }, bar, counts, facts, actions),
    trouble,
    card,
  ];
}
