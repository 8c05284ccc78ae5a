/** The end of a list. JSON only. */
import type { EndOfStream } from '../end-of-stream.ts';
import { field, listType, structType } from './containers.ts';
import { boolType, textType, uintType } from './scalars.ts';
import type { JsonType } from './type.ts';

const end = field<EndOfStream>();

export const endOfStreamType: JsonType<EndOfStream> = structType<EndOfStream>([
  end('endOfStream', 'e', 'end_of_stream', boolType),
  end('items', 'i', 'items', uintType),
  end('errors', 'x', 'errors', listType(textType)),
  end('next', 'n', 'next?', textType),
]);
