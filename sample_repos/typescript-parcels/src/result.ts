/** Did it work, and if not, why? Failures that a user can cause travel as values. */

export type Failure =
  | { readonly kind: "feed"; readonly line: number; readonly reason: string }
  | { readonly kind: "unknown hub"; readonly code: string }
  | { readonly kind: "unknown parcel"; readonly number: string }
  | { readonly kind: "no route"; readonly from: string; readonly to: string }
  | { readonly kind: "config"; readonly reason: string }
  | { readonly kind: "usage"; readonly reason: string };

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

export const fail = (failure: Failure): Result<never> => ({ ok: false, failure });

/** Applies a function to the value of a success. */
export function map<T, U>(result: Result<T>, change: (value: T) => U): Result<U> {
  return result.ok ? ok(change(result.value)) : result;
}

/** The value of a success; throws on a failure, so for places that have ruled failures out. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(explain(result.failure));
}

/** One sentence for people. */
export function explain(failure: Failure): string {
  switch (failure.kind) {
    case "feed":
      return `feed line ${failure.line}: ${failure.reason}`;
    case "unknown hub":
      return `no hub has the code ${failure.code}`;
    case "unknown parcel":
      return `no parcel has the number ${failure.number}`;
    case "no route":
      return `no route leads from ${failure.from} to ${failure.to}`;
    case "config":
    case "usage":
      return failure.reason;
  }
}
