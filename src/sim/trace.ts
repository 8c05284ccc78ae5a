/** What happened, in words. Made only when asked for: a run that found something is run again with its trace. */
export class Trace {
  readonly lines: string[] = [];
  readonly #isOn: boolean;

  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  add(line: () => string): void {
    if (this.#isOn) this.lines.push(line());
  }
}
