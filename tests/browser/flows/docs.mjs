// The API's document as a page: no token, searched, with fields, answers and commands; a command that was copied runs as it is.
import { execFileSync } from "node:child_process";
import { check, films, heading, same, scene, until } from "../lib.mjs";

const MOST_BYTES = 100_000;

export default async ({ page, context, look }) => {
  await page.goto(`${scene.url}/docs`);
  await heading(page, /^API/).waitFor();
  const own = await page.evaluate(() =>
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .filter((one) => !one.name.endsWith("openapi.json"))
      .reduce((sum, one) => sum + one.transferSize, 0),
  );
  check(own > 10_000 && own <= MOST_BYTES, `${own} bytes of its own are transferred`);
  const document = await (await fetch(`${scene.url}/api/v1/openapi.json`)).json();
  const all = Object.entries(document.paths)
    .filter(([path]) => !path.startsWith("/api/v0/"))
    .flatMap(([, methods]) => Object.values(methods).map((one) => one.operationId));
  const operations = page.locator("details.operation:not([id^=problem-])");
  same((await operations.evaluateAll((them) => them.map((one) => one.id))).sort(), all.sort(), "each operation is there");
  await look("all");

  // Every word must be in it: in the path, the words about it, or a field's name.
  const search = page.getByLabel("Search");
  const found = () => operations.evaluateAll((them) => them.filter((one) => one.checkVisibility()).map((one) => one.id));
  await search.fill("retry JOB");
  await until("one is found", async () => (await found()).includes("retry_job"));
  check((await found()).length < 6, `${await found()}`);
  await look("found");
  await search.fill("quartz zebra");
  await page.getByText("Nothing has all of these words.").waitFor();
  same(await found(), [], "nothing is found");
  await search.fill("");

  // A body that is one of several shows the one that is chosen.
  await page.locator("#create_connection > summary").click();
  const create = page.locator("#create_connection");
  await create.getByLabel("Connector").selectOption("https_basic");
  const command = create.getByRole("region", { name: "Command" });
  check((await command.textContent()).includes('"type": "https_basic"'), await command.textContent());
  await create.locator(".fields code", { hasText: /^password$/ }).waitFor();
  check((await create.textContent()).includes("secret: never shown again"), "secrets are marked");
  await look("operation");

  // What is copied runs as it is; it is an example of what there is here.
  await films("my_s3_connection");
  await page.locator("#get_connection > summary").click();
  await page.locator("#get_connection").getByRole("button", { name: "Copy Command" }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const environment = { ...process.env, PORTCULLIS_URL: scene.url, PORTCULLIS_TOKEN: scene.token };
  const answer = JSON.parse(execFileSync("bash", ["-c", copied], { env: environment, encoding: "utf8" }));
  same(answer.name, "my_s3_connection", `${copied} answers`);

  // A link leads to one operation, and from it to its problems.
  const other = await context.newPage();
  await other.goto(`${scene.url}/docs#read_object`);
  await other.locator("#read_object[open]").waitFor();
  await other.locator("#read_object").getByRole("link", { name: "404", exact: true }).click();
  await other.locator("#problem-404[open]").getByText("connection_not_found", { exact: false }).first().waitFor();
  await other.close();
};
