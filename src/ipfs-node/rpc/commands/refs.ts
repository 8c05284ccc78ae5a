/** `refs`, `refs/local`, `resolve`: names and links. */
import type { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
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
  if (depthMax === 0) return;
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
async function* edges(call: Call, reader: BlockReader, root: CID, depthMax: number): AsyncGenerator<Edge> {
  // A stack of its own: a graph may be as deep as whoever made it liked.
  const stack = [{ source: root, links: await linksUnder(call, reader, root), next: 0 }];
  for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
    const link = level.links[level.next];
    level.next += 1;
    if (link === undefined) stack.pop();
    else {
      yield { source: level.source, link };
      if (depthMax < 0 || stack.length < depthMax) {
        stack.push({ source: link.cid, links: await linksUnder(call, reader, link.cid), next: 0 });
      }
    }
  }
}

async function linksUnder(call: Call, reader: BlockReader, cid: CID): Promise<NamedLink[]> {
  // Raw leaves have none: no need to fetch them.
  if (cid.code === raw.code) return [];
  return linksOf(cid, await readBlock(reader, cid, { signal: call.signal }));
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
