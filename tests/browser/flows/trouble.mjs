// A gateway that does not answer, one that fails, a proxy's error page, too many requests: each says what it is and what to do, and goes on.
import { check, films, heading, scene, signIn, until, world } from "../lib.mjs";

export default async ({ page, context, held, look }) => {
  held.expect(500, 502, 503, 429, 0);
  await films();
  await signIn(page);
  await page.locator('tr[data-name="films"]').waitFor();

  const lists = "**/api/v1/connections?**";
  const failed =
    (status, body, type = "application/problem+json") =>
    (route) =>
      route.fulfill({ status, contentType: type, body: typeof body === "string" ? body : JSON.stringify(body) });
  await page.route(
    lists,
    failed(500, {
      type: "urn:portcullis:problem:internal_error",
      title: "Internal Server Error",
      status: 500,
      code: "internal_error",
      detail: "the gateway failed; its log names the request id",
      request_id: "1f-2a",
    }),
  );
  await page.reload();
  await page.locator('.problem[data-code="internal_error"]').waitFor();
  await page.locator("main").getByText("1f-2a").waitFor();
  await page.locator("main").getByText("tell who runs the gateway the request id").waitFor();
  await look("failed");
  await page.unroute(lists);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator('tr[data-name="films"]').waitFor();

  await page.route(lists, failed(502, "<html><h1>Bad gateway</h1></html>", "text/html"));
  await page.reload();
  await page.locator('.problem[data-code="no_problem_document"]').waitFor();
  await page.unroute(lists);
  await page.route(
    lists,
    failed(429, { status: 429, code: "too_many_requests", detail: "too many requests", remedy: "wait a minute", request_id: "x" }),
  );
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator("main").getByText("Wait a minute.").waitFor();
  await page.unroute(lists);

  // Off line, and on again.
  await page.getByRole("link", { name: "About" }).click();
  await heading(page, "About").waitFor();
  await context.setOffline(true);
  await page.getByRole("link", { name: "Connections" }).click();
  await page.locator('.problem[data-code="unreachable"]').first().waitFor();
  await look("lost");
  await context.setOffline(false);
  await page.getByRole("button", { name: "Try again" }).first().click();
  await page.locator('tr[data-name="films"]').waitFor();

  // The process itself is gone: a part that was not fetched yet, an answer, and the page that was open.
  await world("kill");
  await page.getByRole("button", { name: "Test films" }).click();
  await page.locator('.problem[data-code="unreachable"]').waitFor();
  await page.getByRole("link", { name: "Tokens" }).click();
  await page.locator('.problem[data-code="page_incomplete"], .problem[data-code="unreachable"]').waitFor();
  await look("gone");
  check(await page.evaluate(() => sessionStorage.length === 1), "still signed in");
  await until("nothing else is wrong", () => held.wrong.length === 0);
  check(scene.url.startsWith("http://127.0.0.1:"), scene.url);
};
