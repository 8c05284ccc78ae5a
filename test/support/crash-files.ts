/**
 * A file system in memory that fails and forgets: the `Files` of the store, as bad as a real one is allowed to be.
 *
 * - A crash of the machine keeps what was synced. Of the rest, each sector of a write and each change of a folder is kept or lost on
 *   its own, in any order.
 * - The end of a process alone loses nothing, and makes nothing durable.
 * - A write that fails has written a part. A sync that fails has synced nothing, and what it should have synced looks clean
 *   afterwards: later syncs do not write it, readers see it until the machine crashes.
 */
import { basename, dirname, join } from 'node:path';
import type { SeededRandom } from '../../src/base/index.ts';
import type { Files, OpenFile, OpenMode } from '../../src/io/store/files.ts';

const sectorBytes = 512;

/** Thrown by every act after the end. */
export class Ended extends Error {
  override readonly name = 'Ended';
}

interface Change {
  readonly position: number;
  readonly bytes: Uint8Array;
}

class MemoryFile {
  /** What readers see. */
  seen: Uint8Array = new Uint8Array(0);
  durable: Uint8Array = new Uint8Array(0);
  /** What the next sync makes durable. */
  dirty: Change[] = [];

  change(change: Change): void {
    this.seen = changed(this.seen, change);
    this.dirty.push(change);
  }

  sync(): void {
    for (const change of this.dirty) this.durable = changed(this.durable, change);
    this.dirty = [];
  }

  forget(): void {
    this.dirty = [];
  }

  crash(random: SeededRandom): void {
    for (const change of this.dirty) {
      for (const sector of sectorsOf(change)) {
        if (random.integer(2) === 0) this.durable = changed(this.durable, sector);
      }
    }
    this.dirty = [];
    this.seen = this.durable;
  }
}

type Node = MemoryFile | MemoryFolder;
type Names = Map<string, Node>;

class MemoryFolder {
  seen: Names = new Map();
  durable: Names = new Map();
  /** Each all or nothing. */
  dirty: ((names: Names) => void)[] = [];

  change(change: (names: Names) => void): void {
    change(this.seen);
    this.dirty.push(change);
  }

  sync(): void {
    for (const change of this.dirty) change(this.durable);
    this.dirty = [];
  }

  crash(random: SeededRandom): void {
    for (const change of this.dirty) if (random.integer(2) === 0) change(this.durable);
    this.dirty = [];
    this.seen = new Map(this.durable);
    for (const node of this.seen.values()) node.crash(random);
  }
}

function changed(bytes: Uint8Array, { position, bytes: added }: Change): Uint8Array {
  const result = new Uint8Array(Math.max(bytes.length, position + added.length));
  result.set(bytes, 0);
  result.set(added, position);
  return result;
}

function* sectorsOf({ position, bytes }: Change): Generator<Change> {
  for (let from = position; from < position + bytes.length; ) {
    const to = Math.min((Math.floor(from / sectorBytes) + 1) * sectorBytes, position + bytes.length);
    yield { position: from, bytes: bytes.subarray(from - position, to - position) };
    from = to;
  }
}

/** What is to happen to an act: nothing, an error of that code, or the end before, in the middle or after it. */
export type Fate = { readonly code: string } | 'end' | undefined;

/** How an act may go. */
interface Ways {
  readonly done: () => void;
  /** With an error; nothing by default. */
  readonly failed?: () => void;
  /** In the middle of it the process ends; nothing by default. */
  readonly cut?: () => void;
}

/** The file system. Paths are absolute. */
export class CrashFiles implements Files {
  readonly #random: SeededRandom;
  readonly #root = new MemoryFolder();
  #life = 0;
  #hasEnded = false;
  /** What `freeBytes` says. */
  free: number = Number.POSITIVE_INFINITY;
  /** Acts so far that change something, in words. */
  readonly trace: string[] = [];
  /** Asked before each of them; `number` counts from 1, from the last restart on. */
  fateOf: (number: number, act: string) => Fate = () => undefined;
  #number = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** The process is gone; a new one begins. */
  restart(): void {
    this.#life++;
    this.#hasEnded = false;
    this.#number = 0;
    this.fateOf = () => undefined;
  }

  /** The machine lost its power; a new process begins. */
  crash(): void {
    this.#root.crash(this.#random);
    this.restart();
  }

  /** Bytes of a file as readers see them. */
  bytesOf(path: string): Uint8Array {
    return this.#file(path).seen;
  }

  /** Puts a file there, durably and behind everyone's back; `undefined` takes it away. */
  replace(path: string, bytes: Uint8Array | undefined): void {
    const folder = this.#folder(dirname(path));
    const file = new MemoryFile();
    file.change({ position: 0, bytes: bytes ?? new Uint8Array(0) });
    file.sync();
    folder.change((names) => (bytes === undefined ? names.delete(basename(path)) : names.set(basename(path), file)));
    folder.sync();
  }

  async list(folder: string): Promise<readonly string[]> {
    this.#live();
    const node = this.#find(folder);
    return node instanceof MemoryFolder ? [...node.seen.keys()] : [];
  }

  async makeFolder(folder: string): Promise<void> {
    this.#live();
    if (this.#find(folder) !== undefined) return;
    await this.makeFolder(dirname(folder));
    this.#act(`makeFolder ${folder}`, {
      done: () => {
        const made = new MemoryFolder();
        const parent = this.#folder(dirname(folder));
        parent.change((names) => names.set(basename(folder), made));
        parent.sync();
      },
    });
  }

  async open(
    path: string,
    mode: OpenMode,
    { isDurable }: { readonly isDurable: boolean } = { isDurable: false },
  ): Promise<OpenFile> {
    this.#live();
    const found = this.#find(path);
    if (mode !== 'create') {
      if (!(found instanceof MemoryFile)) throw systemError('ENOENT', `open ${path}`);
      return this.#opened(path, found, isDurable);
    }
    if (found !== undefined) throw systemError('EEXIST', `open ${path}`);
    const made = new MemoryFile();
    this.#act(`create ${path}`, {
      done: () => this.#folder(dirname(path)).change((names) => names.set(basename(path), made)),
    });
    return this.#opened(path, made, isDurable);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#live();
    const node = this.#find(from);
    if (node === undefined) throw systemError('ENOENT', `rename ${from}`);
    if (dirname(from) !== dirname(to)) throw new RangeError('names are changed within one folder');
    const other = this.#find(to);
    if (other instanceof MemoryFolder && other.seen.size > 0) throw systemError('ENOTEMPTY', `rename ${from}`);
    this.#act(`rename ${from} ${to}`, {
      done: () =>
        this.#folder(dirname(from)).change((names) => {
          // A crash may have lost the name.
          if (names.get(basename(from)) !== node) return;
          names.delete(basename(from));
          names.set(basename(to), node);
        }),
    });
  }

  async remove(path: string): Promise<void> {
    this.#live();
    const node = this.#find(path);
    if (node === undefined) return;
    // A folder goes piece by piece.
    if (node instanceof MemoryFolder) for (const name of [...node.seen.keys()]) await this.remove(join(path, name));
    this.#act(`remove ${path}`, {
      done: () =>
        this.#folder(dirname(path)).change((names) => {
          if (names.get(basename(path)) === node) names.delete(basename(path));
        }),
    });
  }

  async freeBytes(): Promise<number> {
    return this.free;
  }

  async syncFolder(folder: string): Promise<void> {
    this.#live();
    const node = this.#folder(folder);
    this.#act(`syncFolder ${folder}`, { done: () => node.sync() });
  }

  #opened(path: string, file: MemoryFile, isDurable: boolean): OpenFile {
    const life = this.#life;
    const act = (text: string, ways: Ways): void => {
      if (life !== this.#life) throw new Ended(text);
      this.#act(text, ways);
    };
    return {
      size: async () => file.seen.length,
      read: async (position, length) => file.seen.slice(position, position + length),
      write: async (chunks, position) => {
        const bytes = new Uint8Array(Buffer.concat(chunks));
        const write = (count: number): void => file.change({ position, bytes: bytes.subarray(0, count) });
        const part = (): void => write(this.#random.integer(bytes.length + 1));
        act(`write ${path} ${position}+${bytes.length}`, {
          done: () => {
            write(bytes.length);
            if (isDurable) file.sync();
          },
          failed: () => {
            const isSyncFailure = isDurable && this.#random.integer(2) === 0;
            if (!isSyncFailure) part();
            else {
              write(bytes.length);
              file.forget();
            }
          },
          cut: part,
        });
      },
      sync: async () => act(`sync ${path}`, { done: () => file.sync(), failed: () => file.forget() }),
      close: async () => {},
    };
  }

  #act(text: string, { done, failed = () => {}, cut = () => {} }: Ways): void {
    this.#live();
    this.trace.push(text);
    const fate = this.fateOf(++this.#number, text);
    if (fate === undefined) {
      done();
    } else if (fate === 'end') {
      if (this.#random.integer(4) === 0) done();
      else cut();
      this.#hasEnded = true;
      throw new Ended(text);
    } else {
      failed();
      throw systemError(fate.code, text);
    }
  }

  #live(): void {
    if (this.#hasEnded) throw new Ended('the process has ended');
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      node = node instanceof MemoryFolder ? node.seen.get(name) : undefined;
    }
    return node;
  }

  #folder(path: string): MemoryFolder {
    const node = this.#find(path);
    if (!(node instanceof MemoryFolder)) throw systemError('ENOENT', path);
    return node;
  }

  #file(path: string): MemoryFile {
    const node = this.#find(path);
    if (!(node instanceof MemoryFile)) throw systemError('ENOENT', path);
    return node;
  }
}

function systemError(code: string, text: string): Error {
  return Object.assign(new Error(`${code}: ${text}`), { code });
}
