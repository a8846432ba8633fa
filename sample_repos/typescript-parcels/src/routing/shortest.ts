/** Which way through the network is the shortest? Dijkstra's algorithm. */

import { type Leg, Route } from "../domain/index.js";
import { type Result, fail, ok } from "../result.js";
import { type Network, SERVICES, type Service } from "./network.js";
import { PriorityQueue } from "./queue.js";

interface Visit {
  readonly hub: string;
  readonly cost: number;
  readonly legs: readonly Leg[];
}

/** The cheapest route under a service; among equals, the one found with fewer legs. */
export function shortestRoute(network: Network, from: string, to: string, service: Service): Result<Route> {
  for (const end of [from, to]) {
    const city = network.city(end);
    if (!city.ok) return city;
  }
  const costOf = SERVICES[service];
  const settled = new Set<string>();
  const frontier = new PriorityQueue<Visit>(
    (one, other) => one.cost - other.cost || one.legs.length - other.legs.length,
  );
  frontier.push({ hub: from, cost: 0, legs: [] });
  for (let visit = frontier.pop(); visit !== undefined; visit = frontier.pop()) {
    if (visit.hub === to) return ok(new Route(from, visit.legs));
    if (settled.has(visit.hub)) continue;
    settled.add(visit.hub);
    for (const leg of network.departures(visit.hub)) {
      if (!settled.has(leg.to)) {
        frontier.push({ hub: leg.to, cost: visit.cost + costOf(leg), legs: [...visit.legs, leg] });
      }
    }
  }
  return fail({ kind: "no route", from, to });
}
