/** What did the operator decide? One JSON file over the defaults. */

import { readFileSync } from "node:fs";
import { type Result, fail, ok } from "../result.js";
import { type Config, DEFAULTS } from "./defaults.js";
import { type Json, type Partly, overlay, unknownKeys } from "./overlay.js";

export type { Config } from "./defaults.js";

/** The defaults if there is no path; a failure if the file cannot be understood. */
export function loadConfig(path?: string): Result<Config> {
  return path === undefined ? ok(DEFAULTS) : parseConfig(readFileSync(path, "utf8"), path);
}

export function parseConfig(text: string, path: string): Result<Config> {
  let given: Json;
  try {
    given = JSON.parse(text) as Json;
  } catch (error) {
    return fail({ kind: "config", reason: `${path}: ${(error as Error).message}` });
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return fail({ kind: "config", reason: `${path}: the settings must be one JSON object` });
  }
  const [unknown] = unknownKeys(DEFAULTS, given);
  if (unknown !== undefined) return fail({ kind: "config", reason: `${path}: there is no setting ${unknown}` });
  return ok(overlay<Config>(DEFAULTS, given as Partly<Config>));
}
