// What somebody may not do is not shown to them; what they type into the address leads nowhere.
import { api, check, films, heading, same, scene, signIn, until } from "../lib.mjs";

const sections = (page) => page.getByRole("navigation", { name: "Sections" }).getByRole("link").allTextContents();

export default async ({ page, look }) => {
  await films();
  const member = await api("POST", "/tokens", { name: "a member", role: "member" });
  const admin = await api("POST", "/tokens", { name: "an admin", role: "admin" });
  await signIn(page, { token: member.token });
  await page.locator('tr[data-name="films"]').waitFor();
  same(await sections(page), ["Connections", "Browse", "Ingest", "Plugins", "About"], "a member's sections");
  const buttons = () => page.locator("main").getByRole("button").allTextContents();
  same(await buttons(), [], "a member neither tests nor makes");
  same(await page.getByRole("link", { name: "New connection" }).count(), 0, "nor begins");
  await look("member");
  await page.getByRole("link", { name: "films", exact: true }).click();
  await heading(page, /^films/).waitFor();
  check(!(await buttons()).some((text) => /Test|Edit|Disable|Delete/.test(text)), "nor changes");
  same(await page.locator("details.setup").count(), 0, "the setup is the admins'");
  await look("member-one");
  for (const at of ["connections/new", "connections/films/edit", "connections/films/setup", "tokens", "audit"]) {
    await page.goto(`${scene.url}/#/${at}`);
    await heading(page, "There is nothing here").waitFor();
  }
  await page.goto(`${scene.url}/#/plugins`);
  await page.locator('[data-plugin="https_basic"]').waitFor();
  same([await page.locator(".drop").count(), (await buttons()).length], [0, 0], "plugins are looked at");
  await page.goto(`${scene.url}/#/browse/films`);
  await page.getByRole("link", { name: "train/" }).waitFor();
  await page.goto(`${scene.url}/#/ingest`);
  await page.getByLabel("Source paths").waitFor();
  await page.goto(`${scene.url}/#/about`);
  await page.locator("main").getByText("Portcullis 0.").waitFor();
  await look("about");

  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, { token: admin.token });
  same(await sections(page), ["Connections", "Browse", "Ingest", "Plugins", "Audit", "Tokens", "About"], "an admin's sections");
  await page.goto(`${scene.url}/#/tokens`);
  await page.getByLabel("Role").waitFor();
  same((await page.getByLabel("Role").locator("option").allTextContents()).length, 2, "no admin makes an operator");
  await page.goto(`${scene.url}/#/plugins`);
  await page.locator('[data-plugin="https_basic"]').waitFor();
  same(await page.locator(".drop").count(), 0, "plugins are the operators'");
  await page.goto(`${scene.url}/#/connections/portcullis`);
  await heading(page, /^portcullis/).waitFor();
  await until("it can be tested", async () => (await buttons()).includes("Test"));
  check(
    !(await buttons()).some((text) => /Disable|Delete/.test(text)) && (await page.getByRole("link", { name: "Edit" }).count()) === 0,
    "the default one is neither changed nor deleted",
  );
  await look("default");
};
