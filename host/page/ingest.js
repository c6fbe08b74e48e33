// Ingestion: source paths in, a job for each request, and the jobs that there are.

import { h, busy, count, fresh, named, plain, size, when, submits } from "./dom.js";
import { all, get, newKey, once, post, query } from "./api.js";
import { cells, choice, empty, field as row, heading, paged, problem, state } from "./parts.js";
import { clearErrors, field, showErrors } from "./form.js";

const MOST = 10_000;
const COLUMNS = [["Dataset"], ["Through"], ["Status"], ["Assets", "number"], ["Errors", "number"], ["Bytes", "number"], ["Begun"]];
/** What the browser left for this form. */
const LEFT = "portcullis.paths";

export async function show({ query: given, signal, go }) {
  const connections = await all("/connections", { signal });
  const names = new Map(connections.map((one) => [one.connection_id, one.name]));
  const usable = connections.filter((one) => one.enabled && one.status === "ready");
  const left = JSON.parse(sessionStorage.getItem(LEFT) ?? "[]");
  sessionStorage.removeItem(LEFT);
  const form = usable.length
    ? submission(usable, given.get("connection"), left, go)
    : h(
        "section",
        { class: "card" },
        empty(
          "No connection is ready",
          h("p", null, "Assets come in through a connection that passed its test."),
          h("a", { class: "button first", href: "#/connections" }, "To the connections"),
        ),
      );

  const status = choice(fresh("status"), [
    ["", "Any"],
    ...["pending", "in_progress", "completed", "failed", "stopped"].map((one) => [one, one.replace("_", " ")]),
  ]);
  const card = h("section", { class: "card flush", "aria-label": "Jobs" });
  function fill() {
    const list = paged({
      signal,
      label: "Jobs",
      columns: COLUMNS,
      load: (cursor) => get(`/ingestion/jobs${query({ status: status.value, limit: 25, cursor })}`, { signal }),
      show: (job) =>
        h(
          "tr",
          { "data-job": job.job_id },
          cells(COLUMNS, [
            h("a", { class: "title", href: `#/jobs/${job.job_id}` }, named(job.dataset_id)),
            named(names.get(job.connection_id) ?? "a deleted connection"),
            state(job.status, { pending: "Waiting" }),
            count(job.total),
            h("span", { class: job.errored ? "pill bad" : "" }, count(job.errored)),
            size(job.bytes),
            when(job.created_at),
          ]),
        ),
      nothing: () =>
        status.value
          ? empty("No job fits", h("p", null, "None has this status."))
          : empty(
              "Nothing was ingested yet",
              h("p", null, "Each request becomes a job. It survives a restart, and is listed here with what became of each asset."),
            ),
    });
    card.replaceChildren(h("div", { class: "filters" }, h("h2", { class: "grow" }, "Jobs"), row("Status", status)), list.place);
    return list.ready;
  }
  status.addEventListener("change", fill);
  await fill();
  return [
    heading(
      "Ingest",
      "Fetches assets through a connection and stores them in a dataset. The same source path twice in a dataset is one asset.",
    ),
    form,
    card,
  ];
}

function submission(usable, chosen, left, go) {
  const connection = choice(
    undefined,
    [["", "Choose one"], ...usable.map((one) => [one.name, plain(one.name)])],
    usable.some((one) => one.name === chosen) ? chosen : "",
  );
  const dataset = h("input", { autocomplete: "off", spellcheck: "false", placeholder: "cats" });
  const paths = h("textarea", {
    class: "paths",
    spellcheck: "false",
    wrap: "off",
    placeholder: "s3://my-bucket/images/one.jpg\ns3://my-bucket/images/two.jpg",
  });
  paths.value = left.join("\n");
  const metadata = h("textarea", { rows: 2, class: "mono", spellcheck: "false", placeholder: "label=winter" });
  const submit = h("button", { class: "first" }, "Ingest");
  const counted = h("span", { class: "muted", role: "status" });
  /** Which line of the text each path stands on. */
  let places = [];
  function read() {
    places = [];
    return paths.value.split("\n").flatMap((line, index) => {
      const text = line.replace(/\r$/, "");
      if (text.trim() === "") return [];
      places.push(index + 1);
      return [text];
    });
  }
  function tell() {
    const number = read().length;
    counted.textContent =
      number === 0
        ? ""
        : number > MOST
          ? `${count(number)} paths: at most ${count(MOST)} go into one job`
          : `${count(number)} ${number === 1 ? "asset" : "assets"}`;
  }
  paths.addEventListener("input", tell);
  let key = newKey(),
    sent;
  const pathsField = field({
    pointer: "/assets",
    label: "Source paths",
    hint: "One a line, exactly as they are: no quotes, no commas.",
    input: paths,
    required: true,
  });
  pathsField.dataset.lines = "yes";
  pathsField.lineOf = (index) => places[index] ?? index + 1;
  const form = h(
    "form",
    {
      class: "card",
      novalidate: true,
      "aria-label": "New job",
      onsubmit: submits(() => busy(submit, send)),
    },
    h("div", { class: "summary" }),
    h(
      "div",
      { class: "two" },
      field({ pointer: "/connection_name", label: "Connection", hint: "One that passed its test.", input: connection, required: true }),
      field({
        pointer: "/dataset_id",
        label: "Dataset",
        hint: "A name of yours; it comes to be with its first asset.",
        input: dataset,
        required: true,
      }),
    ),
    pathsField,
    field({ pointer: "/metadata", label: "Metadata", hint: "For each of them. One a line, as name=value.", input: metadata }),
    h("div", { class: "row" }, submit, counted),
  );
  tell();
  async function send() {
    clearErrors(form);
    const labels = metadata.value
      .split("\n")
      .filter((line) => line.trim())
      .map((line) => line.split(/=(.*)/s));
    const wrong = labels.find(([name, value]) => value === undefined || !name.trim());
    if (wrong) return showErrors(form, { errors: [{ pointer: "/metadata", detail: "each line is name=value" }] }, problem);
    const about = Object.fromEntries(labels.map(([name, value]) => [name.trim(), value]));
    const body = {
      dataset_id: dataset.value,
      ...(connection.value && { connection_name: connection.value }),
      assets: read().map((path) => ({ source_path: path, ...(labels.length && { metadata: about }) })),
    };
    const text = JSON.stringify(body);
    if (sent !== undefined && sent !== text) key = newKey();
    sent = text;
    try {
      const job = await post("/ingestion/assets", body, once(key));
      go(`#/jobs/${job.job_id}`);
    } catch (error) {
      if (error.status >= 400 && error.status < 500) key = newKey();
      showErrors(form, error, (one) => problem(one));
    }
  }
  return form;
}
