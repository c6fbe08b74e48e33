// Signing in: wrong, right, kept for the tab, gone when the token is. What is sent where; how much is loaded, and how fast.
import { api, check, heading, same, scene, signIn, until } from "../lib.mjs";

const MOST_BYTES = 100_000,
  MOST_MS = 300;

export default async ({ page, context, held, look }) => {
  held.expect(401);
  const first = await page.goto(scene.url);
  const policy = first.headers()["content-security-policy"];
  for (const part of ["default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"])
    check(policy.includes(part), `the policy has ${part}`);

  const input = page.getByLabel("API token");
  await input.waitFor();
  check(await input.evaluate((one) => one === document.activeElement), "the token's field has the focus");
  await look("asked");
  const submit = page.getByRole("button", { name: "Sign in" });
  const wrong = page.locator("#token-wrong");
  for (const [given, said] of [
    ["", "Enter a token."],
    ["two words", "no spaces"],
    ["pct_" + "x".repeat(43), "does not know this token"],
  ]) {
    await input.fill(given);
    await submit.click();
    await until(said, async () => (await wrong.textContent()).includes(said));
  }
  await look("wrong");

  // A token that ends while somebody works: back to here with a sentence, and then back to there.
  const short = await api("POST", "/tokens", {
    name: "short",
    role: "member",
    expires_at: new Date(Date.now() + 6000).toISOString().replace(/\.\d+/, ""),
  });
  await input.fill(short.token);
  await input.press("Enter");
  await heading(page, "Connections").waitFor();
  check(await heading(page, "Connections").evaluate((one) => one === document.activeElement), "the heading has the focus");
  await page.reload();
  await heading(page, "Connections").waitFor();
  await until("it is over", () => Date.now() > Date.parse(short.expires_at) + 100);
  await page.getByRole("link", { name: "Plugins" }).click();
  await page.locator("main").getByText("it expired or was revoked").waitFor();
  await look("expired");
  await input.fill(scene.token);
  await submit.click();
  await heading(page, "Plugins").waitFor();

  // One header, and nothing else: no URL, no cookie, nothing that outlives the tab.
  const withToken = held.requests.filter((one) => JSON.stringify(one).includes(scene.token));
  check(withToken.length > 0, "the token was sent");
  for (const { url, headers } of held.requests) {
    check(!url.includes(scene.token) && !url.includes(short.token), `no token in ${url}`);
    for (const [name, value] of Object.entries(headers))
      check(name === "authorization" || !value.includes(scene.token), `no token in ${name}`);
    check(
      headers.authorization === undefined || url.startsWith(`${scene.url}/api/`) || url === `${scene.url}/version`,
      `no Authorization to ${url}`,
    );
  }
  same(await context.cookies(), [], "cookies");
  same(await page.evaluate(() => localStorage.length), 0, "what outlives the tab");
  await page.getByRole("button", { name: "Sign out" }).click();
  await input.waitFor();
  same(await page.evaluate(() => sessionStorage.length), 0, "what is left after signing out");

  // The best of a few: this machine may be busy with something else.
  const loads = [];
  while (loads.length < 10 && !loads.some((one) => one.ms <= MOST_MS)) {
    const cold = await context.newPage();
    const session = await context.newCDPSession(cold);
    await session.send("Network.enable");
    await session.send("Network.clearBrowserCache");
    await session.send("Network.setCacheDisabled", { cacheDisabled: true });
    await cold.addInitScript(() =>
      new MutationObserver(() => document.getElementById("token") && (window.interactive ??= performance.now())).observe(document, {
        childList: true,
        subtree: true,
      }),
    );
    await cold.goto(scene.url);
    await cold.getByLabel("API token").waitFor();
    loads.push(
      await cold.evaluate(() => ({
        ms: window.interactive,
        bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].reduce(
          (sum, one) => sum + one.transferSize,
          0,
        ),
      })),
    );
    await cold.close();
  }
  const ms = Math.min(...loads.map((one) => one.ms)),
    bytes = Math.max(...loads.map((one) => one.bytes));
  console.log(
    `first load: ${bytes} bytes transferred, interactive after ${Math.round(ms)} ms (${loads.map((one) => Math.round(one.ms)).join(", ")})`,
  );
  check(bytes > 10_000 && bytes <= MOST_BYTES, `${bytes} bytes are transferred first`);
  check(ms <= MOST_MS, `interactive after ${ms} ms`);
  await signIn(page);
};
