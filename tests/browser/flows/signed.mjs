// Signed URLs in a page of another origin: shown, read in parts, asked for again, refused with a reason. And none of them is a script of ours.
import { createServer } from "node:http";
import { api, check, films, same, scene, signIn, until } from "../lib.mjs";

const sign = async (name, body = {}) => (await api("POST", "/connections/films/sign", { source_path: `s3://${scene.bucket}/train/${name}`, ...body })).url;

export default async ({ page, context, held }) => {
  held.expect(404);
  await films();
  const other = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Another</title>"));
  await new Promise((then) => other.listen(0, "127.0.0.1", then));
  try {
    await elsewhere(await context.newPage(), `http://127.0.0.1:${other.address().port}`);
  } finally {
    other.close();
  }

  // On our own page, whose policy lets scripts of this origin run.
  const script = await sign("script.js");
  same(new URL(script).origin, scene.url, "the URL's origin is ours");
  await signIn(page);
  const ran = await page.evaluate((src) => import(src).then(() => "it ran", () => "it did not run"), script);
  same([ran, await page.evaluate(() => window.evil)], ["it did not run", undefined], "a customer's script");
  held.wrong.length = 0; // What the browser says of that script.
};

async function elsewhere(page, origin) {
  await page.goto(origin);
  same(await page.evaluate(() => location.origin), origin, "another origin");
  const read = (url, headers) =>
    page.evaluate(
      async ([url, headers]) => {
        try {
          const answer = await fetch(url, { headers });
          const shown = Object.fromEntries(["etag", "content-range", "content-length"].map((name) => [name, answer.headers.get(name)]));
          return { status: answer.status, text: await answer.text(), ...shown };
        } catch (error) {
          return { failed: error.name };
        }
      },
      [url, headers ?? {}],
    );

  const orbits = await sign("orbits.csv");
  const whole = await read(orbits);
  check(whole.status === 200 && whole.text.includes(",") && whole.etag, JSON.stringify(whole));
  const part = await read(orbits, { range: "bytes=2-5" });
  same([part.status, part.text, part["content-range"]], [206, whole.text.slice(2, 6), `bytes 2-5/${whole.text.length}`], "a part");
  same((await read(orbits, { "if-none-match": whole.etag })).status, 304, "what it knows already");

  // As an element, and as one whose pixels may be read.
  const pixels = await page.evaluate(
    (src) =>
      new Promise((then, fail) => {
        const image = Object.assign(new Image(), { crossOrigin: "anonymous", src });
        image.onerror = () => fail(new Error("no image"));
        image.onload = () => {
          const canvas = Object.assign(document.createElement("canvas"), { width: 4, height: 4 });
          canvas.getContext("2d").drawImage(image, 0, 0);
          then(canvas.toDataURL().length);
        };
      }),
    await sign("fractal.png"),
  );
  check(pixels > 100, `${pixels}`);
  await page.evaluate((src) => document.body.append(Object.assign(document.createElement("video"), { muted: true, src })), await sign("pattern.mp4"));
  await until("the video is there", () => page.locator("video").evaluate((one) => one.readyState >= 1 && one.videoWidth > 10));
  await page.locator("video").evaluate((one) => (one.currentTime = one.duration / 2));
  await until("the middle of it is there", () => page.locator("video").evaluate((one) => !one.seeking && one.readyState >= 2));

  // In the address bar: shown, though nothing in it may run.
  const tab = await page.context().newPage();
  await tab.goto(await sign("fractal.png"));
  await until("the image is shown", () => tab.locator("img").evaluate((one) => one.complete && one.naturalWidth > 10));
  await tab.goto(await sign("pattern.mp4"));
  await until("the video is shown", () => tab.locator("video").evaluate((one) => one.readyState >= 1 && one.videoWidth > 10));
  await tab.close();

  // Every refusal can be read; the API itself is nobody else's.
  const refusal = async (url) => JSON.parse((await read(url)).text).code;
  same(await refusal(orbits.slice(0, -2)), "invalid_signature", "what is forged");
  same(await refusal(await sign("orbits.csv", { method: "HEAD" })), "method_not_signed", "another method");
  same(await read(`${scene.url}/api/v1/openapi.json`), { failed: "TypeError" }, "the API");
  await api("PATCH", "/connections/films", { enabled: false });
  same(await refusal(orbits), "signed_url_revoked", "what has ended");
  await api("PATCH", "/connections/films", { enabled: true });
  await page.close();
}
