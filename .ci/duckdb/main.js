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
