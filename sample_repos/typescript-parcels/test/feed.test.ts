import assert from "node:assert/strict";
import { test } from "node:test";
import { splitFields } from "../src/feed.js";
import { ParcelStore, messagesFor, parseFeed, unwrap } from "../src/index.js";
import { isQuiet } from "../src/notify/quiet.js";

const LINE = "2024-03-05T22:15:00Z|PX1|DELIVERED|HAM|signed";

test("a backslash takes the next character literally", () => {
  assert.deepEqual(splitFields(String.raw`a\|b | c\\|`), ["a|b", "c\\", ""]);
});

test("failures name the line", () => {
  const cases = [
    ["a|b", "found 2"],
    ["noon|PX1|DELIVERED|HAM", "not a time"],
    ["2024-03-05T08:00:00Z|PX1|EATEN|HAM", "not an event"],
  ] as const;
  for (const [line, reason] of cases) {
    assert.throws(() => unwrap(parseFeed(`# first\n${line}`)), new RegExp(`feed line 2: .*${reason}`));
  }
});

test("only news is ingested", () => {
  const store = new ParcelStore();
  const scans = unwrap(parseFeed(`${LINE}\n${LINE}`));
  assert.equal(store.ingest(scans).length, 1);
  assert.deepEqual([...store].map(({ number }) => number), ["PX1"]);
  assert.equal(store.get("PX2").ok, false);
});

test("messages wait for the end of the quiet hours", () => {
  const subscriptions = [
    { address: "a@example.org", events: ["DELIVERED"] as const },
    { address: "b@example.org", events: ["DELIVERED"] as const, parcels: ["PX9"] },
  ];
  const [message, ...others] = messagesFor(unwrap(parseFeed(LINE)), subscriptions, { from: 21, to: 7 });
  assert.deepEqual(others, []);
  assert.equal(message?.sendAt.toISOString(), "2024-03-06T07:00:00.000Z");
});

test("the hour that ends the quiet span is not quiet", () => {
  const at = (hour: number) => new Date(Date.UTC(2024, 2, 5, hour));
  assert.deepEqual([20, 21, 6, 7].map((hour) => isQuiet({ from: 21, to: 7 }, at(hour))), [false, true, true, false]);
});
