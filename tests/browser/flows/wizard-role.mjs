// A new connection by role, in two steps: the external id is there before the role is. Every document can be copied; errors are beside their fields.
import { api, check, field, heading, same, scene, signIn, until, world, wrongAt } from "../lib.mjs";

export default async ({ page, held, look }) => {
  held.expect(422, 409);
  await signIn(page, { at: "#/connections" });
  await page.getByRole("link", { name: "New connection" }).first().click();
  await heading(page, "New connection").waitFor();
  await look("catalogue");
  await page.locator('[data-type="aws_iam_role"]').click();
  await heading(page, "AWS IAM role").waitFor();
  await look("form");

  // Drawn from the schema: its types, limits, choices and defaults.
  same(await field(page, "/config/scope").locator("option").allTextContents(), ["s3", "bedrock"], "the choices of an enum");
  check(
    (await field(page, "/config/session_ttl").locator(".hint").textContent()).includes("60 to 3600; 3600 unless given"),
    "limits and default are told",
  );
  check(
    (await field(page, "/config/iam_role_arn").locator("input").first().getAttribute("aria-required")) === "true",
    "what is required is marked",
  );

  await field(page, "/name").locator("input").first().fill("Not A Name");
  await field(page, "/config/session_ttl").locator("input").first().fill("12");
  await field(page, "/config/iam_role_arn").locator("input").first().fill("nonsense");
  await page.getByRole("button", { name: "Create and test" }).click();
  await until(
    "each field has its error",
    async () => (await wrongAt(page, "/name")) && (await field(page, "/name").locator("input").first().getAttribute("aria-invalid")),
  );
  const first = await wrongAt(page, "/name");
  await look("wrong");
  check(first.length > 10, first);
  check(
    await field(page, "/name")
      .locator("input")
      .first()
      .evaluate((one) => one === document.activeElement),
    "the first wrong field has the focus",
  );
  await field(page, "/name").locator("input").first().fill("films");
  await page.getByRole("button", { name: "Create and test" }).click();
  await until(
    "the settings' errors",
    async () => (await wrongAt(page, "/config/session_ttl")) && (await wrongAt(page, "/config/iam_role_arn")),
  );
  same(await wrongAt(page, "/name"), "", "what is right has no error");
  await field(page, "/config/session_ttl").locator("input").first().fill("900");

  // First step: reserve.
  await page.getByLabel("I have no role yet").check();
  await field(page, "/config/bucket_name").locator("input").first().fill(scene.bucket);
  await page.getByRole("button", { name: "Reserve, and show me the external id" }).click();
  await heading(page, "Set up films").waitFor();
  const made = await api("GET", "/connections/films");
  await page.getByRole("button", { name: "Copy external id" }).click();
  same(await page.evaluate(() => navigator.clipboard.readText()), made.external_id, "the external id that is copied");
  await page.getByRole("button", { name: "Copy Trust policy" }).click();
  const trust = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  same(trust.Statement[0].Condition.StringEquals["sts:ExternalId"], made.external_id, "the trust policy asks for it");
  await look("reserved");
  await page.reload();
  await page.getByRole("heading", { name: "When the role is there" }).waitFor();

  // Second step: the role, wrong at first.
  await field(page, "/config/iam_role_arn").locator("input").first().fill("arn:aws:iam::1:role/x");
  await page.getByRole("button", { name: "Save and test" }).click();
  await until("its error", () => wrongAt(page, "/config/iam_role_arn"));
  await world("trust", { external_id: made.external_id });
  await field(page, "/config/iam_role_arn").locator("input").first().fill(scene.role);
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.locator("main").getByText("The role works: the connection is ready.").waitFor();
  await heading(page, /^films Ready/).waitFor();
  await page.locator("section.test .pass").first().waitFor();
  same((await api("GET", "/connections/films")).config.session_ttl, 900, "a number arrived as one");
  await look("ready");

  // The same name again.
  await page.goto(`${scene.url}/#/connections/new/aws_iam_role`);
  await field(page, "/name").locator("input").first().fill("films");
  await field(page, "/config/iam_role_arn").locator("input").first().fill(scene.role);
  await field(page, "/config/bucket_name").locator("input").first().fill(scene.bucket);
  await page.getByRole("button", { name: "Create and test" }).click();
  await until("the name is taken", async () =>
    (await page.locator(".problem, .wrong:not(:empty)").allTextContents()).join(" ").includes("name"),
  );
  await look("taken");
};
