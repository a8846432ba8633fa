/** How large is a parcel? */

import { type Result, fail, ok } from "../result.js";

/** The outside of a box, in whole centimetres. */
export interface Size {
  readonly length: number;
  readonly width: number;
  readonly height: number;
}

/** Reads `40x30x20`. */
export function parseSize(text: string): Result<Size> {
  const match = /^([1-9]\d*)x([1-9]\d*)x([1-9]\d*)$/i.exec(text);
  if (match === null) return fail({ kind: "usage", reason: `${text} is not a size like 40x30x20` });
  const [length = 0, width = 0, height = 0] = match.slice(1).map(Number);
  return ok({ length, width, height });
}

/** Cubic centimetres. */
export function volumeOf({ length, width, height }: Size): number {
  return length * width * height;
}
