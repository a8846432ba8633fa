/** What does the plain carriage of a parcel cost, before surcharges? */

import { type Route, type Size, volumeOf } from "../domain/index.js";
import { Money } from "./money.js";

/** The prices of one service, in cents. */
export interface Tariff {
  readonly base: number;
  readonly perKg: number;
  readonly per100Km: number;
}

/** Cubic centimetres that are charged like one kilogram: the usual divisor of road freight. */
const VOLUMETRIC_DIVISOR = 5000;
/** Weights are charged by the started half kilogram. */
const STEPS_PER_KG = 2;

/** The larger of scale and volumetric weight in kilograms, up to the next half kilogram. */
export function chargeableWeight(scaleKg: number, size: Size): number {
  const volumetricKg = volumeOf(size) / VOLUMETRIC_DIVISOR;
  return Math.ceil(Math.max(scaleKg, volumetricKg) * STEPS_PER_KG) / STEPS_PER_KG;
}

export function carriage(tariff: Tariff, weightKg: number, route: Route): Money {
  const cents = tariff.base + tariff.perKg * weightKg + (tariff.per100Km * route.km) / 100;
  return Money.ofCents(cents);
}
