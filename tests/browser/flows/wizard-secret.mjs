// A connection with a password: tested when it is saved, edited with the secret kept, disabled, and deleted with its name typed.
import { api, basicConfig, check, field, heading, same, scene, signIn, until, wrongAt } from "../lib.mjs";

export default async ({ page, held, look }) => {
  held.expect(409, 422);
  const { hostname, port, username, password } = basicConfig();
  const location = `https://localhost:${port}/basic/a.txt`;
  const put = (pointer, text) => field(page, pointer).locator("input, textarea").first().fill(text);
  await signIn(page, { at: "#/connections/new/https_basic" });
  await heading(page, "HTTPS with user name and password").waitFor();
  same(
    await field(page, "/config/password").locator("input").first().getAttribute("type"),
    "password",
    "a secret is not shown while it is typed",
  );
  await put("/name", "press");
  await put("/config/hostname", hostname);
  await put("/config/port", String(port));
  await put("/config/username", username);
  await put("/config/password", "not the password");
  await put("/test_location", location);
  // Stored only if it passes, if that is asked for.
  await page.getByLabel("Store it only if it passes its test").check();
  await page.getByRole("button", { name: "Create and test" }).click();
  await page.locator('.problem[data-code="test_failed"]').waitFor();
  await look("not-stored");
  same((await api("GET", "/connections")).items.length, 1, "nothing is stored");
  await page.getByLabel("Store it only if it passes its test").uncheck();
  await page.getByRole("button", { name: "Create and test" }).click();
  await page.locator("main").getByText("its first test failed").waitFor();
  await page.locator(".findings .fail .remedy").first().waitFor();
  await look("failed");

  // Edited: the secret again, and now it works.
  await page.goto(`${scene.url}/#/connections/press/edit`);
  await heading(page, "Edit press").waitFor();
  same(await field(page, "/config/password").locator("input").first().inputValue(), "", "a secret never comes back");
  await put("/config/password", password);
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.locator("main").getByText("Saved, and it passed its test.").waitFor();
  await heading(page, /^press Ready/).waitFor();

  // What is left out stays; another host asks for the secret again, beside its field.
  await page.getByRole("link", { name: "Edit" }).click();
  await heading(page, "Edit press").waitFor();
  await look("edit");
  await put("/description", "Press photos");
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.locator("main").getByText("Saved.", { exact: true }).waitFor();
  const kept = await api("GET", "/connections/press");
  same([kept.description, kept.status, kept.revision], ["Press photos", "ready", 2], "only the description changed");
  await heading(page, /^press/).waitFor();
  await page.goto(`${scene.url}/#/connections/press/edit`);
  await heading(page, "Edit press").waitFor();
  await put("/config/hostname", "elsewhere.example");
  await page.getByRole("button", { name: "Save and test" }).click();
  await until("the secret is asked for again", () => wrongAt(page, "/config/password"));
  await look("again");

  // Somebody else was faster.
  await page.goto(`${scene.url}/#/connections/press`);
  await heading(page, /^press/).waitFor();
  await page.goto(`${scene.url}/#/connections/press/edit`);
  await heading(page, "Edit press").waitFor();
  await api("PATCH", "/connections/press", { description: "Changed meanwhile" });
  await put("/description", "Mine");
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.locator('.problem[data-code="stale_version"]').waitFor();
  await look("stale");
  await page.getByRole("button", { name: "Load what it is now" }).click();
  await until(
    "the other's words",
    async () => (await field(page, "/description").locator("textarea").inputValue()) === "Changed meanwhile",
  );

  await page.goto(`${scene.url}/#/connections/press`);
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
  await heading(page, /^press Disabled/).waitFor();
  same((await api("GET", "/connections/press")).enabled, false, "it is disabled");
  check((await page.getByRole("link", { name: "Ingest" }).count()) === 1, "only the section is left to ingest with");
  await page.getByRole("button", { name: "Enable" }).click();
  await heading(page, /^press Ready/).waitFor();

  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Type press to confirm").fill("pres");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await dialog.getByText("That is not the name.").waitFor();
  await look("delete");
  await dialog.getByLabel("Type press to confirm").fill("press");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.locator("main").getByText("The connection press was deleted.").waitFor();
  await heading(page, "Connections").waitFor();
  same(
    (await api("GET", "/connections")).items.map((one) => one.name),
    ["portcullis"],
    "what is left",
  );
};
