/**
 * The peerstore file: addresses of other members, one a line, the best first. Source: Go `pstoremgr/pstoremgr.go`.
 *
 * A Go peer writes all of it at an orderly end. Here it is kept up to date while the peer runs, for a peer that is killed must find
 * the others again; and what an operator has written stays: the peer writes below a line of its own, which is a comment to both.
 */
import { errorMessage } from '../../base/index.ts';
import type { AddressFile } from '../../cluster/ports.ts';
import type { Warn } from '../../model/config/index.ts';
import { type Multiaddr, type PeerId, parseMultiaddr, peerIdOfMultiaddr } from '../../model/index.ts';
import { badFile } from './errors.ts';
import { readText, writeText } from './file.ts';

const ownPart =
  '# kept up to date by the running peer from here on; lines above stay until their peer leaves the cluster';

/** Lines that do not begin with `/` are comments; one that is no address of a peer is told to `warn` and left out. */
export async function readPeerstore(path: string, warn: Warn): Promise<readonly Multiaddr[]> {
  const addresses = new Set<Multiaddr>();
  for (const [index, line] of ((await readText(path)) ?? '').split('\n').entries()) {
    const text = line.trim();
    if (!text.startsWith('/')) continue;
    try {
      const address = parseMultiaddr(text);
      if (peerIdOfMultiaddr(address) === undefined) throw badFile(path, 'expected /p2p/<peer id> at its end');
      addresses.add(address);
    } catch (error) {
      warn(`${path}: line ${index + 1} is left out: ${errorMessage(error)}`);
    }
  }
  return [...addresses];
}

/** Replaces the file. */
export async function writePeerstore(path: string, addresses: readonly Multiaddr[]): Promise<void> {
  await writeText(path, linesOf(addresses), 0o644);
}

/** The file of a peer that runs. Errors of `save`: `config/bad-file`. */
export function peerstoreOf(path: string): AddressFile {
  return {
    path,
    save: async (addresses, left) => {
      const before = (await readText(path)) ?? '';
      const after = savedPeerstore(before, addresses, left);
      if (after !== before) await writeText(path, after, 0o644);
    },
  };
}

/** The text of the file with these addresses, which are all that the peer's own part has then, and without the peers that have left. */
function savedPeerstore(text: string, addresses: readonly Multiaddr[], left: readonly PeerId[]): string {
  const all = text.split('\n');
  // An editor may have given the file other line ends.
  const own = all.findIndex((line) => line.trim() === ownPart);
  const gone = new Set(left);
  const lines = own < 0 ? all : all.slice(0, own);
  // What follows the last line break is no line.
  if (own < 0 && lines.at(-1) === '') lines.pop();
  const kept = lines.filter((line) => !gone.has(peerOf(line) ?? ''));
  const known = new Set(kept.map((line) => addressOf(line)));
  const added = addresses.filter((address) => !known.has(address));
  if (added.length === 0 && own < 0 && kept.length === lines.length) return text;
  return linesOf([...kept, ...(added.length === 0 ? [] : [ownPart, ...added])]);
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** `undefined`: a comment, or nothing that can be read. */
function addressOf(line: string): Multiaddr | undefined {
  const text = line.trim();
  if (!text.startsWith('/')) return undefined;
  try {
    return parseMultiaddr(text);
  } catch {
    return undefined;
  }
}

function peerOf(line: string): PeerId | undefined {
  const address = addressOf(line);
  return address === undefined ? undefined : peerIdOfMultiaddr(address);
}
