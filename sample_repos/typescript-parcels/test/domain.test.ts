import assert from "node:assert/strict";
import { test } from "node:test";
import { Parcel, type ParcelEvent, Route, parseSize, unwrap, volumeOf } from "../src/index.js";

const event = (hour: number, kind: ParcelEvent["kind"], hub = "HAM"): ParcelEvent => ({
  at: new Date(Date.UTC(2024, 2, 5, hour)),
  kind,
  hub,
});

test("late scans are sorted in, repeated ones are not news", () => {
  const parcel = new Parcel("PX1");
  assert.equal(parcel.record(event(12, "DELIVERED")), true);
  assert.equal(parcel.record(event(8, "ACCEPTED")), true);
  assert.equal(parcel.record(event(8, "ACCEPTED")), false);
  assert.deepEqual(parcel.events.map(({ kind }) => kind), ["ACCEPTED", "DELIVERED"]);
  assert.equal(parcel.finished, true);
});

test("scans of the same second keep their order", () => {
  const parcel = new Parcel("PX1");
  for (const kind of ["ARRIVED", "CUSTOMS", "DEPARTED"] as const) parcel.record(event(8, kind));
  assert.deepEqual(parcel.events.map(({ kind }) => kind), ["ARRIVED", "CUSTOMS", "DEPARTED"]);
});

test("a route adds up its legs", () => {
  const route = new Route("A", [
    { from: "A", to: "B", km: 10, hours: 1 },
    { from: "B", to: "C", km: 20, hours: 3 },
  ]);
  assert.deepEqual([route.hubs, route.km, route.hours], [["A", "B", "C"], 30, 4]);
});

test("sizes are three positive whole numbers", () => {
  assert.equal(volumeOf(unwrap(parseSize("40x30X20"))), 24_000);
  for (const wrong of ["40x30", "0x1x1", "1.5x2x2"]) assert.equal(parseSize(wrong).ok, false);
});
