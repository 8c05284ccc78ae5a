/** Questions on the terminal. */
import { createInterface } from 'node:readline';

let lines: AsyncIterator<string> | undefined;

/** Prints the question and gives the line that was typed; empty at the end of the input. */
export async function ask(question: string): Promise<string> {
  process.stdout.write(question);
  lines ??= createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const { value, done } = await lines.next();
  return done === true ? '' : value;
}
