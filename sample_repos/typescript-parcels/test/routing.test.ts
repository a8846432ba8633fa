import assert from "node:assert/strict";
import { test } from "node:test";
import { Network, shortestRoute, unwrap } from "../src/index.js";
import { PriorityQueue } from "../src/routing/queue.js";

const network = new Network({
  hubs: { A: "Aachen", B: "Bonn", C: "Celle", D: "Dresden" },
  links: [
    { from: "A", to: "B", km: 10, hours: 9 },
    { from: "B", to: "C", km: 10, hours: 9 },
    { from: "A", to: "C", km: 50, hours: 3, hoursBack: 7 },
  ],
});

test("economy saves kilometres, express saves hours", () => {
  assert.deepEqual(unwrap(shortestRoute(network, "A", "C", "economy")).hubs, ["A", "B", "C"]);
  assert.deepEqual(unwrap(shortestRoute(network, "A", "C", "express")).hours, 3);
  assert.deepEqual(unwrap(shortestRoute(network, "C", "A", "express")).hours, 7);
});

test("unknown and unreachable hubs are failures", () => {
  assert.deepEqual(shortestRoute(network, "A", "X", "express"), {
    ok: false,
    failure: { kind: "unknown hub", code: "X" },
  });
  assert.equal(shortestRoute(network, "A", "D", "express").ok, false);
});

test("a queue hands out the smallest item first", () => {
  const queue = new PriorityQueue<number>((one, other) => one - other);
  for (const item of [5, 1, 4, 1, 3]) queue.push(item);
  const order = Array.from({ length: queue.size }, () => queue.pop());
  assert.deepEqual(order, [1, 1, 3, 4, 5]);
  assert.equal(queue.pop(), undefined);
});
