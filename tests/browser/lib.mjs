// What the flows stand on: a browser of its own, the scene that tests/it/page.rs has set, and what is held at every step: no error on the
// console, no violation of the policy, no request to anybody else, no serious finding of axe, nothing wider than the screen.

import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = new URL("../..", import.meta.url).pathname;
const require = createRequire(join(ROOT, "target/browser/package.json"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
export const DESK = { width: 1280, height: 860 };
const PHONE = { width: 360, height: 740 };
const PATIENCE = 20_000;

export const scene = JSON.parse(process.env.PAGE_SCENE);
const shots = join(ROOT, "target/browser-shots");

/** What a customer, or the world, does meanwhile: a line to the test that started us, a line back. */
const replies = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
export async function world(deed, about = {}) {
  process.stdout.write(`@${JSON.stringify({ deed, ...about })}\n`);
  const { value } = await replies.next();
  if (value !== "done") throw new Error(`${deed}: ${value}`);
}

/** The API, as another client. */
export async function api(method, path, body, token = scene.token) {
  const answer = await fetch(`${scene.url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const json = await answer.json();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(json)}`);
  return json;
}

export function check(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`);
}

export function same(found, wanted, what) {
  check(JSON.stringify(found) === JSON.stringify(wanted), `${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
}

/** Waits for it, and not for ever. */
export async function until(what, test) {
  const end = Date.now() + PATIENCE;
  let last;
  while (Date.now() < end) {
    try {
      last = await test();
      if (last) return last;
    } catch (error) {
      last = error.message;
    }
    await new Promise((then) => setTimeout(then, 40));
  }
  throw new Error(`it did not come to this: ${what} (${JSON.stringify(last)})`);
}

export async function flow(name, steps) {
  mkdirSync(shots, { recursive: true });
  const profile = mkdtempSync(join(tmpdir(), "portcullis-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    headless: true,
    args: ["--headless=new", ...FLAGS],
    viewport: DESK,
    colorScheme: "light",
    locale: "en-GB",
    acceptDownloads: true,
  });
  context.setDefaultTimeout(PATIENCE);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: scene.url });
  const page = context.pages()[0];
  const held = hold(page);
  try {
    await steps({ page, context, held, look: (step, options) => look(page, held, `${name}-${step}`, options) });
    await held.now("the end");
  } catch (error) {
    await page.screenshot({ path: join(shots, `${name}-failed.png`), fullPage: true }).catch(() => {});
    process.stdout.write(`${held.wrong.join("\n")}\n${error.stack}\nat ${page.url()}\n`);
    process.exitCode = 1;
  } finally {
    await context.close().catch(() => {});
    rmSync(profile, { recursive: true, force: true });
  }
  process.stdin.destroy();
}

/** Collects what must not be. `expect`: statuses of the API that a flow provokes; the browser writes them on the console. */
function hold(page) {
  const held = {
    wrong: [],
    requests: [],
    expected: new Set(),
    expect: (...statuses) => statuses.forEach((status) => held.expected.add(status)),
  };
  page.on("console", (message) => {
    const refused = /^Failed to load resource: the server responded with a status of (\d+)/.exec(message.text());
    const lost = /^Failed to load resource: net::/.test(message.text());
    if ((refused && held.expected.has(Number(refused[1]))) || (lost && held.expected.has(0))) return;
    if (["error", "warning", "assert"].includes(message.type())) held.wrong.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => held.wrong.push(`an error that nobody caught: ${error.stack}`));
  page.on("dialog", (dialog) => {
    held.wrong.push(`a dialog of a script: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    held.requests.push({ url: request.url(), headers: request.headers() });
    const { origin, protocol } = new URL(request.url());
    if (origin !== scene.url && protocol !== "blob:") held.wrong.push(`a request to somebody else: ${request.url()}`);
  });
  page.addInitScript(() =>
    addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
    ),
  );
  held.now = async (where) => {
    if (held.wrong.length) throw new Error(`${where}: ${held.wrong.join("; ")}`);
  };
  return held;
}

/** Screenshots by day, by night and on a phone; each is looked at by axe, and none is wider than its screen. */
async function look(page, held, name, { phone = true } = {}) {
  const size = page.viewportSize();
  const shoot = async (kind) => {
    await page.screenshot({ path: join(shots, `${name}-${kind}.png`), fullPage: true, animations: "disabled" });
    await axe(page, `${name}-${kind}`);
    const over = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      const beyond = [...document.querySelectorAll("body *")].filter(
        (one) => one.getBoundingClientRect().right > clientWidth && !one.closest(".scroll, pre"),
      );
      return (
        scrollWidth > clientWidth &&
        `${scrollWidth - clientWidth} px wider than its screen: ${beyond
          .slice(0, 6)
          .map((one) => one.outerHTML.slice(0, 120))
          .join("\n")}`
      );
    });
    check(!over, `${name}-${kind} is ${over}`);
  };
  await shoot("light");
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot("dark");
  await page.emulateMedia({ colorScheme: "light" });
  if (phone) {
    await page.setViewportSize(PHONE);
    await shoot("phone");
    await page.setViewportSize(size);
  }
  await held.now(name);
}

async function axe(page, where) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const found = await page.evaluate(() =>
    window.axe.run(document, { resultTypes: ["violations"] }).then((result) =>
      result.violations.map((one) => ({
        id: one.id,
        impact: one.impact,
        nodes: one.nodes.slice(0, 4).map(
          (node) =>
            `${node.html.slice(0, 200)} ${node.any
              .concat(node.all)
              .map((why) => why.message)
              .join(" / ")}`,
        ),
      })),
    ),
  );
  const bad = found.filter((one) => ["serious", "critical", "moderate"].includes(one.impact));
  check(bad.length === 0, `axe at ${where}: ${JSON.stringify(bad, null, 1)}`);
}

export async function signIn(page, { token = scene.token, at = "" } = {}) {
  await page.goto(`${scene.url}/${at}`);
  await page.getByLabel("API token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Sections" }).waitFor({ state: "attached" });
}

export const heading = (page, name) => page.getByRole("heading", { level: 1, name });
export const field = (page, pointer) => page.locator(`[data-pointer="${pointer}"]`);
export const wrongAt = async (page, pointer) => (await field(page, pointer).locator(".wrong").textContent()).trim();

/** Connections that most flows need. `films`: by role, trusted; `press`: by password. Both ready. */
export async function films(name = "films") {
  const made = await api("POST", "/connections", {
    name,
    type: "aws_iam_role",
    description: "The films of the customer",
    config: { iam_role_arn: scene.role, bucket_name: scene.bucket },
    test_location: `s3://${scene.bucket}/train/fractal.png`,
  });
  await world("trust", { external_id: made.external_id });
  const tested = await api("POST", `/connections/${name}/test`, {});
  check(tested.passed, JSON.stringify(tested));
}

export const basicConfig = () => ({ hostname: "localhost", port: scene.origin_port, username: scene.username, password: scene.password });

export async function press(name = "press") {
  const made = await api("POST", "/connections", {
    name,
    type: "https_basic",
    config: basicConfig(),
    test_location: `https://localhost:${scene.origin_port}/basic/a.txt`,
  });
  check(made.status === "ready", JSON.stringify(made));
}
