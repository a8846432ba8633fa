/** When may subscribers be disturbed? */

/** A daily span in UTC hours in which nobody is: from `from`, up to but without `to`. */
export interface QuietHours {
  readonly from: number;
  readonly to: number;
}

export function isQuiet(hours: QuietHours, at: Date): boolean {
  const hour = at.getUTCHours();
  return hours.from <= hours.to
    ? hours.from <= hour && hour < hours.to
    : hour >= hours.from || hour < hours.to;
}

/** The moment itself, or the end of the quiet span that it falls into. */
export function nextAllowed(hours: QuietHours, at: Date): Date {
  if (!isQuiet(hours, at)) return at;
  const end = new Date(at);
  end.setUTCHours(hours.to, 0, 0, 0);
  if (end <= at) end.setUTCDate(end.getUTCDate() + 1);
  return end;
}
