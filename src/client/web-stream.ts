/** Pieces of a web stream as they come. Not all engines make web streams iterable. */
export async function* piecesOfStream<T>(stream: ReadableStream<T>): AsyncIterable<T> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // A stream that has failed rejects with its failure, which has been told.
    await reader.cancel().catch(() => undefined);
  }
}
