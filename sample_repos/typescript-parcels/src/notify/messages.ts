/** Who is told about an event? */

import { type EventKind, describe } from "../domain/index.js";
import type { Scan } from "../feed.js";
import { type QuietHours, nextAllowed } from "./quiet.js";

/** An address that wants to hear of some kinds of events; no parcels means all of them. */
export interface Subscription {
  readonly address: string;
  readonly events: readonly EventKind[];
  readonly parcels?: readonly string[];
}

export interface Message {
  readonly address: string;
  readonly sendAt: Date;
  readonly text: string;
}

/** The messages that scans cause: in the order of the scans, then of the subscriptions. */
export function* messagesFor(
  scans: Iterable<Scan>,
  subscriptions: readonly Subscription[],
  quiet: QuietHours,
): Generator<Message> {
  for (const scan of scans) {
    for (const subscription of subscriptions) {
      if (!wants(subscription, scan)) continue;
      yield {
        address: subscription.address,
        sendAt: nextAllowed(quiet, scan.event.at),
        text: `${scan.number}: ${describe(scan.event)}`,
      };
    }
  }
}

function wants({ events, parcels }: Subscription, scan: Scan): boolean {
  return events.includes(scan.event.kind) && (parcels === undefined || parcels.includes(scan.number));
}
