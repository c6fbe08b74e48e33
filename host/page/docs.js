// The API, read from its own document: every operation, searched, with its fields, answers and an example as a command.

import { h, copyButton, fresh, lines, named, prose, say } from "./dom.js";

const DEPTH = 5;
const ABOUT = {
  connections: "Named uses of a customer's storage.",
  ingestion: "Assets in, as durable jobs.",
  objects: "Bytes, through the gateway.",
  plan: "What would be sent, before it is.",
  gateway: "No token is needed here.",
};
const folder = new URL(".", import.meta.url).pathname;
let root;

const pointer = (ref) =>
  ref
    .slice(2)
    .split("/")
    .reduce((at, part) => at?.[part.replaceAll("~1", "/").replaceAll("~0", "~")], root);
const resolved = (value) => (value?.$ref ? { ...resolved(pointer(value.$ref)), ...value, $ref: undefined } : (value ?? {}));

/** What a value is, in a few words. */
function kind(given) {
  const schema = resolved(given);
  const many = schema.anyOf ?? schema.oneOf;
  if (many) return [...new Set(many.map(kind))].join(" or ");
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(", ");
  if (schema.allOf) return kind(schema.allOf[0]);
  const types = [schema.type ?? "any"].flat();
  const word = types.map((type) => (type === "array" && schema.items ? `list of ${kind(schema.items)}` : type)).join(" or ");
  const limits = [
    schema.format && schema.format !== "binary" && schema.format,
    schema.minimum !== undefined && `from ${schema.minimum}`,
    schema.maximum !== undefined && `to ${schema.maximum}`,
    schema.maxLength !== undefined && `at most ${schema.maxLength} characters`,
    schema.maxItems !== undefined && `at most ${schema.maxItems}`,
    schema.default !== undefined && `${JSON.stringify(schema.default)} unless given`,
    schema.writeOnly && "secret: never shown again",
  ].filter(Boolean);
  return [word, ...limits].join(", ");
}

/** The object in it, whether it is one, a list of them, or one or null. */
function object(given) {
  const schema = resolved(given);
  if (schema.properties) return schema;
  if (schema.items) return object(schema.items);
  const inner = [...(schema.anyOf ?? []), ...(schema.allOf ?? [])].map(object).filter(Boolean);
  return inner.length === 1 ? inner[0] : null;
}

function fields(given, depth = 0) {
  const schema = object(given);
  if (!schema || depth > DEPTH) return null;
  return h(
    "ul",
    { class: "fields" },
    Object.entries(schema.properties).map(([name, property]) =>
      h(
        "li",
        null,
        h("code", null, named(name)),
        " ",
        h("span", { class: "muted" }, named(kind(property)), schema.required?.includes(name) ? "" : ", optional"),
        resolved(property).description && h("p", null, prose(resolved(property).description)),
        fields(property, depth + 1),
      ),
    ),
  );
}

function text(title, body) {
  return h(
    "div",
    { class: "document" },
    h("header", null, h("span", null, title), copyButton(body, title)),
    h("pre", { tabindex: "0", role: "region", "aria-label": title }, lines(body)),
  );
}

const pretty = (value) => JSON.stringify(value, null, 2);
const quoted = (value) => `'${value.replaceAll("'", "'\\''")}'`;

/** The operation as a command that can be pasted, once two variables are set. */
function command({ method, path, operation }, body) {
  const parameters = (operation.parameters ?? []).map(resolved);
  const example = (one) => String(one.example ?? `<${one.name}>`);
  const at = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(example(parameters.find((one) => one.name === name))));
  const query = parameters
    .filter((one) => one.in === "query" && one.required)
    .map((one) => `${one.name}=${encodeURIComponent(example(one))}`)
    .join("&");
  const how = { GET: "", HEAD: " --head", POST: body === undefined && !operation.requestBody ? " -X POST" : "" }[method] ?? ` -X ${method}`;
  const [type] = Object.keys(operation.requestBody?.content ?? {});
  const parts = [`curl -sS${how} "$PORTCULLIS_URL${at}${query && `?${query}`}"`];
  if (!operation.security) parts.push(`-H "authorization: Bearer $PORTCULLIS_TOKEN"`);
  if (body !== undefined) parts.push(`-H 'content-type: ${type}' -d ${quoted(pretty(body))}`);
  else if (type && type !== "application/json") parts.push(`-H 'content-type: ${type}' --data-binary @connector.wasm`);
  return parts.join(" \\\n  ");
}

/** The body's fields and the command; where it is one of several, of the one that is chosen. */
function request(one) {
  const content = Object.values(one.operation.requestBody?.content ?? {})[0];
  if (!content) return [h("h3", null, "Example"), text("Command", command(one))];
  const shown = (schema, body) => [
    h("h3", null, "Body", one.operation.requestBody.required ? "" : ", optional"),
    h("p", { class: "muted" }, prose(one.operation.requestBody.description)),
    fields(schema),
    h("h3", null, "Example"),
    text("Command", command(one, body)),
  ];
  if (!content.examples) return shown(content.schema, content.example);
  const place = h("div", { class: "stack" });
  const select = h("select", { id: fresh("which"), onchange: choose });
  for (const [key, example] of Object.entries(content.examples)) select.append(h("option", { value: key }, example.summary));
  function choose() {
    const to = resolved(content.schema).discriminator.mapping[select.value];
    place.replaceChildren(...shown({ $ref: to }, content.examples[select.value].value).filter(Boolean));
  }
  choose();
  return [h("div", { class: "field narrow" }, h("label", { for: select.id }, "Connector"), select), place];
}

function parameters(operation) {
  const list = (operation.parameters ?? []).map(resolved);
  if (list.length === 0) return null;
  return [
    h("h3", null, "Parameters"),
    h(
      "ul",
      { class: "fields" },
      list.map((one) =>
        h(
          "li",
          null,
          h("code", null, one.name),
          " ",
          h("span", { class: "muted" }, `${one.in}, ${kind(one.schema)}${one.required ? "" : ", optional"}`),
          h("p", null, prose(one.description)),
        ),
      ),
    ),
  ];
}

function answers(operation) {
  const all = Object.entries(operation.responses).map(([status, response]) => [status, resolved(response)]);
  const good = all.filter(([status]) => status < 400);
  return [
    h("h3", null, "Answers"),
    good.map(([status, response]) => {
      const content = response.content?.["application/json"];
      return h(
        "div",
        { class: "stack" },
        h("p", null, h("code", { class: "status" }, status), " ", prose(response.description)),
        content && fields(content.schema),
        content?.example !== undefined && text(`Answer ${status}`, pretty(content.example)),
      );
    }),
    h("h3", null, "Problems"),
    h(
      "ul",
      { class: "fields" },
      all
        .filter(([status]) => status >= 400)
        .map(([status, response]) => {
          const known = root.components.responses[status];
          return h("li", null, known ? h("a", { href: `#problem-${status}` }, status) : status, " ", prose(response.description));
        }),
    ),
  ];
}

function shown(one) {
  const { id, method, path, operation } = one;
  const place = h("div", { class: "stack" });
  const details = h(
    "details",
    { id, class: "operation" },
    h(
      "summary",
      null,
      h("span", { class: `method ${method.toLowerCase()}` }, method),
      h("code", null, path),
      h("span", { class: "grow" }, operation.summary),
      operation["x-role"] && h("span", { class: "pill" }, operation["x-role"]),
    ),
    place,
  );
  details.addEventListener("toggle", () => {
    if (details.open && !place.hasChildNodes())
      place.append(
        ...[operation.description && h("p", null, prose(operation.description)), parameters(operation), request(one), answers(operation)]
          .flat(Infinity)
          .filter(Boolean),
      );
  });
  return details;
}

function problems() {
  return h(
    "section",
    { class: "stack", "aria-labelledby": "problems" },
    h("h2", { id: "problems" }, "Problems"),
    h("p", { class: "muted" }, "Every error has this form; its code is stable."),
    Object.entries(root.components.responses).map(([status, response]) =>
      h(
        "details",
        { id: `problem-${status}`, class: "operation" },
        h("summary", null, h("code", { class: "status" }, status), h("span", { class: "grow" }, prose(response.description))),
        text(`Problem ${status}`, pretty(response.content["application/problem+json"].example)),
      ),
    ),
  );
}

/** The one that the address names, opened. */
function reveal() {
  const one = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (one?.tagName !== "DETAILS") return;
  one.hidden = false;
  one.closest("section").hidden = false;
  one.open = true;
  one.scrollIntoView();
}

function page() {
  const sections = new Map();
  for (const [path, methods] of Object.entries(root.paths)) {
    // The same operations as under v1.
    if (path.startsWith("/api/v0/")) continue;
    for (const [method, operation] of Object.entries(methods)) {
      const [tag] = operation.tags;
      const one = { id: operation.operationId, method: method.toUpperCase(), path, operation };
      if (!sections.has(tag)) sections.set(tag, []);
      sections.get(tag).push({ details: shown(one), words: `${one.method} ${path} ${JSON.stringify(operation)}`.toLowerCase() });
    }
  }
  const order = [...Object.keys(ABOUT).slice(0, 4), ...sections.keys()].filter((tag) => sections.has(tag));
  const list = [...new Set(order)].map((tag) => ({
    operations: sections.get(tag),
    element: h(
      "section",
      { class: "stack", "aria-labelledby": `tag-${tag}` },
      h("h2", { id: `tag-${tag}` }, tag[0].toUpperCase() + tag.slice(1)),
      ABOUT[tag] && h("p", { class: "muted" }, ABOUT[tag]),
      sections.get(tag).map((one) => one.details),
    ),
  }));
  const none = h("p", { class: "empty", hidden: true }, "Nothing has all of these words.");
  const search = h("input", { id: "search", type: "search", autocomplete: "off", spellcheck: "false", oninput: filter });
  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { element, operations } of list) {
      let some = 0;
      for (const one of operations) {
        one.details.hidden = !words.every((word) => one.words.includes(word));
        some += !one.details.hidden;
      }
      element.hidden = some === 0;
      found += some;
    }
    none.hidden = found > 0;
    say(`${found} operations`);
  }
  return h(
    "main",
    { id: "main", class: "reader", tabindex: "-1" },
    h("a", { class: "brand", href: "/" }, h("img", { src: `${folder}icon.svg`, alt: "" }), "Portcullis"),
    h("h1", null, "API ", root.info.version),
    h("p", null, prose(root.info.description.replaceAll("*", ""))),
    h(
      "p",
      { class: "muted" },
      "The commands take the gateway's address and a token from the environment: ",
      h("code", null, `export PORTCULLIS_URL=${location.origin} PORTCULLIS_TOKEN=pct_…`),
      ". What is under ",
      h("code", null, "/api/v1/connections"),
      " answers under ",
      h("code", null, "/api/v0"),
      ", too. This page is made of ",
      h("a", { href: "/api/v1/openapi.json" }, "openapi.json"),
      " (OpenAPI 3.1).",
    ),
    h("div", { class: "field narrow" }, h("label", { for: "search" }, "Search"), search),
    list.map((one) => one.element),
    none,
    problems(),
  );
}

const app = document.getElementById("app");
try {
  const answer = await fetch("/api/v1/openapi.json", { credentials: "omit" });
  if (!answer.ok) throw new Error(`the answer was ${answer.status}`);
  root = await answer.json();
  app.replaceChildren(page());
  window.addEventListener("hashchange", reveal);
  reveal();
} catch (error) {
  console.error(error);
  app.replaceChildren(
    h(
      "main",
      { id: "main", class: "reader", tabindex: "-1" },
      h("h1", null, "The API's document cannot be read"),
      h("p", { role: "alert" }, "See whether the gateway runs, then load this page again."),
    ),
  );
}
