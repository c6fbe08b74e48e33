// A token is made and shown once, works, and is refused at once when it is revoked.
import { api, check, heading, same, scene, signIn, until, wrongAt } from "../lib.mjs";

export default async ({ page, held, look }) => {
  held.expect(401, 422, 409);
  await signIn(page, { at: "#/tokens" });
  await heading(page, "Tokens").waitFor();
  await page.locator("main").getByText("this one").waitFor();
  await page.getByRole("button", { name: "Make a token" }).click();
  await until("a name is needed", () => wrongAt(page, "/name"));
  await page.getByLabel("Name").fill("pipeline");
  await page.getByLabel("Role").selectOption("member");
  await page.getByLabel("Expires").selectOption("30");
  await look("form");
  await page.getByRole("button", { name: "Make a token" }).click();
  const dialog = page.getByRole("dialog");
  const text = await dialog.locator(".minted").textContent();
  check(/^pct_[A-Za-z0-9]{43}$/.test(text), "the token is shown");
  await dialog.getByRole("button", { name: "Copy token" }).click();
  same(await page.evaluate(() => navigator.clipboard.readText()), text, "what is copied");
  same((await api("GET", "/whoami", undefined, text)).role, "member", "it works");
  await look("once");
  await dialog.getByRole("button", { name: "I have it" }).click();
  const row = page.locator("tr[data-token]", { hasText: "pipeline" });
  await row.waitFor();
  check(!(await page.content()).includes(text), "it is not shown again");
  await row.getByRole("button", { name: "Revoke pipeline" }).click();
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await page.locator("main").getByText("The token pipeline is revoked.").waitFor();
  same(
    await api("GET", "/whoami", undefined, text).then(
      () => "taken",
      (error) => error.message.includes("401"),
    ),
    true,
    "it is refused",
  );
  await look("revoked");

  // The last one that can manage stays.
  await page.getByRole("button", { name: "Revoke bootstrap" }).click();
  await dialog.getByText("you will have to sign in with another").waitFor();
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await page.locator('.problem[data-code="last_admin"]').waitFor();
  await look("last");
};
