/**
 * Data that is made beside a folder and then takes its place.
 *
 * `<folder>.import` is being made and worth nothing. Once complete it is renamed to `<folder>.next`; from then on it is the data of
 * the peer, and whoever uses the folder first moves what is there away and puts it in its place. A crash at any point leaves the old
 * data or the new.
 */
import { basename, dirname } from 'node:path';
import type { Files } from './files.ts';

/** Where the data is made. */
export function stagePath(folder: string): string {
  return `${folder}.import`;
}

/** Removes what an attempt before has left. */
export async function clearStage(folder: string, files: Files): Promise<void> {
  await files.remove(stagePath(folder));
}

/** The data in `stagePath` is complete and closed. */
export async function adoptStage(folder: string, moveAway: () => Promise<void>, files: Files): Promise<void> {
  await files.syncFolder(stagePath(folder));
  await files.rename(stagePath(folder), nextPath(folder));
  await files.syncFolder(dirname(folder));
  await finishAdoption(folder, moveAway, files);
}

/** Carries out to its end what a crash has interrupted; usually there is nothing to do. */
export async function finishAdoption(folder: string, moveAway: () => Promise<void>, files: Files): Promise<void> {
  const parent = dirname(folder);
  if (!(await files.list(parent)).includes(basename(nextPath(folder)))) return;
  await moveAway();
  await files.rename(nextPath(folder), folder);
  await files.syncFolder(parent);
}

function nextPath(folder: string): string {
  return `${folder}.next`;
}
