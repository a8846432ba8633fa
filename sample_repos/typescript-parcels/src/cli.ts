#!/usr/bin/env node
/** What does the user want to know? The command line: parse, ask, print. */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { loadConfig } from "./config/load.js";
import { describe, parseSize } from "./domain/index.js";
import { parseFeed } from "./feed.js";
import { messagesFor } from "./notify/messages.js";
import { type Quote, QuoteDesk } from "./pricing/desk.js";
import { type Result, explain, fail, map, ok } from "./result.js";
import { Network, type Service, isService } from "./routing/network.js";
import { shortestRoute } from "./routing/shortest.js";
import { ParcelStore } from "./store.js";

interface Options {
  readonly network: string;
  readonly service: string;
  readonly config?: string;
  readonly kg: string;
  readonly size: string;
  readonly fragile: boolean;
}

type Command = (operands: readonly string[], options: Options) => Result<string[]>;

const track: Command = ([path = "", number = ""]) => {
  const scans = parseFeed(readFileSync(path, "utf8"));
  if (!scans.ok) return scans;
  const store = new ParcelStore();
  store.ingest(scans.value);
  return map(store.get(number), (parcel) => [
    `${parcel.number}: ${parcel.finished ? "finished" : "on its way"}`,
    ...parcel.events.map((event) => `  ${describe(event)}`),
  ]);
};

const route: Command = ([from = "", to = ""], options) => {
  const service = serviceOf(options);
  if (!service.ok) return service;
  const found = shortestRoute(Network.read(options.network), from, to, service.value);
  return map(found, ({ legs, hubs, km, hours }) => [
    ...legs.map((leg) => `${leg.from} > ${leg.to}  ${leg.km} km  ${leg.hours} h`),
    `${hubs.join(" > ")}: ${km} km, ${hours} h`,
  ]);
};

const quote: Command = ([from = "", to = ""], options) => {
  const service = serviceOf(options);
  if (!service.ok) return service;
  const config = loadConfig(options.config);
  if (!config.ok) return config;
  const size = parseSize(options.size);
  if (!size.ok) return size;
  const scaleKg = Number(options.kg);
  if (!(scaleKg > 0)) return fail({ kind: "usage", reason: `${options.kg} is not a weight in kilograms` });
  const desk = new QuoteDesk(Network.read(options.network), config.value);
  const request = { from, to, service: service.value, scaleKg, fragile: options.fragile };
  return map(desk.quote({ ...request, size: size.value }), quoteLines);
};

const notify: Command = ([path = ""], options) => {
  const config = loadConfig(options.config);
  if (!config.ok) return config;
  return map(parseFeed(readFileSync(path, "utf8")), (scans) => {
    const news = new ParcelStore().ingest(scans);
    const { subscriptions, quiet } = config.value;
    return [...messagesFor(news, subscriptions, quiet)].map(
      ({ sendAt, address, text }) => `${sendAt.toISOString().slice(0, 16)}  ${address}  ${text}`,
    );
  });
};

const COMMANDS: Readonly<Record<string, Command>> = { track, route, quote, notify };

function serviceOf({ service }: Options): Result<Service> {
  return isService(service) ? ok(service) : fail({ kind: "usage", reason: `there is no service ${service}` });
}

function quoteLines(quote: Quote): string[] {
  return [
    `weight ${quote.weightKg} kg, ${quote.hours} h`,
    ...quote.lines.map(({ name, amount }) => `${name.padEnd(10)}${String(amount).padStart(8)}`),
    `${"total".padEnd(10)}${String(quote.total).padStart(8)}`,
  ];
}

/** Runs one command; 0 if it worked, 2 for a wrong call, 3 if its input was refused. */
function main(): number {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      network: { type: "string", default: "examples/network.json" },
      service: { type: "string", default: "economy" },
      config: { type: "string" },
      kg: { type: "string", default: "1" },
      size: { type: "string", default: "20x15x10" },
      fragile: { type: "boolean", default: false },
    },
  });
  const [name = "", ...operands] = positionals;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    console.error(`parcels: name one of ${Object.keys(COMMANDS).join(", ")}`);
    return 2;
  }
  const answer = command(operands, values as Options);
  if (answer.ok) {
    for (const line of answer.value) console.log(line);
    return 0;
  }
  console.error(`parcels: ${explain(answer.failure)}`);
  return answer.failure.kind === "usage" ? 2 : 3;
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof Error && "code" in error)) throw error;
  console.error(`parcels: ${error.message}`); // a file that cannot be read, or an option that does not exist
  process.exitCode = 2;
}
