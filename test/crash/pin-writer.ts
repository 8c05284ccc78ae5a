/**
 * Child process of the crash tests: an IPFS node that pins for ever, ten at a time, and removes every third pin again.
 *
 * Line on stdout: `pinned <n>` or `removed <n>`, when it is durable. Pin number n is of the block that `pinnedBlock` makes.
 * Arguments: the folder, the number before the first.
 */
import { hash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { type Block, createIpfsNode } from '../../src/ipfs-node/index.ts';

const rawCodec = 0x55;
const sha256Code = 0x12;
const atOnce = 10;

/** The block of pin number n. */
export function pinnedBlock(n: number): Block {
  const bytes = new TextEncoder().encode(`block ${n}`);
  return { cid: CID.createV1(rawCodec, create(sha256Code, hash('sha256', bytes, 'buffer'))), bytes };
}

async function writeForEver(folder: string, before: number): Promise<void> {
  const node = createIpfsNode({ folder, swarmListen: ['/ip4/127.0.0.1/tcp/0'] });
  await node.start();
  let last = before;
  const pin = async (n: number): Promise<void> => {
    const block = pinnedBlock(n);
    const operation = node.begin();
    try {
      await operation.put(block.cid, block.bytes);
      await node.pins.add(block.cid, { operation });
      writeSync(1, `pinned ${n}\n`);
    } finally {
      operation.end();
    }
    if (n % 3 !== 0) return;
    await node.pins.rm(block.cid);
    writeSync(1, `removed ${n}\n`);
  };
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (;;) await pin(++last);
    }),
  );
}

if (import.meta.main) await writeForEver(process.argv[2] ?? '', Number(process.argv[3]));
