/**
 * What do the hubs report? One scan a line:
 *
 *     2024-03-05T08:15:00Z|PX1001|ARRIVED|HAM|left at the north gate
 *
 * The note may be missing. A backslash takes the character after it literally, so `\|` is a bar.
 * Empty lines and lines that begin with `#` say nothing.
 */

import { type ParcelEvent, isEventKind } from "./domain/index.js";
import { type Result, fail, ok } from "./result.js";

export interface Scan {
  readonly number: string;
  readonly event: ParcelEvent;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$/;

/** The scans of a feed in its order; a failure at the first line that is none. */
export function parseFeed(text: string): Result<Scan[]> {
  const scans: Scan[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const content = line.trim();
    if (content === "" || content.startsWith("#")) continue;
    const scan = parseScan(content, index + 1);
    if (!scan.ok) return scan;
    scans.push(scan.value);
  }
  return ok(scans);
}

function parseScan(content: string, line: number): Result<Scan> {
  const refuse = (reason: string) => fail({ kind: "feed", line, reason });
  const fields = splitFields(content);
  const [when, number, kind, hub, note] = fields;
  if (when === undefined || number === undefined || kind === undefined || hub === undefined || fields.length > 5) {
    return refuse(`expected 4 or 5 fields, found ${fields.length}`);
  }
  const at = new Date(when);
  if (!TIME.test(when) || Number.isNaN(+at)) return refuse(`${when} is not a time with its offset`);
  if (!isEventKind(kind)) return refuse(`${kind} is not an event`);
  return ok({ number, event: { at, kind, hub, ...(note ? { note } : {}) } });
}

/** Splits at unescaped bars and resolves the escapes. */
export function splitFields(content: string): string[] {
  const fields: string[] = [];
  let field = "";
  for (let place = 0; place < content.length; place += 1) {
    const character = content.charAt(place);
    if (character === "|") {
      fields.push(field.trim());
      field = "";
    } else if (character === "\\" && place + 1 < content.length) {
      place += 1;
      field += content.charAt(place);
    } else {
      field += character;
    }
  }
  return [...fields, field.trim()];
}
