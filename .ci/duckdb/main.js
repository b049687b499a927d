// Reads the Parquet files of a directory with DuckDB and compares what it finds with expected.json there.
import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert";
import { readFileSync } from "node:fs";

const [directory] = process.argv.slice(2);
const instance = await DuckDBInstance.create(":memory:", { autoinstall_known_extensions: "false" });
const db = await instance.connect();
await db.run(`CREATE VIEW events AS FROM read_parquet('${directory}/*.parquet', union_by_name = true)`);

async function rows(sql) {
  return (await db.runAndReadAll(sql)).getRows();
}

// counts returns how many events there are by a text.
async function counts(text) {
  const found = await rows(`SELECT ${text} AS text, count(*)::INTEGER FROM events WHERE text IS NOT NULL GROUP BY ALL ORDER BY ALL`);
  return Object.fromEntries(found);
}

const [[events, values, sum, users, sessions, first]] = await rows(`
  SELECT count(*)::INTEGER, count(value)::INTEGER, sum(value), count(DISTINCT "user")::INTEGER,
    count(DISTINCT session_id)::INTEGER, strftime(min("time") AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')
  FROM events`);
assert.deepStrictEqual(
  {
    events, values, sum, users, sessions, first,
    by_type: await counts("event_type"),
    by_country: await counts(`"properties.country" ->> '$'`),
    notes: await counts("properties ->> 'note'"),
  },
  JSON.parse(readFileSync(`${directory}/expected.json`, "utf8")),
);

// An export has the same events as Parquet and as lines of JSON, in the same order.
const columns = `id, event_type, user_identifier, session_id, value, source, strftime(occurred_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f')`;
const found = await rows(`SELECT ${columns}, properties FROM '${directory}/export/events.parquet'`);
const lines = readFileSync(`${directory}/export/events.ndjson`, "utf8").trimEnd().split("\n");
assert.strictEqual(found.length, lines.length);
lines.forEach((line, i) => {
  const { properties, occurred_at, ...e } = JSON.parse(line);
  const at = occurred_at.replace(/\.(\d+)Z$/, (_, digits) => "." + digits.padEnd(6, "0"));
  const [id, event_type, user_identifier, session_id, value, source, time, text] = found[i];
  assert.deepStrictEqual(
    { id, event_type, user_identifier, session_id, value, source, time, properties: text && JSON.parse(text) },
    { ...e, time: at, properties },
  );
});
