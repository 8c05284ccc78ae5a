/** Answers to the shell: see `scripts.ts`. */
import { printable } from '../../../base/index.ts';
import type { Client } from '../../../client/index.ts';
import type { CtlIo } from '../command.ts';
import type { Connected } from '../globals.ts';
import type { Candidate, Place } from './place.ts';

/** Someone waits with the finger on the key. */
const askingMaxMs = 1000;

/** Prints the candidates for a place. `connect` is called only where the cluster must be asked; a cluster that is silent offers nothing. */
export async function complete(io: CtlIo, place: Place, connect: () => Connected): Promise<void> {
  const { wanted, begun, prefix } = place;
  if (wanted.kind === 'files') {
    io.stdout(':files\n');
    return;
  }
  let candidates: readonly Candidate[];
  try {
    candidates = wanted.kind === 'words' ? wanted.words : await asked(connect(), wanted.kind);
  } catch {
    // There is no place for a failure between two keystrokes.
    return;
  }
  for (const { text, about } of candidates) {
    const isMeant = text.startsWith(begun) || (wanted.kind === 'peers' && about.startsWith(begun));
    if (isMeant) io.stdout(`${printable(prefix + text)}${about === '' ? '' : `\t${printable(about)}`}\n`);
  }
}

async function asked({ client, close }: Connected, kind: 'peers' | 'metrics'): Promise<readonly Candidate[]> {
  try {
    return await ask(client, kind);
  } finally {
    await close();
  }
}

async function ask(client: Client, kind: 'peers' | 'metrics'): Promise<readonly Candidate[]> {
  const signal = AbortSignal.timeout(askingMaxMs);
  if (kind === 'metrics') return (await client.metricNames({ signal })).map((text) => ({ text, about: '' }));
  const peers: Candidate[] = [];
  for await (const { id, peername } of client.peers({ signal })) peers.push({ text: id, about: peername });
  return peers;
}
