/** What happened to a parcel, where, and when? */

export const EVENT_KINDS = [
  "ACCEPTED",
  "DEPARTED",
  "ARRIVED",
  "CUSTOMS",
  "OUT_FOR_DELIVERY",
  "DELIVERED",
  "RETURNED",
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

export interface ParcelEvent {
  readonly at: Date;
  readonly kind: EventKind;
  readonly hub: string;
  readonly note?: string;
}

export function isEventKind(text: string): text is EventKind {
  return (EVENT_KINDS as readonly string[]).includes(text);
}

/** True where nothing can happen to the parcel afterwards. */
export function isFinal(kind: EventKind): boolean {
  return kind === "DELIVERED" || kind === "RETURNED";
}

/** One line for people, in UTC. */
export function describe(event: ParcelEvent): string {
  const when = event.at.toISOString().slice(0, 16).replace("T", " ");
  const what = event.kind.replaceAll("_", " ").toLowerCase();
  const note = event.note === undefined ? "" : ` (${event.note})`;
  return `${when}  ${event.hub}  ${what}${note}`;
}
