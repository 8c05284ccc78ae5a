/** What the demo prints: one line a step, with a mark when it is done. Plain text when nobody watches. */
import { styleText } from 'node:util';

export interface Screen {
  title(text: string): void;
  /** Runs a step, showing that it runs and how long it took. Its result is passed on, its failure too. */
  step<T>(text: string, act: () => Promise<T>, done?: (result: T) => string): Promise<T>;
  line(text: string): void;
  /** A command to copy. */
  command(text: string): void;
}

export function createScreen(output: NodeJS.WriteStream): Screen {
  const style = (format: Parameters<typeof styleText>[0], text: string): string =>
    output.isTTY ? styleText(format, text, { stream: output }) : text;
  const line = (text: string): void => {
    output.write(`${text}\n`);
  };
  return {
    title: (text) => line(`\n${style('bold', text)}`),
    line: (text) => line(`  ${text}`),
    command: (text) => line(`    ${style('cyan', text)}`),
    step: async (text, act, done) => {
      const startedAt = performance.now();
      if (output.isTTY) output.write(`  … ${text}`);
      try {
        const result = await act();
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
        const detail = done === undefined ? '' : `: ${done(result)}`;
        if (output.isTTY) output.write('\r\x1b[K');
        line(`  ${style('green', '✓')} ${text}${detail} ${style('dim', `(${seconds} s)`)}`);
        return result;
      } catch (error) {
        if (output.isTTY) output.write('\r\x1b[K');
        line(`  ${style('red', '✗')} ${text}`);
        throw error;
      }
    },
  };
}
