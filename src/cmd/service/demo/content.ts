/** The demo's content: a real directory, added to an IPFS node as any Kubo client would. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';

/** Left out of what is added: they are large and not written by hand. */
const skippedNames: ReadonlySet<string> = new Set(['node_modules', 'dist', '.git', 'coverage']);

/** A node that serves answers at once; without a limit, one that is gone could hold up the demo for ever. */
const requestLimitMs = 30_000;

export interface SourceFile {
  /** Path inside the directory, with `/`. */
  readonly path: string;
  /** As it was added: the file itself may be changed while the demo runs. */
  readonly bytes: Uint8Array;
}

export interface AddedDirectory {
  /** CID of the directory. */
  readonly root: string;
  /** Name of the directory. */
  readonly name: string;
  readonly files: readonly SourceFile[];
  readonly sizeBytes: number;
}

/** Regular files below a directory, in a fixed order. */
async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (skippedNames.has(entry.name) || entry.name.startsWith('.')) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) found.push(...(await listFiles(path)));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

/** Adds a directory through the Kubo RPC without pinning it there: pinning is the cluster's work. */
export async function addDirectory(ipfsUrl: string, directory: string): Promise<AddedDirectory> {
  const name = basename(directory);
  const form = new FormData();
  const files: SourceFile[] = [];
  for (const path of await listFiles(directory)) {
    const inside = relative(directory, path).split(sep).join('/');
    const bytes = await readFile(path);
    files.push({ path: inside, bytes });
    form.append('file', new Blob([new Uint8Array(bytes)]), encodeURIComponent(`${name}/${inside}`));
  }
  const lines = await postForLines(`${ipfsUrl}/api/v0/add?pin=false&cid-version=1`, form);
  const root = lines
    .map((line) => JSON.parse(line) as { Name: string; Hash: string })
    .find((added) => added.Name === name);
  if (root === undefined) throw new Error(`IPFS node did not answer with the CID of "${name}"`);
  return { root: root.Hash, name, files, sizeBytes: files.reduce((sum, file) => sum + file.bytes.length, 0) };
}

/** Adds one small text. */
export async function addText(ipfsUrl: string, text: string): Promise<string> {
  const form = new FormData();
  form.append('file', new Blob([text]), 'note.txt');
  const [line] = await postForLines(`${ipfsUrl}/api/v0/add?pin=false&cid-version=1`, form);
  return (JSON.parse(line ?? '{}') as { Hash: string }).Hash;
}

/** The bytes of a file, read from an IPFS node. `offline`: only what the node itself holds. */
export async function cat(ipfsUrl: string, path: string): Promise<Uint8Array> {
  const response = await fetch(`${ipfsUrl}/api/v0/cat?offline=true&arg=${encodeURIComponent(path)}`, {
    method: 'POST',
  });
  if (!response.ok) throw new Error(`Cannot read "${path}" from ${ipfsUrl}: ${await response.text()}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** What an IPFS node itself pins, `recursive` or `direct`, by CID. */
export async function pinsOfNode(ipfsUrl: string): Promise<Map<string, string>> {
  const pins = new Map<string, string>();
  for (const type of ['recursive', 'direct']) {
    const response = await fetch(`${ipfsUrl}/api/v0/pin/ls?type=${type}`, {
      method: 'POST',
      signal: AbortSignal.timeout(requestLimitMs),
    });
    if (!response.ok) throw new Error(`Cannot list the pins of ${ipfsUrl}: ${await response.text()}`);
    // Kubo leaves the keys out when there are none.
    const { Keys = {} } = (await response.json()) as { Keys?: Readonly<Record<string, unknown>> };
    for (const cid of Object.keys(Keys)) pins.set(cid, type);
  }
  return pins;
}

async function postForLines(url: string, body: FormData): Promise<string[]> {
  const response = await fetch(url, { method: 'POST', body });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot add to ${new URL(url).host}: ${text}`);
  return text.split('\n').filter((line) => line !== '');
}
