/**
 * Points in time with Go's nanosecond resolution; the wire and JSON forms carry more than a `Date` holds.
 */
export interface Time {
  /** Whole seconds since the Unix epoch, floor; may be negative. */
  readonly seconds: number;
  /** `0 <= nanos < 1e9`. */
  readonly nanos: number;
  /** Offset in which the time was given and is printed again (RFC 3339); absent means UTC. */
  readonly offsetMinutes?: number;
}
// Go's zero time (year 1) is `null` wherever a Time may be absent.
