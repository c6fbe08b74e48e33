// The API, as any client calls it. The token travels in one header, and is kept for this tab alone.

const KEPT = "portcullis.token";
const PATIENCE = 70_000;

let token = sessionStorage.getItem(KEPT) ?? "";
let lost = () => {};

export const signedIn = () => token !== "";

export function keep(text) {
  token = text;
  sessionStorage.setItem(KEPT, text);
}

export function forget() {
  token = "";
  sessionStorage.removeItem(KEPT);
}

/** What to do when the token is no longer taken. */
export function onLost(run) {
  lost = run;
}

/** What went wrong, in the form that the whole API has; what never reached it, in the same form. */
export class Problem extends Error {
  constructor(document) {
    super(document.detail);
    Object.assign(this, { status: 0, errors: [], ...document });
  }
}

const unreachable = () =>
  new Problem({
    code: "unreachable",
    detail: "The gateway does not answer.",
    remedy: "See whether it runs and whether this machine reaches it, then try again. Nothing that was accepted is lost.",
  });

/** The answer itself, where it is no error. */
export async function ask(method, path, { body, type, headers, signal } = {}) {
  const patience = AbortSignal.timeout(PATIENCE);
  let answer;
  try {
    answer = await fetch(path, {
      method,
      body,
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": type }), ...headers },
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
  if (answer.ok) return answer;
  const problem = await told(answer);
  if (answer.status === 401) lost(problem);
  throw problem;
}

async function told(answer) {
  try {
    const document = await answer.json();
    if (typeof document.detail === "string") return new Problem({ ...document, status: answer.status });
  } catch {
    /* No problem document: a proxy between us, perhaps. */
  }
  return new Problem({
    status: answer.status,
    code: "no_problem_document",
    detail: `The answer was ${answer.status}, without a reason.`,
    remedy: "Something between this page and the gateway may have answered. Try again, then ask who runs it.",
  });
}

/** The bytes of an answer, at most so many, in parts as a Blob takes them. `cut`: the rest is left alone, instead of an error. */
export async function bytes(path, most, { cut, ...options } = {}) {
  const reader = (await ask("GET", path, options)).body.getReader();
  const parts = [];
  for (let total = 0; ;) {
    let step;
    try {
      step = await reader.read();
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new Problem({
        code: "broke_off",
        detail: "It broke off before its end.",
        remedy: "The gateway or the remote went away meanwhile: try again.",
      });
    }
    if (step.done) return parts;
    total += step.value.length;
    parts.push(step.value);
    if (total > most) {
      await reader.cancel();
      if (cut) return parts;
      throw new Problem({
        code: "too_large_here",
        detail: "It is too large for a browser's memory.",
        remedy: "Read it on the command line: portcullis cat.",
      });
    }
  }
}

async function json(method, path, value, options) {
  const sent = value === undefined ? {} : { body: JSON.stringify(value), type: "application/json" };
  const answer = await ask(method, path, { ...sent, ...options });
  try {
    return await answer.json();
  } catch (error) {
    if (options?.signal?.aborted) throw error;
    throw unreachable();
  }
}

export const get = (path, options) => json("GET", `/api/v1${path}`, undefined, options);
export const post = (path, body, options) => json("POST", `/api/v1${path}`, body ?? {}, options);
export const patch = (path, body, options) => json("PATCH", `/api/v1${path}`, body, options);
export const remove = (path, options) => json("DELETE", `/api/v1${path}`, undefined, options);
export const outside = (path, options) => json("GET", path, undefined, options);

/** Creating twice makes one: for buttons that are pressed again because nothing seemed to happen. */
export const once = (key) => ({ headers: { "idempotency-key": key } });

export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** With what is undefined or empty left out. */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** Everything of a list that is known to be short. At most ten pages. */
export async function all(path, options) {
  const items = [];
  let cursor;
  for (let page = 0; page < 10; page++) {
    const answer = await get(`${path}${query({ limit: 500, cursor })}`, options);
    items.push(...answer.items);
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  return items;
}
