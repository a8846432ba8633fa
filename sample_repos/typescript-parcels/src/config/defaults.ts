/** What holds if the operator decides nothing? */

import type { QuietHours } from "../notify/quiet.js";
import type { Subscription } from "../notify/messages.js";
import type { PriceList } from "../pricing/desk.js";

export interface Config extends PriceList {
  readonly quiet: QuietHours;
  readonly subscriptions: readonly Subscription[];
}

export const DEFAULTS: Config = {
  tariffs: {
    economy: { base: 390, perKg: 55, per100Km: 80 },
    express: { base: 890, perKg: 120, per100Km: 145 },
  },
  surcharges: { fuelPercent: 7.5, handling: 150, fragile: 350 },
  quiet: { from: 21, to: 7 },
  subscriptions: [],
};
