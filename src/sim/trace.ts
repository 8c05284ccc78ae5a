/** What happened, in words. Made only when asked for: a run that found something is run again with its trace. */
export class Trace {
  readonly lines: string[] = [];
  /** Elections, crashes, cuts, answers to clients: what one looks at first. */
  readonly outline: string[] = [];
  readonly #isOn: boolean;

  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  add(text: () => string): void {
    this.line(true, text);
  }

  line(isInOutline: boolean, text: () => string): void {
    if (!this.#isOn) return;
    const line = text();
    this.lines.push(line);
    if (isInOutline) this.outline.push(line);
  }
}
