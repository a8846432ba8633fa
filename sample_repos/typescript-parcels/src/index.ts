/** Parcel tracking, routing and pricing: everything that other packages may use. */

export * from "./domain/index.js";
export { loadConfig, type Config } from "./config/load.js";
export { parseFeed, type Scan } from "./feed.js";
export { messagesFor, type Message } from "./notify/messages.js";
export { QuoteDesk, type Quote, type QuoteRequest } from "./pricing/desk.js";
export { Money } from "./pricing/money.js";
export { Network, type Service } from "./routing/network.js";
export { shortestRoute } from "./routing/shortest.js";
export { type Result, fail, map, ok, unwrap } from "./result.js";
export { ParcelStore } from "./store.js";
