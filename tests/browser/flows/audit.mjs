// What was done with a credential, and by whom, is read and narrowed; what is not there is said.
import { api, check, films, heading, scene, signIn, until } from "../lib.mjs";

export default async ({ page, held, look }) => {
  held.expect(404, 400);
  await films();
  const member = await api("POST", "/tokens", { name: "a reader", role: "member" });
  const source = `s3://${scene.bucket}/train/fractal.png`;
  const read = await fetch(`${scene.url}/api/v1/objects?connection=films&source_path=${encodeURIComponent(source)}`, {
    headers: { authorization: `Bearer ${member.token}` },
  });
  check(read.status === 200, "it is read");
  await read.arrayBuffer();
  await signIn(page, { at: "#/audit" });
  await heading(page, "Audit").waitFor();
  const rows = page.locator("tr[data-verb]");
  await page.locator('tr[data-verb="fetch"]').waitFor();
  await page.locator('tr[data-verb="started"]').waitFor();
  const text = await page.locator('tr[data-verb="fetch"]').textContent();
  check(text.includes(scene.bucket) && text.includes("train/fractal.png") && text.includes(member.token_id.slice(0, 8)), "who read what where");
  await look("all");

  const only = (verb) => until(`only ${verb}`, async () => {
    const verbs = await rows.evaluateAll((all) => all.map((one) => one.dataset.verb));
    return verbs.length > 0 && verbs.every((one) => one === verb);
  });
  await page.getByLabel("What", { exact: true }).selectOption("fetch");
  await page.getByLabel("Connection").fill("films");
  await page.getByRole("button", { name: "Show" }).click();
  await only("fetch");
  await look("fetched");
  await page.getByLabel("What", { exact: true }).selectOption("create");
  await page.getByRole("button", { name: "Show" }).click();
  await only("create");
  await page.getByLabel("Who").fill("gateway");
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator("main").getByText("No use of a credential and no change fits").waitFor();
  await look("none");

  // Pages that hold nothing are passed over, a few at a time.
  const pages = "**/api/v1/audit?**";
  let asked = 0;
  await page.route(pages, (route) => {
    asked += 1;
    return route.fulfill({ json: { items: [], next_cursor: asked < 7 ? `after-${asked}` : null } });
  });
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator("main").getByText("Nothing that fits so far").waitFor();
  check(asked === 5, `${asked} pages are passed over`);
  await look("later");
  await page.getByRole("button", { name: "Load more" }).click();
  await page.locator("main").getByText("No use of a credential and no change fits").waitFor();
  check(asked === 7, `${asked} pages to the end`);
  await page.unroute(pages);
  await page.getByLabel("Connection").fill("nobody");
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator('.problem[data-code="connection_not_found"]').waitFor();
  await page.getByLabel("Connection").fill("");
  await page.getByLabel("Who").fill("somebody");
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator('.problem[data-code="invalid_parameter"]').waitFor();
  await look("wrong");
};
