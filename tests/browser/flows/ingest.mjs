// Paths in, a job that is followed while it runs, each asset's outcome, errors apart, and the failed ones again.
import { api, check, field, films, heading, press, same, scene, signIn, until, world, wrongAt } from "../lib.mjs";

export default async ({ page, held, look }) => {
  held.expect(422);
  await signIn(page, { at: "#/ingest" });
  await page.getByRole("heading", { name: "Nothing was ingested yet" }).waitFor();
  await films();
  await press();
  await page.reload();
  await page.getByLabel("Dataset").waitFor();
  await look("empty");

  // Errors are beside their fields, with the line.
  const paths = page.getByLabel("Source paths");
  await paths.fill(`s3://${scene.bucket}/train/fractal.png\n\n${"x".repeat(4097)}\n`);
  await page.getByLabel("Dataset").fill("../cats");
  await page.getByRole("button", { name: "Ingest", exact: true }).click();
  await until("the dataset's", () => wrongAt(page, "/dataset_id"));
  check((await wrongAt(page, "/assets")).startsWith("Line 3:"), await wrongAt(page, "/assets"));
  await look("wrong");
  await page.getByLabel("Dataset").fill("cats");
  await page.getByLabel("Connection").selectOption("films");
  await page.getByLabel("Metadata").fill("label=winter\nbroken");
  await page.getByRole("button", { name: "Ingest", exact: true }).click();
  await until("the metadata's", () => wrongAt(page, "/metadata"));

  // Slowly, to be watched.
  await page.getByLabel("Connection").selectOption("press");
  await page.getByLabel("Metadata").fill("label=winter");
  const at = (name) => `https://localhost:${scene.origin_port}/basic/${name}`;
  const sources = [
    at("a.txt"),
    ...Array.from({ length: 40 }, (_, index) => at(`many/${index}.txt`)),
    at("none.txt"),
    "https://elsewhere.example/x.txt",
  ];
  await paths.fill(sources.join("\n"));
  await page.locator("main").getByText("43 assets").waitFor();
  await world("slow", { requests: 12, milliseconds: 700 });
  await page.getByRole("button", { name: "Ingest", exact: true }).click();
  await heading(page, /^Into cats/).waitFor();
  const progress = page.getByRole("progressbar", { name: "Progress" });
  const seen = new Set();
  await until("it is over", async () => {
    seen.add(await progress.evaluate((one) => one.value));
    return (await page.locator("main h1 [data-state]").getAttribute("data-state")) === "completed";
  });
  check(seen.size >= 2, `progress was seen: ${[...seen]}`);

  // Errors first; then all.
  await until(
    "only errors",
    async () =>
      (await page.locator("tr[data-status]").evaluateAll((rows) => rows.map((row) => row.dataset.status))).join() === "error,error",
  );
  same(await page.getByRole("button", { name: "Errors" }).getAttribute("aria-pressed"), "true", "the filter says so");
  const text = await page.locator("tr[data-status=error]").allTextContents();
  check(
    (text[0].includes("file_not_found") && text[1].includes("scope_violation")) || text.join().includes("file_not_found"),
    text.join("\n"),
  );
  await look("errors");
  await page.getByRole("button", { name: "Completed" }).click();
  await until("41 completed", async () => (await page.locator("tr[data-status=completed]").count()) === 41);
  await look("done", { phone: false });

  await world("put", { path: "/basic/none.txt" });
  await page.getByRole("button", { name: "Try the 2 failed ones again" }).click();
  await until(
    "the second job",
    async () =>
      (await page.locator("main h1 [data-state]").getAttribute("data-state")) === "completed" &&
      (await progress.evaluate((one) => one.max)) === 2,
  );
  await until("one is left", async () => (await page.locator("tr[data-status=error]").count()) === 1);
  await page.getByRole("link", { name: "Ingest" }).first().click();
  await until("two jobs", async () => (await page.locator("tr[data-job]").count()) === 2);
  await look("jobs");
  const [job] = (await api("GET", "/ingestion/jobs")).items;
  const items = await api("GET", `/ingestion/jobs/${job.job_id}/assets`);
  same(items.items[0].metadata, { label: "winter" }, "the metadata came along");
  await field(page, "/assets").waitFor();
};
