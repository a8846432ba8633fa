export { type EventKind, EVENT_KINDS, type ParcelEvent, describe, isEventKind, isFinal } from "./event.js";
export { Parcel } from "./parcel.js";
export { type Leg, Route } from "./route.js";
export { type Size, parseSize, volumeOf } from "./size.js";
