/** What the demo prints: one line a step, with a mark when it is done. Plain text when nobody watches. */
import { styleText } from 'node:util';

export interface Screen {
  title(text: string): void;
  /** Runs a step, showing that it runs and how long it took. Its result is passed on, its failure too. One at a time. */
  step<T>(text: string, act: () => Promise<T>, done?: (result: T) => string): Promise<T>;
  /** Also while a step runs: above it. */
  line(text: string): void;
  /** A command to copy. */
  command(text: string): void;
  /** Columns as wide as they must be, under their heads. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void;
  /** From now on nothing is printed: a step that still runs is left as it is. */
  close(): void;
}

export function createScreen(output: NodeJS.WriteStream): Screen {
  /** The line of the running step, shown below everything else. */
  let running: string | undefined;
  let isOpen = true;
  const style = (format: Parameters<typeof styleText>[0], text: string): string =>
    output.isTTY ? styleText(format, text, { stream: output }) : text;
  const clear = (): void => {
    if (output.isTTY && running !== undefined) output.write('\r\x1b[K');
  };
  const show = (): void => {
    if (output.isTTY && running !== undefined) output.write(running);
  };
  const line = (text: string): void => {
    if (!isOpen) return;
    clear();
    output.write(`${text}\n`);
    show();
  };
  return {
    close: () => {
      if (output.isTTY && running !== undefined) output.write('\n');
      running = undefined;
      isOpen = false;
    },
    title: (text) => line(`\n${style('bold', text)}`),
    line: (text) => line(`  ${text}`),
    command: (text) => line(`    ${style('cyan', text)}`),
    table: (head, rows) => {
      const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
      const format = (row: readonly string[]): string =>
        `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd();
      line(style('dim', format(head)));
      for (const row of rows) line(format(row));
    },
    step: async (text, act, done) => {
      const startedAt = performance.now();
      if (isOpen) running = `  … ${text}`;
      show();
      const end = (mark: string): void => {
        clear();
        running = undefined;
        line(mark);
      };
      try {
        const result = await act();
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
        const detail = done === undefined ? '' : `: ${done(result)}`;
        end(`  ${style('green', '✓')} ${text}${detail} ${style('dim', `(${seconds} s)`)}`);
        return result;
      } catch (error) {
        end(`  ${style('red', '✗')} ${text}`);
        throw error;
      }
    },
  };
}
