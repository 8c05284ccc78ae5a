/**
 * Time as an argument. Production binds it to the machine, the simulator to its virtual clock.
 */

/** Cancels what it was returned for; calling it again, or after the act, does nothing. */
export type Cancel = () => void;

/** A source of time and of delayed acts. */
export interface Clock {
  /** Milliseconds since an arbitrary start; monotonic, may be fractional. */
  now(): number;
  /** Nanoseconds since the Unix epoch by the wall clock. It can jump: never measure durations with it. */
  wallNanos(): bigint;
  /** Calls `act` once, not before `delayMs` have passed, never after it was cancelled. */
  after(delayMs: number, act: () => void): Cancel;
}
