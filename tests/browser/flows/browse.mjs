// Folders and objects through a connection: an image, a video, a text; what is not of an allowed type is not shown; a bucket where none is fixed.
import { readFileSync } from "node:fs";
import { check, films, heading, press, same, scene, signIn, until } from "../lib.mjs";

export default async ({ page, held, look }) => {
  held.expect(400, 404, 403, 502, 422);
  await films();
  await press();
  await signIn(page, { at: "#/browse/films" });
  await heading(page, "Browse").waitFor();
  await page.getByRole("link", { name: "train/" }).waitFor();
  await look("top");
  await page.getByRole("link", { name: "train/" }).click();
  const row = (name) => page.locator(`tr[data-path="s3://${scene.bucket}/train/${name}"]`);
  await row("fractal.png").waitFor();

  const preview = page.getByRole("complementary", { name: "Preview" });
  await row("fractal.png").getByRole("button").first().click();
  await until("the image is there", () =>
    preview.locator("img").evaluate((one) => one.complete && one.naturalWidth > 10 && one.src.startsWith("blob:")),
  );
  await look("image");
  await row("pattern.mp4").getByRole("button").first().click();
  await until("the video is there", () => preview.locator("video").evaluate((one) => one.readyState >= 1 && one.videoWidth > 10));
  await look("video");
  await row("orbits.csv").getByRole("button").first().click();
  await until("the text is there", async () => (await preview.locator("pre").textContent()).includes(","));

  // A script's own formats are never rendered, whatever they are called.
  for (const name of ["drawing.svg", "page.html"]) {
    await row(name).getByRole("button").first().click();
    await preview.getByText("This type is not shown here").waitFor();
    same(await preview.locator("img, iframe, object, embed, video").count(), 0, `${name} is not rendered`);
  }
  await row("no-image.png").getByRole("button").first().click();
  await preview.getByText("The bytes are no image that this browser can show.").waitFor();
  await row("empty.txt").getByRole("button").first().click();
  await preview.getByText("It is empty.").waitFor();

  await row("fractal.png").getByRole("button").first().click();
  const [download] = await Promise.all([page.waitForEvent("download"), preview.getByRole("button", { name: "Download" }).click()]);
  same(download.suggestedFilename(), "fractal.png", "its name");
  check(readFileSync(await download.path()).equals(readFileSync(scene.image)), "its bytes");

  // A link for somebody without a token.
  await preview.getByRole("button", { name: "Copy link" }).click();
  await preview.getByRole("button", { name: "Copied link" }).waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  check(link.startsWith(`${scene.url}/s?token=`), link);
  const opened = await fetch(link);
  same([opened.status, opened.headers.get("content-length")], [200, String(readFileSync(scene.image).length)], "the link opens it");
  await look("link");
  await preview.getByRole("button", { name: "Close" }).click();

  await row("fractal.png").getByRole("checkbox").check();
  await row("life.jpg").getByRole("checkbox").check();
  await page.getByRole("button", { name: "Ingest them" }).click();
  await heading(page, "Ingest").waitFor();
  same(
    await page.getByLabel("Source paths").inputValue(),
    ["fractal.png", "life.jpg"].map((name) => `s3://${scene.bucket}/train/${name}`).join("\n"),
    "the paths came along",
  );
  same(await page.getByLabel("Connection").inputValue(), "films", "and the connection");

  // A path outside is refused with its reason.
  await page.goto(`${scene.url}/#/browse/films`);
  await page.getByLabel("A source path").fill("s3://somebody-else/x.png");
  await page.getByRole("button", { name: "Look at it" }).click();
  await preview.locator('.problem[data-code="scope_violation"]').waitFor();
  await look("refused");

  await page.goto(`${scene.url}/#/browse/press`);
  await page.getByRole("heading", { name: "This kind of storage has no listing" }).waitFor();
  await page.getByLabel("A source path").fill(`https://localhost:${scene.origin_port}/basic/a.txt`);
  await page.getByRole("button", { name: "Look at it" }).click();
  await until("its text", async () => (await preview.locator("pre").textContent()) === "basic a");
  await look("unlisted");

  await page.goto(`${scene.url}/#/browse/portcullis`);
  await page.getByRole("heading", { name: "Which bucket?" }).waitFor();
  await look("which");
};
