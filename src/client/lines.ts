/**
 * Lines of a byte stream.
 */
import { RequestError } from './errors.ts';

/** A line is one document: a pin, or a peer. Longer ones are not from a cluster peer. */
const lineLengthMax = 67_108_864;

/** Non-empty lines, without their ends. */
export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncIterable<string> {
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
    for (const line of (rest + text.slice(0, end)).split('\n')) if (line.trim() !== '') yield line;
    rest = text.slice(end + 1);
  }
  rest += decoder.decode();
  if (rest.trim() !== '') yield rest;
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
