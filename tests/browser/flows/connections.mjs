// The list: the default one first, filters, a test at a press with what was found and what to do, and what a newcomer sees.
import { api, check, films, heading, press, same, scene, signIn, until, world } from "../lib.mjs";

export default async ({ page, look }) => {
  await signIn(page);
  await page.getByRole("heading", { name: "Connect your first storage" }).waitFor();
  await look("first");

  await films();
  await press();
  const untrusted = await api("POST", "/connections", {
    name: "untrusted",
    type: "aws_iam_role",
    config: { iam_role_arn: scene.role, bucket_name: scene.bucket },
  });
  check(untrusted.status === "error", untrusted.status);
  await page.reload();
  const names = () => page.locator("tr[data-name]:visible").evaluateAll((rows) => rows.map((row) => row.dataset.name));
  await until("all are listed", async () => (await names()).length === 4);
  same(await names(), ["portcullis", "films", "press", "untrusted"], "the default one is first");
  await page.locator('tr[data-name="portcullis"]').getByText("default", { exact: true }).waitFor();
  await look("list");

  await page.getByLabel("Find").fill("customer");
  same(await names(), ["films"], "found by its description");
  await page.getByLabel("Find").fill("");
  await page.getByLabel("Status").selectOption("error");
  await until("one failed", async () => (await names()).join() === "untrusted");
  await page.getByLabel("Type").selectOption("https_basic");
  await page.getByRole("heading", { name: "No connection fits" }).waitFor();
  await look("none");
  await page.getByRole("button", { name: "Show all" }).click();
  await until("all again", async () => (await names()).length === 4);

  // Every finding with its code, and what to do.
  await page.getByRole("button", { name: "Test untrusted" }).click();
  const detail = page.locator("tr.detail");
  await detail.getByText("What to do:").first().waitFor();
  check((await detail.locator(".fail code").first().textContent()).match(/^[a-z_]+$/), "the code of what failed");
  await look("findings");
  await world("trust", { external_id: untrusted.external_id });
  await page.getByRole("button", { name: "Test untrusted" }).click();
  await until(
    "it is ready",
    async () => (await page.locator('tr[data-name="untrusted"] [data-state]').getAttribute("data-state")) === "ready",
  );
  await until("nothing failed", async () => (await detail.locator(".fail").count()) === 0 && (await detail.locator(".pass").count()) > 3);

  await page.getByRole("link", { name: "films", exact: true }).click();
  await heading(page, /^films/).waitFor();
  await page.locator("details.setup summary").click();
  await page.locator("main").getByText("sts:ExternalId").first().waitFor();
  await look("one");
  await page.getByLabel("Test at another place").fill(`s3://${scene.bucket}/none.jpg`);
  await page.locator("section.test").getByRole("button", { name: "Test" }).click();
  await until("it was not found", async () => (await page.locator("section.test .fail").count()) > 0);
  await page.locator("main").getByText("Error", { exact: true }).waitFor();
};
