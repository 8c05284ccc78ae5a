/** Questions on the terminal, and what is typed or piped in behind the answers. */
import { concatBytes, noBytes, utf8Decode } from '../../base/index.ts';

/** Standard input is read from one place, so that an answer and the data behind it are not taken for each other. */
let input: AsyncIterator<Uint8Array> | undefined;
/** What was read and is not used. */
let rest = noBytes;

/** Prints the question and gives the line that was typed; empty at the end of the input. */
export async function ask(question: string): Promise<string> {
  process.stdout.write(question);
  for (let searched = 0; ; ) {
    const end = rest.indexOf(0x0a, searched);
    if (end >= 0) return take(end + 1);
    searched = rest.length;
    const chunk = await next();
    if (chunk === undefined) return take(rest.length);
    rest = concatBytes([rest, chunk]);
  }
}

/** The bytes of standard input that no answer has used. */
export async function* restOfInput(): AsyncGenerator<Uint8Array, void, undefined> {
  const first = rest;
  rest = noBytes;
  if (first.length > 0) yield first;
  for (let chunk = await next(); chunk !== undefined; chunk = await next()) yield chunk;
}

/** How questions are asked. */
export interface Terminal {
  /** Prints the question and gives the line that was typed, empty at the end of the input. */
  readonly ask: (question: string) => Promise<string>;
  readonly tell: (line: string) => void;
}

const attemptsMax = 3;

/** Neither `y` nor `n` asks again; at last, and at the end of the input, the answer is no, and the user is told. */
export async function confirm(question: string, { ask, tell }: Terminal): Promise<boolean> {
  for (let attempts = 0; attempts < attemptsMax; attempts++) {
    const answer = (await ask(`${question} [y/n]: `)).trim().toLowerCase();
    if (answer === 'y') return true;
    if (answer === 'n' || answer === '') break;
    tell('Please type y or n');
  }
  tell('nothing was changed');
  return false;
}

function take(length: number): string {
  const line = utf8Decode(rest.subarray(0, length));
  rest = rest.subarray(length);
  return line.replace(/\r?\n$/, '');
}

/** A process that waits for nothing else ends although its input goes on. */
async function next(): Promise<Uint8Array | undefined> {
  const { stdin } = process;
  input ??= stdin[Symbol.asyncIterator]();
  // A file has no such calls.
  const socket: Partial<Pick<typeof stdin, 'ref' | 'unref'>> = stdin;
  socket.ref?.();
  const { value, done } = await input.next();
  socket.unref?.();
  return done === true ? undefined : value;
}
