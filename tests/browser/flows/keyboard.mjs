// Without a mouse: sign in, skip to the content, test, make a connection's form go wrong, type a name to delete. Focus is where it is needed.
import { api, check, films, heading, same, scene, until } from "../lib.mjs";

export default async ({ page, held }) => {
  held.expect(422, 401);
  await films();
  const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
  const focused = () =>
    page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "");
  async function tabTo(text, key = "Tab") {
    for (let step = 0; step < 60; step++) {
      await press(key);
      if ((await focused()).trim() === text) return;
    }
    throw new Error(`Tab never came to ${text}`);
  }
  await page.goto(scene.url);
  await page.getByLabel("API token").waitFor();
  await page.keyboard.type(scene.token);
  await press("Enter");
  await heading(page, "Connections").waitFor();
  same(await focused(), "Connections", "the heading is read first");

  await page.reload();
  await heading(page, "Connections").waitFor();
  await press("Tab");
  same(await focused(), "Skip to the content", "first of all");
  const outlined = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  same(outlined, "solid", "the focus can be seen");
  await press("Enter");
  same(await page.evaluate(() => document.activeElement.id), "main", "the content");
  await tabTo("Test films");
  await press("Enter");
  await until("what it found", async () => (await page.locator("tr.detail .pass").count()) > 3);
  same(await focused(), "Test films", "the focus stays");
  await until("it is told", async () => (await page.locator("#say").textContent()).includes("every check passed"));

  await page.goto(`${scene.url}/#/connections/films`);
  await heading(page, /^films/).waitFor();
  await tabTo("Delete");
  await press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  check(
    await dialog.evaluate((one) => one.contains(document.activeElement) && document.activeElement.tagName === "INPUT"),
    "the focus is in the dialog",
  );
  await press("Escape");
  await until("it is closed", async () => (await dialog.count()) === 0);
  same(await focused(), "Delete", "the focus is back");
  await until("the answer was taken", async () => (await page.locator("[aria-busy=true]").count()) === 0);
  await press("Enter");
  await dialog.waitFor();
  await page.keyboard.type("films");
  await press("Enter");
  await page.locator("main").getByText("The connection films was deleted.").waitFor();
  same((await api("GET", "/connections")).items.length, 1, "it is deleted");
};
