/** `ipfs-cluster-service state export`. Source: Go `cmd/ipfs-cluster-service/main.go`, `cmdutils/state.go`. */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { errorMessage } from '../../../base/index.ts';
import { type Pin, pinJson } from '../../../model/index.ts';
import { attempt } from '../failure.ts';
import { type PinsetSource, type SourceOptions, withPinset } from './pinset-source.ts';
import type { StateDeps } from './state-folder.ts';

export interface ExportOptions extends SourceOptions {
  /** Where to; absent: the output. */
  readonly file: string | undefined;
}

export interface ExportDeps extends StateDeps {
  readonly output: Writable;
}

/** Writes one pin a line. A file is replaced when all is written. Throws `Failure`. */
export async function exportState(options: ExportOptions, deps: ExportDeps): Promise<void> {
  const count = await withPinset(options, deps, (source) =>
    options.file === undefined ? toOutput(source, deps.output) : toFile(source, options.file),
  );
  deps.tell(`state successfully exported: ${count} ${count === 1 ? 'pin' : 'pins'}`);
}

type Write = (text: string) => Promise<void>;

/** @returns the number of pins. */
async function copy({ pages }: PinsetSource, write: Write): Promise<number> {
  let count = 0;
  for await (const pins of pages) {
    if (pins.length > 0) await attempt('writing the export', () => write(linesOf(pins)));
    count += pins.length;
  }
  return count;
}

function linesOf(pins: readonly Pin[]): string {
  return pins.map((pin) => `${pinJson.print(pin)}\n`).join('');
}

async function toOutput(source: PinsetSource, output: Writable): Promise<number> {
  // The write that meets a reader that is gone fails; the event says it once more.
  output.on('error', () => {});
  return await copy(
    source,
    (text) => new Promise((resolve, reject) => void output.write(text, (error) => (error ? reject(error) : resolve()))),
  );
}

async function toFile(source: PinsetSource, path: string): Promise<number> {
  // A pipe or a device is written as it is.
  const isReplaced = await stat(path).then(
    (found) => found.isFile(),
    () => true,
  );
  const target = isReplaced ? `${path}.part` : path;
  const file = await attempt('creating the export file', () => opened(target, path));
  try {
    const count = await copy(source, (text) => file.appendFile(text));
    await attempt('writing the export', async () => {
      if (isReplaced) await file.sync();
      await file.close();
      if (isReplaced) await rename(target, path);
    });
    return count;
  } catch (error) {
    // The first failure is the one that counts.
    await file.close().catch(() => {});
    if (isReplaced) await rm(target, { force: true });
    throw error;
  }
}

/** A failure names the file that the user has named. */
async function opened(target: string, path: string): Promise<FileHandle> {
  try {
    return await open(target, 'w');
  } catch (error) {
    throw new Error(errorMessage(error).replace(target, path), { cause: error });
  }
}
