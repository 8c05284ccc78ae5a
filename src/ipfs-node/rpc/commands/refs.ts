/** `refs`, `refs/local`, `resolve`: names and links. */
import type { CID } from 'multiformats/cid';
import { errorMessage } from '../../../base/index.ts';
import type { BlockReader } from '../../ports.ts';
import { linksOf, type NamedLink, parsePath, readBlock, resolvePath } from '../../unixfs/index.ts';
import { argument, type Call, type Command } from '../command.ts';
import { rpcError } from '../errors.ts';
import { resolveAll, withReader } from '../reading.ts';

/** `refs`, `refs/local`, `resolve`. */
export const refsCommands: readonly Command[] = [
  { path: 'refs', args: ['ipfs-path'], run: refs },
  { path: 'refs/local', run: local },
  { path: 'resolve', args: ['name'], run: resolve },
];

interface Edge {
  readonly source: CID;
  readonly link: NamedLink;
}

async function refs(call: Call): Promise<void> {
  const { query, answer } = call;
  const recursive = query.boolean('recursive', false);
  const unique = query.boolean('unique', false);
  const depthMax = recursive ? query.integer('max-depth', -1) : 1;
  const format = refFormat(call);
  await withReader(call, async (reader) => {
    const cids = await resolveAll(call, reader, query.args);
    const seen = new Set<string>();
    try {
      for (const cid of cids) {
        for await (const edge of edges(call, reader, cid, depthMax)) {
          const key = edge.link.cid.toString();
          if (unique && seen.has(key)) continue;
          if (unique) seen.add(key);
          await answer.line({ Ref: format(edge), Err: '' });
        }
      }
    } catch (error) {
      // Kubo tells a failed walk as a line of the list.
      const reason: unknown = call.signal.aborted ? call.signal.reason : error;
      await answer.line({ Ref: '', Err: errorMessage(reason) });
    }
  });
}

/** `-1` levels means all; a link is told before what is under it. */
async function* edges(call: Call, reader: BlockReader, source: CID, depthMax: number): AsyncGenerator<Edge> {
  if (depthMax === 0) return;
  const links = linksOf(source, await readBlock(reader, source, { signal: call.signal }));
  for (const link of links) {
    yield { source, link };
    yield* edges(call, reader, link.cid, depthMax - 1);
  }
}

function refFormat(call: Call): (edge: Edge) => string {
  const { query } = call;
  const isEdges = query.boolean('edges', false);
  const format = query.text('format', '');
  if (isEdges && format !== '' && format !== '<dst>') {
    throw rpcError('ipfs-rpc/bad-option', 'using format argument with edges is not allowed');
  }
  const template = isEdges ? '<src> -> <dst>' : format === '' ? '<dst>' : format;
  return ({ source, link }) =>
    template.replace(/<(src|dst|linkname)>/g, (_whole, name: string) =>
      name === 'src' ? source.toString() : name === 'dst' ? link.cid.toString() : link.name,
    );
}

async function local(call: Call): Promise<void> {
  for await (const page of call.node.blocks.pages()) {
    for (const cid of page) await call.answer.line({ Ref: cid.toString(), Err: '' });
  }
}

async function resolve(call: Call): Promise<void> {
  const path = argument(call);
  const { root, segments } = parsePath(path);
  if (segments.length === 0) {
    await call.answer.json({ Path: `/ipfs/${root}` });
    return;
  }
  await withReader(call, async (reader) => {
    const { cid, remainder } = await resolvePath(path, reader, { signal: call.signal });
    await call.answer.json({ Path: ['/ipfs', cid.toString(), ...remainder].join('/') });
  });
}
