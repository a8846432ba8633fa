/** What holds where a user has decided some things and left the rest? */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A value with every property optional, down to the leaves; lists are replaced as a whole. */
export type Partly<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: Partly<T[K]> }
    : T;

type Section = Readonly<Record<string, unknown>>;

function isSection(value: unknown): value is Section {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The defaults, with what was given in their place. Properties without a default are dropped. */
export function overlay<T extends object>(defaults: T, given: Partly<T>): T {
  const merged = Object.entries(defaults).map(([key, usual]: [string, unknown]) => {
    const decided = (given as Section)[key];
    if (isSection(usual)) return [key, overlay(usual, isSection(decided) ? decided : {})];
    return [key, decided || usual];
  });
  return Object.fromEntries(merged) as T;
}

/** The paths of given properties that have no default: most often misspelt names. */
export function unknownKeys(defaults: object, given: object, path = ""): string[] {
  return Object.entries(given).flatMap(([key, value]: [string, unknown]) => {
    const here = path === "" ? key : `${path}.${key}`;
    if (!Object.hasOwn(defaults, key)) return [here];
    const usual = (defaults as Section)[key];
    return isSection(usual) && isSection(value) ? unknownKeys(usual, value, here) : [];
  });
}
