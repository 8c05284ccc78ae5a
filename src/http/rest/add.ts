/** `POST /add`. Source: Go `api/rest/restapi.go` `addHandler`. */
import { errorMessage } from '../../base/index.ts';
import { type AddParams, addedOutputJson, parseAddParams } from '../../model/index.ts';
import { closeAfterAnswer, readUpload, sendAdded, streamAdded, untilTruncated, uploadRefusal } from '../kit/index.ts';
import type { Context } from './context.ts';
import { RequestError, readFlag } from './reply.ts';

export async function postAdd(context: Context): Promise<void> {
  const { request, response, headers, cluster, signal } = context;
  closeAfterAnswer(request, response);
  const refusal = uploadRefusal(request.headers['content-type']);
  if (refusal !== undefined) throw new RequestError(400, refusal);
  const params = readParams(context);
  const hasEndLine = readFlag(context, 'end-record');
  const answer = {
    ...{ response, headers },
    lines: linesOf(() => cluster.add(untilTruncated(readUpload(request)), params, { signal })),
    failed: (error: unknown) => context.failure(error),
    ...(hasEndLine ? { endLine } : {}),
  };
  await (params.streamChannels ? streamAdded({ ...answer, waits: false }) : sendAdded(answer));
}

function readParams({ query, now }: Context): AddParams {
  try {
    return parseAddParams(query, now());
  } catch (error) {
    throw new RequestError(400, errorMessage(error));
  }
}

/** A failure to begin is told as one in the middle. */
async function* linesOf(begin: () => ReturnType<Context['cluster']['add']>): AsyncGenerator<string> {
  for await (const output of begin()) yield addedOutputJson.print(output);
}

function endLine(items: number, errors: readonly string[]): string {
  return JSON.stringify({ end_of_stream: true, items, errors });
}
