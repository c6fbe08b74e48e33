// What others wrote is text: markup in descriptions, keys, token names, plugins and a remote's words is inert; what cannot be seen is spelled out.
import { readFileSync } from "node:fs";
import { api, check, films, heading, same, scene, signIn, until } from "../lib.mjs";

const MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
const PLUGIN = "<img src=x onerror=a()> x";
const TURNED = "gpj.\u202Ecat\u200B.png";

export default async ({ page, held, look }) => {
  held.expect(404);
  await films();
  await api("PATCH", "/connections/films", { description: `${MARKUP} ${TURNED}` });
  await api("POST", "/tokens", { name: `${MARKUP}${TURNED}`, role: "member" });
  await signIn(page);
  const described = page.locator('tr[data-name="films"]');
  await described.waitFor();
  const text = await described.textContent();
  check(text.includes(MARKUP), "markup is shown as it is");
  check(text.includes("U+202E") && text.includes("U+200B") && !/[\u202E\u200B]/.test(text), "what cannot be seen is spelled out");
  await look("list");

  await page.goto(`${scene.url}/#/connections/films`);
  await heading(page, /^films/).waitFor();
  await page.goto(`${scene.url}/#/tokens`);
  await page.locator("tr[data-token]", { hasText: "U+202E" }).waitFor();
  await page.getByRole("button", { name: /^Revoke <img/ }).click();
  await page.getByRole("dialog").getByText("U+202E").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await look("tokens");

  // A connector's own words, before and after it is installed.
  await page.goto(`${scene.url}/#/plugins`);
  await page.getByLabel("Drop a connector's .wasm here, or choose it").setInputFiles(scene.hostile);
  const dialog = page.getByRole("dialog");
  await dialog.getByText(PLUGIN).waitFor();
  await dialog.getByRole("button", { name: "Grant and activate" }).click();
  await page.locator('[data-plugin="evil_plugins"]').getByText(PLUGIN).waitFor();
  await look("plugin");
  await page.goto(`${scene.url}/#/connections/new/evil_plugins`);
  await heading(page, PLUGIN).waitFor();

  // Keys that a careless page loses or obeys.
  await page.goto(`${scene.url}/#/browse/films?prefix=odd%2F`);
  await until("all odd keys", async () => (await page.locator("main table tbody tr").count()) >= 10);
  const keys = await page.locator("main table tbody").textContent();
  check(keys.includes("U+202E") && keys.includes('<img src=x onerror="alert(1)">'), keys);
  await look("keys");
  for (const name of scene.odd) {
    await page
      .locator(`tr[data-path=${JSON.stringify(`s3://${scene.bucket}/odd/${name}`)}]`)
      .getByRole("button")
      .first()
      .click();
    const preview = page.getByRole("complementary", { name: "Preview" });
    const [download] = await Promise.all([page.waitForEvent("download"), preview.getByRole("button", { name: "Download" }).click()]);
    same(readFileSync(await download.path(), "utf8"), `odd/${name}`, "exactly that object");
    await preview.getByRole("button", { name: "Close" }).click();
  }

  // The words of a job's errors name the path.
  await page.goto(`${scene.url}/#/ingest?connection=films`);
  await page.getByLabel("Dataset").fill("odd");
  await page.getByLabel("Source paths").fill(`s3://${scene.bucket}/${MARKUP}\ns3://${scene.bucket}/${TURNED}`);
  await page.getByRole("button", { name: "Ingest", exact: true }).click();
  await until("both failed", async () => (await page.locator("tr[data-status=error]").count()) === 2);
  check((await page.locator("tr[data-status=error]").allTextContents()).join().includes("U+202E"), "spelled out here, too");
  await look("job");
  same(
    await page.evaluate(() => [...document.querySelectorAll("main img, main script, main iframe")].length),
    0,
    "nothing of it became an element",
  );
  check(!held.wrong.length, held.wrong.join());
};
