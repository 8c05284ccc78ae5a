/**
 * What `add` sends: files and folders of this machine, and what is behind URLs. Names are collected first, content is read when its turn
 * comes.
 * Source: Go `api/rest/client/methods.go` `Add`, boxo `files/serialfile.go`.
 */
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, join, normalize, resolve } from 'node:path';
import { errorMessage } from '../../../base/index.ts';
import type { UploadEntry } from '../../../client/index.ts';
import { pathFailure } from '../arguments.ts';
import { LocalFailure } from '../command.ts';
import { contentOfUrl } from './url.ts';

export interface SourceOptions {
  /** Where relative paths begin. */
  readonly folder: string;
  readonly isRecursive: boolean;
  /** Take what is in folders and begins with a dot. */
  readonly hasHidden: boolean;
  /** Let the IPFS node refer to the URL rather than keep the content. */
  readonly isNoCopy: boolean;
}

export interface Sources {
  readonly entries: readonly UploadEntry[];
  /** Of all content; `undefined` where a URL is among it. */
  readonly totalBytes: number | undefined;
}

/** Large reads are few; two of them are in memory. */
const readSizeBytes = 262_144;

/** Throws `LocalFailure` for what is not there, or cannot be sent. */
export async function sourcesOf(paths: readonly string[], options: SourceOptions): Promise<Sources> {
  const entries: UploadEntry[] = [];
  let totalBytes: number | undefined = 0;
  for (const path of paths) {
    const url = urlOf(path);
    if (url !== undefined) {
      entries.push(urlEntry(url, options));
      totalBytes = undefined;
    } else {
      if (options.isNoCopy) throw new LocalFailure('', 'nocopy option is only valid for URLs');
      const bytes = await collect(path, options, entries);
      if (totalBytes !== undefined) totalBytes += bytes;
    }
  }
  return { entries, totalBytes };
}

function urlOf(path: string): URL | undefined {
  if (!/^https?:\/\//.test(path)) return undefined;
  try {
    return new URL(path);
  } catch (error) {
    throw new LocalFailure('parsing path', `${JSON.stringify(path)}: ${errorMessage(error)}`);
  }
}

function urlEntry(url: URL, { isNoCopy }: SourceOptions): UploadEntry {
  const name = basename(decoded(url.pathname)) || url.hostname;
  return { path: name, content: () => contentOfUrl(url), ...(isNoCopy ? { absolutePath: url.href } : {}) };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // A percent sign of the name itself.
    return path;
  }
}

/** @returns the bytes of the content */
async function collect(path: string, options: SourceOptions, entries: UploadEntry[]): Promise<number> {
  const clean = normalize(path).replace(/(?<=.)\/+$/, '');
  const full = resolve(options.folder, clean);
  const stat = await told('lstat', clean, () => lstat(full));
  if (stat.isDirectory() && !options.isRecursive) {
    throw new LocalFailure('', `${clean} is a directory, but Recursive option is not set`);
  }
  // The working folder and those above it have their names elsewhere.
  const name = /(^|\/)\.{1,2}$/.test(clean)
    ? basename(await told('lstat', clean, () => realpath(full)))
    : basename(clean);
  return collectAt({ full, shown: clean, path: name }, stat, options, entries);
}

/** A place on disk: where it is, how the user calls it, and its path in the upload. */
interface Place {
  readonly full: string;
  readonly shown: string;
  readonly path: string;
}

async function collectAt(
  place: Place,
  stat: Awaited<ReturnType<typeof lstat>>,
  options: SourceOptions,
  entries: UploadEntry[],
): Promise<number> {
  const { full, shown, path } = place;
  if (stat.isFile()) {
    entries.push({ path, content: () => contentOfFile(place) });
    return Number(stat.size);
  }
  if (stat.isSymbolicLink()) {
    entries.push({ path, kind: 'symlink', content: await told('readlink', shown, () => readlink(full)) });
    return 0;
  }
  if (!stat.isDirectory()) throw new LocalFailure('', `${shown} is no file, folder or symbolic link`);
  entries.push({ path, kind: 'directory' });
  let bytes = 0;
  const names = await told('open', shown, () => readdir(full));
  for (const name of names.sort()) {
    if (name.startsWith('.') && !options.hasHidden) continue;
    const child = { full: join(full, name), shown: join(shown, name), path: `${path}/${name}` };
    const childStat = await told('lstat', child.shown, () => lstat(child.full));
    bytes += await collectAt(child, childStat, options, entries);
  }
  return bytes;
}

async function* contentOfFile({ full, shown }: Place): AsyncIterable<Uint8Array> {
  try {
    yield* createReadStream(full, { highWaterMark: readSizeBytes });
  } catch (error) {
    throw pathFailure('open', shown, error);
  }
}

async function told<T>(doing: string, path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw pathFailure(doing, path, error);
  }
}
