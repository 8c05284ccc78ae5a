/** The peerstore file: addresses of other members, one a line, the best first. Source: Go `pstoremgr/pstoremgr.go`. */
import { errorMessage } from '../../base/index.ts';
import type { Warn } from '../../model/config/index.ts';
import { type Multiaddr, parseMultiaddr, peerIdOfMultiaddr } from '../../model/index.ts';
import { badFile } from './errors.ts';
import { readText, writeText } from './file.ts';

/** Lines that do not begin with `/` are comments; one that is no address of a peer is told to `warn` and left out. */
export async function readPeerstore(path: string, warn: Warn): Promise<readonly Multiaddr[]> {
  const addresses: Multiaddr[] = [];
  for (const [index, line] of ((await readText(path)) ?? '').split('\n').entries()) {
    const text = line.trim();
    if (!text.startsWith('/')) continue;
    try {
      const address = parseMultiaddr(text);
      if (peerIdOfMultiaddr(address) === undefined) throw badFile(path, 'expected /p2p/<peer id> at its end');
      addresses.push(address);
    } catch (error) {
      warn(`${path}: line ${index + 1} is left out: ${errorMessage(error)}`);
    }
  }
  return addresses;
}

/** Replaces the file. */
export async function writePeerstore(path: string, addresses: readonly Multiaddr[]): Promise<void> {
  await writeText(path, addresses.map((address) => `${address}\n`).join(''), 0o644);
}
