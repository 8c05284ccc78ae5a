/** Listeners by event. They run after what caused the event, so that nothing they do or throw reaches into the peer. */

/** Keeps listeners and calls them, each event in the order of its occurrences. */
export class Events<Map> {
  readonly #listeners = new globalThis.Map<keyof Map, Set<(value: never) => void>>();

  /** @returns what removes the listener. */
  on<Name extends keyof Map>(name: Name, listener: (value: Map[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // A function of its own: the same one given twice is called twice.
    const own = (value: Map[Name]): void => listener(value);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  /** `make` is not called when nobody listens. */
  emit<Name extends keyof Map>(name: Name, make: () => Map[Name]): void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined || listeners.size === 0) return;
    const value = make();
    // Proof of the cast: `on` put only listeners of this event under its name.
    for (const listener of listeners) queueMicrotask(() => (listener as (value: Map[Name]) => void)(value));
  }
}
