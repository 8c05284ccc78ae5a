/**
 * Runs all microtasks at once, without going through the event loop: halves the time of a history. It leaves the queue of
 * `process.nextTick` alone, and does nothing when it is called from a microtask.
 */
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';

setFlagsFromString('--allow-natives-syntax');

export const runMicrotasks: () => void = runInThisContext('() => %PerformMicrotaskCheckpoint()');
