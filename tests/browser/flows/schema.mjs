// A form from any schema that a connector may have: each type, limits, choices, references, and what is sent of it, when it is made and when it is changed.
import { check, heading, same, signIn } from "../lib.mjs";

const SCHEMA = {
  type: "object",
  additionalProperties: false,
  required: ["place", "key", "mode"],
  $defs: { place: { type: "string", description: "Where, such as `here`.", minLength: 3, maxLength: 9 } },
  properties: {
    place: { $ref: "#/$defs/place", title: "Place" },
    key: { type: "string", writeOnly: true, title: "Key" },
    other_key: { type: "string", writeOnly: true },
    mode: { oneOf: [{ const: "fast", title: "Fast" }, { const: "slow" }], title: "Mode" },
    level: { enum: [1, 2, 3], default: 2 },
    count: { type: ["integer", "null"], minimum: 1, maximum: 10, default: 5 },
    ratio: { anyOf: [{ type: "number", minimum: 0 }, { type: "null" }] },
    flag: { type: "boolean", default: true, description: "Whether." },
    names: { type: "array", items: { type: "string" } },
    nested: { type: "object", properties: { a: { type: "integer" } } },
    account: { type: "string", "x-identity": true },
    follows: { type: "string", readOnly: true },
  },
};

export default async ({ page, look }) => {
  await signIn(page);
  await heading(page, "Connections").waitFor();
  /** Draws it in the page itself, with the page's own module; `fill`: what somebody types. */
  const drawn = (before, fill) =>
    page.evaluate(
      async ({ schema, before, fill }) => {
        const { settingsFields } = await import(new URL("form.js", document.querySelector("script[type=module]").src).href);
        const { needed, others, read } = settingsFields(schema, before);
        const form = document.createElement("form");
        form.className = "card narrow";
        form.append(...needed, ...others);
        const title = document.createElement("h1");
        title.textContent = "Settings";
        document.getElementById("main").replaceChildren(title, form);
        for (const [name, value] of Object.entries(fill)) {
          const input = form.querySelector(`[data-pointer="/config/${name}"]`).querySelector("input, select, textarea");
          if (input.type === "checkbox") input.checked = value;
          else input.value = value;
        }
        const kind = (one) => `${one.tagName.toLowerCase()}${one.type === "text" ? "" : `:${one.type}`}${one.readOnly ? " fixed" : ""}`;
        return {
          kinds: Object.fromEntries(
            [...form.querySelectorAll("[data-pointer]")].map((one) => [
              one.dataset.pointer.slice(8),
              kind(one.querySelector("input, select, textarea")),
            ]),
          ),
          hints: [...form.querySelectorAll(".hint")].map((one) => one.textContent.trim()),
          read: read(),
        };
      },
      { schema: SCHEMA, before, fill },
    );

  const made = await drawn(undefined, {
    place: "here",
    key: "secret",
    mode: JSON.stringify("slow"),
    count: "7",
    ratio: "0.5",
    flag: false,
    names: "one\n two \n\n",
    nested: '{"a": 1}',
    account: "1",
  });
  same(Object.keys(made.kinds).slice(0, 3), ["place", "mode", "key"], "what is required comes first, secrets last of it");
  same(
    [made.kinds.key, made.kinds.mode, made.kinds.flag, made.kinds.names, made.kinds.nested, made.kinds.follows],
    ["input:password", "select:select-one", "input:checkbox", "textarea:textarea", "textarea:textarea", undefined],
    "the fields",
  );
  same(
    made.read,
    {
      place: "here",
      mode: "slow",
      key: "secret",
      level: 2,
      count: 7,
      ratio: 0.5,
      flag: false,
      names: ["one", "two"],
      nested: { a: 1 },
      account: "1",
    },
    "what is sent",
  );
  check(
    made.hints.includes("Where, such as here. 3 to 9 characters.") && made.hints.includes("1 to 10; 5 unless given."),
    made.hints.join("|"),
  );
  await look("made");

  // What is no number, and what is left out, is the gateway's to judge.
  same(
    (await drawn(undefined, { count: "seven", ratio: "1e3", nested: "{" })).read,
    { level: 2, count: "seven", ratio: "1e3", flag: true, nested: "{" },
    "as it was typed",
  );

  // Changed: a merge patch. Secrets and what never changes stay.
  const before = {
    place: "here",
    key: { set: true },
    other_key: { set: true },
    mode: "slow",
    count: 7,
    names: ["one"],
    account: "1",
    follows: "x",
    flag: false,
    level: 3,
  };
  same((await drawn(before, {})).read, {}, "nothing was changed");
  const changed = await drawn(before, { place: "there", count: "", names: "one\ntwo" });
  same([changed.kinds.account, changed.kinds.follows], ["input fixed", "input fixed"], "what never changes");
  same(changed.read, { place: "there", count: null, names: ["one", "two"] }, "the patch");
  await page.getByLabel("Remove what is set").check();
  await look("changed");
};
