import { printable } from '../../../base/index.ts';
import { type Id, idJson } from '../../../model/index.ts';
import type { Form } from '../command.ts';
import type { Paint } from '../paint.ts';

/** A peer: what it listens on, and its IPFS node. */
export const idForm: Form<Id> = { json: idJson, text: idText };

function idText(id: Id, paint: Paint): string {
  if (id.error !== '') return `${paint('title', id.id)} | ${paint('bad', 'ERROR')}: ${id.error}\n`;
  const others = Math.max((id.clusterPeers ?? []).length - 1, 0);
  const head = `${paint('title', id.id)} | ${printable(id.peername)} | Sees ${others} other peers\n  > Addresses:\n${addressLines(id.addresses)}`;
  const error = id.ipfs?.error ?? '';
  if (error !== '') return `${head}  > ${paint('bad', 'IPFS ERROR')}: ${error}\n`;
  return `${head}  > IPFS: ${id.ipfs?.id ?? ''}\n${addressLines(id.ipfs?.addresses ?? null)}`;
}

function addressLines(addresses: readonly string[] | null): string {
  return [...(addresses ?? [])]
    .sort()
    .map((address) => `    - ${address}\n`)
    .join('');
}
