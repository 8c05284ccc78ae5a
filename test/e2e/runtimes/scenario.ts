/** What programs do with `ipfs-cluster/client`, in words that every runtime knows: a browser runs this file as it is, without its types. */
import type { Client, createClient as CreateClient } from '../../../src/client/plain/index.ts';

export interface ScenarioOptions {
  /** Of the peers; the first may be one that is not there. */
  readonly urls: readonly string[];
  readonly user: string;
  readonly password: string;
  /** Of a server whose lists break off after the first pin. */
  readonly cutUrl: string;
}

/** What came of it, in plain data. */
export type Facts = Readonly<Record<string, unknown>>;

export async function runScenario(createClient: typeof CreateClient, options: ScenarioOptions): Promise<Facts> {
  const { urls, user, password, cutUrl } = options;
  const client = createClient({ url: urls, credentials: { user, password } });
  const codeOf = async (promise: Promise<unknown>): Promise<unknown> => {
    try {
      await promise;
      return 'no error';
    } catch (error) {
      const { code, status } = Object(error);
      return status === undefined ? code : [code, status];
    }
  };
  const facts: Record<string, unknown> = {};

  facts.isVersion = /^\d+\.\d+\.\d+/.test(await client.version());
  facts.peers = (await all(client.peers())).map(({ error }) => error);

  const { isListening, told } = watchPins(client);
  await isListening;
  const file = await client.addFile(new File(['hello cluster\n'], 'hello.txt'), { name: 'one file' });
  facts.file = { cid: file.cid, name: file.name, size: file.size };
  facts.isTold = (await told).includes(file.cid);
  facts.blob = (await client.addFile(new Blob(['x'.repeat(300_000)]), { chunker: 'size-100000', cidVersion: 1 })).cid;
  const pieces = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const text of ['hello ', 'cluster\n']) controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });
  facts.isStreamTheSame = (await client.addFile(pieces)).cid === file.cid;
  const names: string[] = [];
  const sent: number[] = [];
  const directory = await client.addDirectory(
    [
      { path: 'site/index.html', content: '<p>hello</p>' },
      { path: 'site/img/dot.bin', content: new Uint8Array([1, 2, 3]) },
    ],
    {
      name: 'site',
      metadata: { stage: 'test' },
      onAdded: ({ name }) => void names.push(name),
      onProgress: ({ sentBytes }) => void sent.push(sentBytes),
    },
  );
  facts.directory = { cid: directory.cid, names, sent: sent.at(-1) };

  facts.pinned = (await client.waitFor(directory.cid, { count: 1 })).name;
  facts.entry = (await client.get(directory.cid))?.metadata;
  const pins = client.pins();
  facts.pins = (await all(pins)).map(({ name }) => name).sort();
  facts.isComplete = pins.complete;
  facts.found = (await all(client.search({ name: 'site' }))).map(({ cid }) => cid === directory.cid);
  facts.statuses = (await all(client.statusAll({ filter: ['pinned', 'queued', 'pinning'] }))).length;

  const cut = createClient({ url: cutUrl, retries: 0 }).pins();
  // How much of it is seen before is the engine's affair.
  facts.cut = [await codeOf(all(cut)), cut.complete];
  facts.aborted = await abortedOf(client, codeOf);

  await client.unpin(file.cid);
  facts.gone = (await client.get(file.cid)) ?? 'none';
  facts.errors = [
    await codeOf(client.pin('not a CID')),
    await codeOf(client.unpin(file.cid)),
    await codeOf(createClient({ url: urls, credentials: { user, password: 'wrong' } }).id()),
    await codeOf(client.id({ signal: AbortSignal.abort() })),
  ];
  const token = await client.token({ expiresIn: '1h', scope: 'read' });
  const reader = createClient({ url: urls, credentials: { token } });
  facts.reader = [(await reader.id()).error, await codeOf(reader.unpin(directory.cid))];
  return facts;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** How a list that is being read, an upload, and a wait for events end when they are told to. */
async function abortedOf(client: Client, codeOf: (promise: Promise<unknown>) => Promise<unknown>): Promise<unknown[]> {
  const stopList = new AbortController();
  const readList = async (): Promise<void> => {
    for await (const _ of client.pins({ signal: stopList.signal })) stopList.abort();
  };
  const stopUpload = new AbortController();
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      controller.enqueue(new Uint8Array(1000));
      stopUpload.abort();
      // Nothing more comes, and it does not end.
      return new Promise(() => undefined);
    },
  });
  const stopTold = new AbortController();
  const told = client.addFile(new Blob(['x'.repeat(3_000_000)]), {
    signal: stopTold.signal,
    onProgress: () => stopTold.abort(),
  });
  const stopEvents = new AbortController();
  const readEvents = async (): Promise<void> => {
    for await (const { type } of client.events({ after: '0-0', signal: stopEvents.signal })) {
      if (type === 'reset') stopEvents.abort();
    }
  };
  return [
    await codeOf(told),
    await codeOf(readList()),
    await codeOf(client.addFile(endless, { signal: stopUpload.signal })),
    await codeOf(readEvents()),
  ];
}

/** The next event of a pin, as text. After an event that never was, the first one says `reset`: from then on nothing is missed. */
function watchPins(client: Client): { readonly isListening: Promise<void>; readonly told: Promise<string> } {
  const { promise: isListening, resolve: listens, reject: fails } = Promise.withResolvers<void>();
  const told = (async () => {
    for await (const { type, data } of client.events({ types: ['pin'], after: '0-0' })) {
      if (type === 'reset') listens();
      if (type === 'pin') return JSON.stringify(data);
    }
    return '';
  })();
  told.catch(fails);
  return { isListening, told };
}
