// A connector is dropped in, granted what it asks for, used, replaced, rolled back and removed; what is no component is refused.
import { readFileSync } from "node:fs";
import { api, check, field, heading, same, scene, signIn, until } from "../lib.mjs";

export default async ({ page, held, look }) => {
  held.expect(422, 409, 400);
  await signIn(page, { at: "#/plugins" });
  await page.locator('[data-plugin="https_basic"]').waitFor();
  check(
    (await page.locator('[data-plugin="https_basic"]').textContent()).includes("https://{settings.hostname}"),
    "what it may reach is shown",
  );
  await look("built-in");

  /** As by hand: a file that is let go over the page. */
  async function drop(path) {
    const data = await page.evaluateHandle((bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(
        new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], "connector.wasm", { type: "application/wasm" }),
      );
      return transfer;
    }, readFileSync(path).toString("base64"));
    await page.locator(".drop").dispatchEvent("drop", { dataTransfer: data });
  }
  await page
    .getByLabel("Drop a connector's .wasm here, or choose it")
    .setInputFiles({ name: "x.wasm", mimeType: "application/wasm", buffer: Buffer.from("no component") });
  await page.locator(".drop .problem").waitFor();
  await look("refused");

  await drop(scene.first);
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("heading", { name: /^Grant files_bearer/ }).waitFor();
  await dialog.getByText("Small HTTP requests").waitFor();
  await look("grant");
  await dialog.getByRole("button", { name: "Leave it as it is" }).click();
  const card = page.locator('[data-plugin="files_bearer"]');
  await card.getByText("Waits for a grant").first().waitFor();
  same(
    (await api("GET", "/connectors")).items.some((one) => one.id === "files_bearer"),
    false,
    "it runs for nobody",
  );
  await card.getByRole("button", { name: "Review and grant" }).first().click();
  await dialog.getByRole("button", { name: "Grant and activate" }).click();
  await page.locator("main").getByText("is active: new connections can be made with it").waitFor();

  // Its form is there at once.
  await page.goto(`${scene.url}/#/connections/new`);
  await page.locator('[data-type="files_bearer"]').click();
  await field(page, "/config/bearer_token").waitFor();
  same(await field(page, "/config/bearer_token").locator("input").first().getAttribute("type"), "password", "its secret");
  await field(page, "/name").locator("input").first().fill("fifth");
  await field(page, "/config/hostname").locator("input").first().fill("localhost");
  await field(page, "/config/port").locator("input").first().fill(String(scene.origin_port));
  await field(page, "/config/bearer_token").locator("input").first().fill(scene.bearer);
  await field(page, "/test_location").locator("input").first().fill(`https://localhost:${scene.origin_port}/bearer/a.txt`);
  await page.getByRole("button", { name: "Create and test" }).click();
  await heading(page, /^fifth Ready/).waitFor();

  // Another version asks for nothing new; the connection stays where it is until it is moved.
  await page.goto(`${scene.url}/#/plugins`);
  await card.waitFor();
  await drop(scene.second);
  await dialog.getByText("It asks for nothing new.").waitFor();
  await look("upgrade");
  await dialog.getByRole("button", { name: "Activate" }).click();
  await until(
    "two versions",
    async () => (await card.locator("tr[data-digest]").count()) === 2 && (await card.locator('[data-state="granted"]').count()) === 1,
  );
  await page.goto(`${scene.url}/#/connections/fifth`);
  await page.getByRole("button", { name: "Move it" }).click();
  await page.locator("main").getByText("It was moved to version").waitFor();

  // One that would reach somebody else says so, and is marked.
  await page.goto(`${scene.url}/#/plugins`);
  await card.waitFor();
  await drop(scene.greedy);
  await dialog.getByText("It asks for more than the active version").waitFor();
  check((await dialog.locator(".powers .new").count()) === 1, "what is new is marked");
  await look("greedy");
  await dialog.getByRole("button", { name: "Leave it as it is" }).click();
  await until("three versions", async () => (await card.locator("tr[data-digest]").count()) === 3);

  // Back to the first, and away with all: not while a connection needs one.
  await card.getByRole("button", { name: /^Activate/ }).click();
  await page.locator("main").getByText("Connections stay on theirs until they are moved.").waitFor();
  await look("versions");
  await page.getByRole("button", { name: "Remove files_bearer" }).click();
  await dialog.getByLabel("Type files_bearer to confirm").fill("files_bearer");
  await dialog.getByRole("button", { name: "Remove" }).click();
  await page.locator('.problem[data-code="plugin_in_use"]').waitFor();
  await api("DELETE", "/connections/fifth");
  await page.getByRole("button", { name: "Remove files_bearer" }).click();
  await dialog.getByLabel("Type files_bearer to confirm").fill("files_bearer");
  await dialog.getByRole("button", { name: "Remove" }).click();
  await page.locator("main").getByText("files_bearer was removed.").waitFor();
  same(await card.count(), 0, "it is gone");

  // One that keeps failing is left alone, and says for whom and why.
  const bearer = { authorization: `Bearer ${scene.token}` };
  const uploaded = await fetch(`${scene.url}/api/v1/plugins`, {
    method: "POST",
    headers: { ...bearer, "content-type": "application/wasm" },
    body: readFileSync(scene.failing),
  });
  const { digest, imports, egress } = await uploaded.json();
  await api("POST", "/plugins/hostile/grant", { digest, capabilities: imports, egress });
  const config = { hostname: "localhost", port: scene.origin_port, token: scene.bearer, mode: "trap", on: "locate" };
  same((await api("POST", "/connections", { name: "failing", type: "hostile", config })).status, "ready", "it fails later");
  const read = `${scene.url}/api/v1/objects?connection=failing&source_path=${encodeURIComponent(`https://localhost:${scene.origin_port}/basic/a.txt`)}`;
  for (let time = 0; time < 5; time++) same((await fetch(read, { headers: bearer })).status, 502, "it traps");
  await page.goto(`${scene.url}/#/about`);
  await page.goto(`${scene.url}/#/plugins`);
  const suspended = page.locator('[data-plugin="hostile"] [data-suspended="default"]');
  await suspended.waitFor();
  check((await suspended.textContent()).includes("plugin_trap"), "what it failed with is shown");
  await look("suspended");
};
