// Calls the service with a client whose types are generated from its contract: it signs in, ingests an event twice with one
// key and a batch, and expects the summary to count each event once. .ci/clients adds the generated types.
import createClient from "openapi-fetch";
import type { paths } from "./contract.js";

declare const process: { argv: string[] };

const [server, email, password] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl: server });

function fail(doing: string, problem: unknown): never {
  throw new Error(`client in TypeScript: ${doing}: ${JSON.stringify(problem)}`);
}

async function count(): Promise<number> {
  const { data, error } = await client.GET("/analytics/metrics/summary", { params: { query: { period: "30d" } } });
  return data ? data.total_events : fail("reading the summary", error);
}

const { data: tokens, error: refused } = await client.POST("/auth/login", { body: { email, password } });
if (!tokens) {
  fail("signing in", refused);
}
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${tokens.access_token}`);
  },
});

const before = await count();
for (let i = 0; i < 2; i++) {
  const { data, error } = await client.POST("/analytics/events", {
    params: { header: { "Idempotency-Key": `typescript-${before}` } },
    body: { event_type: "page_view", user_identifier: "user-42", value: 9.5 },
  });
  if (data?.value !== 9.5) {
    fail("ingesting", error ?? data);
  }
}
const { data: batch, error: refusedBatch } = await client.POST("/analytics/events/batch", {
  params: { header: { "Idempotency-Key": `typescript-${before}` } },
  body: { events: [{ event_type: "page_view", user_identifier: "user-42" }, { event_type: "page_view", user_identifier: "" }] },
});
if (batch?.accepted !== 1 || batch.rejected[0]?.field !== "user_identifier") {
  fail("ingesting a batch", refusedBatch ?? batch);
}
const after = await count();
if (after !== before + 2) {
  fail("the summary", { before, after });
}

const { error: wrong } = await client.POST("/analytics/events", { body: { event_type: "", user_identifier: "" } });
if (wrong?.errors?.length !== 2) {
  fail("an empty event", wrong);
}
