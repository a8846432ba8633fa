import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULTS } from "../src/config/defaults.js";
import { parseConfig } from "../src/config/load.js";
import { Network, QuoteDesk, unwrap } from "../src/index.js";
import { chargeableWeight } from "../src/pricing/tariff.js";

const network = new Network({
  hubs: { A: "Aachen", B: "Bonn" },
  links: [{ from: "A", to: "B", km: 200, hours: 3 }],
});
const request = {
  from: "A",
  to: "B",
  service: "express",
  scaleKg: 2,
  size: { length: 10, width: 10, height: 10 },
  fragile: true,
} as const;

test("the larger weight counts, by the started half kilogram", () => {
  const box = { length: 40, width: 30, height: 20 };
  assert.equal(chargeableWeight(4.2, box), 5);
  assert.equal(chargeableWeight(6.01, box), 6.5);
});

test("a quote lists what applies", () => {
  const quote = unwrap(new QuoteDesk(network, DEFAULTS).quote(request));
  const lines = quote.lines.map(({ name, amount }) => `${name} ${amount}`);
  assert.deepEqual(lines, ["carriage 14.20", "fuel 1.07", "handling 1.50", "fragile 3.50"]);
  assert.equal(String(quote.total), "20.27");
});

test("settings are laid over the defaults", () => {
  const config = unwrap(parseConfig('{"surcharges": {"fuelPercent": 5}, "quiet": {"to": 6}}', "x.json"));
  assert.deepEqual(config.surcharges, { fuelPercent: 5, handling: 150, fragile: 350 });
  assert.deepEqual(config.quiet, { from: 21, to: 6 });
  assert.deepEqual(config.tariffs, DEFAULTS.tariffs);
});

test("a misspelt setting is refused with its path", () => {
  const refused = parseConfig('{"surcharges": {"feul": 5}}', "x.json");
  assert.throws(() => unwrap(refused), /x\.json: there is no setting surcharges\.feul/);
  assert.equal(parseConfig("[]", "x.json").ok, false);
  assert.equal(parseConfig("{", "x.json").ok, false);
});
