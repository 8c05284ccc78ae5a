/** The agreed pinset over the store that peers have. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openDatastore } from '../../src/io/store/index.ts';
import { pinsetConformance } from '../conformance/pinset.ts';

const root = await mkdtemp(join(tmpdir(), 'pinset-test-'));
after(() => rm(root, { recursive: true, force: true }));

pinsetConformance('LevelDB', () => openDatastore(join(root, randomUUID())));
