/**
 * Lines of a byte stream.
 */
import { RequestError } from './errors.ts';

/** A line is one document: a pin, or a peer. Longer ones are not from a cluster peer. */
const lineLengthMax = 67_108_864;

/** Some non-empty lines, without their ends. */
export interface Lines {
  readonly lines: readonly string[];
  /** Whether the last one had an end; else nothing follows, and it may be half a line. */
  readonly isEnded: boolean;
}

/** Lines as they come, many at a time. */
export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncIterable<Lines> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const text = decoder.decode(chunk, { stream: true });
    // Only the new part can end a line: a long one must not be searched again for each piece.
    const end = text.lastIndexOf('\n');
    if (end < 0) {
      rest += text;
      if (rest.length > lineLengthMax) throw tooLong();
      continue;
    }
    const lines = (rest + text.slice(0, end)).split('\n').filter((line) => line.trim() !== '');
    rest = text.slice(end + 1);
    if (lines.length > 0) yield { lines, isEnded: true };
  }
  rest += decoder.decode();
  if (rest.trim() !== '') yield { lines: [rest], isEnded: false };
}

/** All of a body as text, refused beyond the limit. */
export async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > lineLengthMax) throw tooLong();
  }
  return text + decoder.decode();
}

function tooLong(): RequestError {
  return new RequestError('client/bad-answer', `Cannot read answer: a document longer than ${lineLengthMax} letters`, {
    status: 200,
  });
}
