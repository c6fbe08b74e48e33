// Forms. The settings of a connector are drawn from its JSON Schema; who judges them is the gateway, and what it says is shown beside each field.

import { h, fresh, lines, prose, plain, say } from "./dom.js";
import { sentence } from "./parts.js";

/** A field by hand. `pointer`: where the gateway looks for it in the body. */
export function field({ pointer, label, hint, input, required, error }) {
  const id = input.id || fresh("field");
  const wrong = h("p", { class: "wrong", id: `${id}-wrong` }, error);
  input.id = id;
  input.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-wrong`);
  if (required) input.setAttribute("aria-required", "true");
  const title = [plain(label), !required && [" ", h("span", { class: "optional" }, "optional")]];
  const check = input.type === "checkbox";
  return h(
    "div",
    { class: "field", "data-pointer": pointer },
    check ? h("label", { class: "check" }, input, h("span", null, plain(label))) : h("label", { for: id }, title),
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    !check && input,
    wrong,
  );
}

/** Shows each error at its field, the others above; `form` holds fields and a `.summary`. */
export function showErrors(form, problem, show) {
  clearErrors(form);
  const fields = [...form.querySelectorAll("[data-pointer]")];
  const left = [];
  let first;
  for (const error of problem.errors ?? []) {
    const pointer = error.pointer ?? "";
    // The field itself, or the one that what is wrong is a part of.
    const at = fields
      .filter((one) => pointer === one.dataset.pointer || pointer.startsWith(`${one.dataset.pointer}/`))
      .sort((a, b) => b.dataset.pointer.length - a.dataset.pointer.length)[0];
    if (!at) {
      left.push(error);
      continue;
    }
    const input = at.querySelector("input, select, textarea");
    input.setAttribute("aria-invalid", "true");
    const line = at.dataset.lines && /^\/(\d+)/.exec(pointer.slice(at.dataset.pointer.length));
    at.querySelector(".wrong").append(
      h("span", null, line ? `Line ${at.lineOf(Number(line[1]))}: ` : "", lines(sentence(error.detail)), " "),
    );
    if (!first || at.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING) first = at;
  }
  const summary = form.querySelector(".summary");
  if (!first || left.length > 0) summary.replaceChildren(show({ ...problem, message: problem.message, errors: left }));
  if (first) {
    const input = first.querySelector("input, select, textarea");
    input.focus();
    const wrong = form.querySelectorAll("[aria-invalid]").length;
    say(`${wrong} ${wrong === 1 ? "field is" : "fields are"} wrong`);
  } else summary.scrollIntoView({ block: "nearest" });
}

export function clearErrors(form) {
  form.querySelector(".summary").replaceChildren();
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  for (const wrong of form.querySelectorAll(".wrong")) wrong.replaceChildren();
}

/** The schema with its references followed, `null` left out, and one alternative taken for itself. */
function resolved(schema, root, depth = 0) {
  if (depth > 16 || typeof schema !== "object" || schema === null) return {};
  let one = schema;
  if (typeof one.$ref === "string") {
    const target = root.$defs?.[one.$ref.replace("#/$defs/", "")];
    const { $ref, ...rest } = one;
    one = { ...resolved(target, root, depth + 1), ...rest };
  }
  for (const key of ["anyOf", "oneOf", "allOf"]) {
    const parts = one[key]?.filter((part) => part.type !== "null").map((part) => resolved(part, root, depth + 1));
    if (parts?.length === 1) {
      const { [key]: _, ...rest } = one;
      one = { ...parts[0], ...rest };
    } else if (key !== "allOf" && parts?.length > 1 && parts.every((part) => "const" in part)) {
      one = { ...one, enum: parts.map((part) => part.const), about: parts };
    }
  }
  if (Array.isArray(one.type)) one = { ...one, type: one.type.filter((type) => type !== "null")[0] };
  if (one.type === undefined && Array.isArray(one.enum)) one = { ...one, type: typeof one.enum[0] };
  return one;
}

function limits(schema) {
  const { minimum: least, maximum: most, minLength: short, maxLength: long } = schema;
  const said = [];
  if (least !== undefined && most !== undefined) said.push(`${least} to ${most}`);
  else if (least !== undefined && least > 0) said.push(`${least} or more`);
  else if (most !== undefined) said.push(`at most ${most}`);
  if (short !== undefined && short === long) said.push(`${short} characters`);
  else if (short > 1 && long !== undefined) said.push(`${short} to ${long} characters`);
  if (schema.default !== undefined && schema.default !== null && schema.default !== "" && !schema.enum && schema.type !== "boolean")
    said.push(`${JSON.stringify(schema.default)} unless given`);
  return said.length ? `${said.join("; ")}.` : "";
}

function control(schema, before) {
  const given = before ?? undefined;
  if (Array.isArray(schema.enum)) {
    const select = h(
      "select",
      null,
      schema.enum.filter((one) => one !== null).map((one) => h("option", { value: JSON.stringify(one) }, plain(one))),
    );
    const value = given ?? schema.default;
    if (value === undefined) select.prepend(h("option", { value: "", selected: true }, "–"));
    select.value = value === undefined ? "" : JSON.stringify(value);
    return { input: select, read: () => (select.value === "" ? undefined : JSON.parse(select.value)) };
  }
  if (schema.type === "boolean") {
    const input = h("input", { type: "checkbox" });
    input.checked = given ?? schema.default ?? false;
    return { input, read: () => input.checked };
  }
  if (schema.type === "integer" || schema.type === "number") {
    const input = h("input", { inputmode: schema.type === "integer" ? "numeric" : "decimal", autocomplete: "off", value: given });
    const read = () => {
      const text = input.value.trim();
      if (text === "") return undefined;
      // What is no number is sent as it is: the gateway says what is wrong with it.
      return /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
    };
    return { input, read };
  }
  if (schema.type === "array" && ["string", undefined].includes(schema.items?.type)) {
    const input = h("textarea", { rows: 3, spellcheck: "false" });
    input.value = (given ?? []).join("\n");
    return {
      input,
      hint: "One a line.",
      read: () =>
        input.value.trim() === ""
          ? undefined
          : input.value
              .split("\n")
              .map((line) => line.trim())
              .filter(Boolean),
    };
  }
  if (schema.type === "object" || schema.type === "array" || schema.type === undefined) {
    const input = h("textarea", { rows: 4, class: "mono", spellcheck: "false" });
    input.value = given === undefined ? "" : JSON.stringify(given, null, 2);
    const read = () => {
      if (input.value.trim() === "") return undefined;
      try {
        return JSON.parse(input.value);
      } catch {
        return input.value;
      }
    };
    return { input, hint: "As JSON.", read };
  }
  const input = h("input", {
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "none",
    value: given,
    inputmode: schema.format === "uri" ? "url" : schema.format === "email" ? "email" : undefined,
  });
  return { input, read: () => (input.value === "" ? undefined : input.value) };
}

function secret(isSet, required) {
  const input = h("input", {
    type: "password",
    autocomplete: "new-password",
    spellcheck: "false",
    placeholder: isSet ? "Set. Leave empty to keep it." : undefined,
  });
  const gone = isSet && !required && h("input", { type: "checkbox" });
  const read = () => (gone?.checked ? null : input.value === "" ? undefined : input.value);
  return { input, read, extra: gone && h("label", { class: "check small" }, gone, h("span", null, "Remove what is set")) };
}

/**
 * The fields of a settings schema. `before`: the settings that are there, when they are changed.
 * `needed` and `others` are their elements. `read()` gives the settings (a merge patch of them, when they are changed).
 */
export function settingsFields(schema, before) {
  const required = new Set(schema.required ?? []);
  // Required ones first, secrets last of them: JSON has no order of its own.
  const all = Object.entries(schema.properties ?? {}).map(([name, property]) => [name, resolved(property, schema)]);
  const order = ([name, property]) => (property.readOnly ? 3 : required.has(name) ? 0 : 2) + (property.writeOnly ? 0.5 : 0);
  all.sort((a, b) => order(a) - order(b));
  const made = [];
  for (const [name, property] of all) {
    if (property.readOnly && before?.[name] === undefined) continue;
    const writeOnly = property.writeOnly === true;
    const part = writeOnly ? secret(before?.[name]?.set === true, required.has(name)) : control(property, before?.[name]);
    const fixed = property.readOnly || (before && property["x-identity"] === true);
    if (fixed) {
      part.input.readOnly = true;
      if (part.input.tagName === "SELECT") part.input.disabled = true;
    }
    const hint = [prose(property.description), " ", limits(property), fixed && " It never changes.", part.hint && ` ${part.hint}`];
    const said = hint.flat(Infinity).some((one) => one && (typeof one !== "string" || one.trim()));
    const element = field({
      pointer: `/config/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`,
      label: property.title ?? sentence(name.replaceAll("_", " ")).slice(0, -1),
      hint: said ? hint : undefined,
      input: part.input,
      required: required.has(name),
    });
    if (part.extra) element.querySelector(".wrong").before(part.extra);
    made.push({ name, element, property, read: fixed ? () => undefined : part.read, input: part.input, writeOnly });
  }
  function read() {
    const settings = {};
    for (const one of made) {
      const value = one.read();
      if (!before) {
        if (value !== undefined && value !== null) settings[one.name] = value;
      } else if (one.writeOnly) {
        if (value !== undefined) settings[one.name] = value;
      } else if (JSON.stringify(value) !== JSON.stringify(before[one.name]) && !one.input.readOnly && !one.input.disabled) {
        settings[one.name] = value === undefined ? null : value;
      }
    }
    return settings;
  }
  const part = (wanted) => made.filter((one) => required.has(one.name) === wanted).map((one) => one.element);
  return { needed: part(true), others: part(false), read, fields: made };
}

/** A role that reserves the external id: the gateway never calls it. */
export const NO_ROLE_YET = "arn:aws:iam::000000000000:role/temporary";

/** The setting that takes a role of AWS, where the connector has one that a customer enters. */
export function roleSetting(schema) {
  const found = Object.entries(schema.properties ?? {}).find(([name, property]) => {
    const one = resolved(property, schema);
    if (one.type !== "string" || one.readOnly || !(schema.required ?? []).includes(name) || !one.pattern?.startsWith("^arn:")) return false;
    try {
      return new RegExp(one.pattern, "u").test(NO_ROLE_YET);
    } catch {
      return false;
    }
  });
  return found?.[0];
}
