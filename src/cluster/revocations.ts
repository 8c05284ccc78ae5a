/**
 * Tokens that count no more: kept on each member by itself, told by the one that was asked to the others. Those that could not be told
 * ask the others themselves, when they have started and now and then.
 */
import { OperatingError } from '../base/index.ts';
import { methods, nothing, type PeerId, type RevocationAnswer, type RevokedToken } from '../model/index.ts';
import { Deadline } from './deadline.ts';
import { failureText, type MemberCallDeps, memberTimeoutMs } from './members-api.ts';
import type { CallOptions, RevocationFile } from './ports.ts';

/** Some hundred bytes each. Only those of tokens that never expire stay. */
const tokensMax = 20_000;
/** Clocks of members differ: a token stays on the list for this long after it has expired. */
const keptSeconds = 3600;
const hashForm = /^[0-9a-f]{64}$/;

export interface RevocationsDeps extends MemberCallDeps {
  /** Absent: the list is forgotten when the peer stops. */
  readonly revocationFile?: RevocationFile;
}

export class Revocations {
  readonly #self: PeerId;
  readonly #deps: RevocationsDeps;
  #tokens: ReadonlyMap<string, RevokedToken> = new Map();
  /** The file has all of them. */
  #isSaved = true;
  /** Saves follow each other. */
  #saved: Promise<void> = Promise.resolve();

  constructor(self: PeerId, deps: RevocationsDeps) {
    this.#self = self;
    this.#deps = deps;
  }

  /** Remembers the list of an earlier life. Throws `config/bad-file`. */
  async start(): Promise<void> {
    this.#tokens = byHash((await this.#deps.revocationFile?.read()) ?? []);
  }

  has(hash: string): boolean {
    return this.#tokens.has(hash);
  }

  /** All that this peer knows of. */
  list(): Iterable<RevokedToken> {
    return this.#tokens.values();
  }

  /** See `ClusterApi.revokeTokenLocal`. */
  async add(...tokens: readonly RevokedToken[]): Promise<void> {
    const done = this.#saved.then(() => this.#add(tokens));
    this.#saved = done.catch(() => {});
    await done;
  }

  /** Takes over what the other members know of. Those that do not answer, or are Go peers, are left out. */
  async learn(call: CallOptions): Promise<void> {
    const members = (await this.#deps.consensus.peers()).filter((peer) => peer !== this.#self);
    const found = await Promise.all(members.map((peer) => this.#knownTo(peer, call)));
    const unknown = byHash(found.flat().filter(({ hash }) => hashForm.test(hash) && !this.#tokens.has(hash)));
    if (unknown.size > 0 || !this.#isSaved) await this.add(...unknown.values());
  }

  /** See `ClusterApi.revokeToken`. */
  async addEverywhere(token: RevokedToken, call: CallOptions): Promise<RevocationAnswer> {
    const missed: Record<PeerId, string> = {};
    try {
      await this.add(token);
    } catch (error) {
      if (!this.has(token.hash)) throw error;
      // Here it counts no more, until the next start.
      missed[this.#self] = failureText(error);
    }
    const { rpc, consensus } = this.#deps;
    const members = (await consensus.peers()).filter((peer) => peer !== this.#self).toSorted();
    const failures = await Promise.all(
      members.map(async (peer) => {
        try {
          await rpc.call(peer, methods.Cluster.RevokeToken, token, { timeoutMs: memberTimeoutMs, ...call });
          return undefined;
        } catch (error) {
          return failureText(error);
        }
      }),
    );
    for (const [i, peer] of members.entries()) {
      const failure = failures[i];
      if (failure !== undefined) missed[peer] = failure;
    }
    return { missed };
  }

  async #knownTo(peer: PeerId, call: CallOptions): Promise<readonly RevokedToken[]> {
    const deadline = new Deadline(this.#deps.clock, memberTimeoutMs, call.signal);
    const tokens: RevokedToken[] = [];
    try {
      const answers = this.#deps.rpc.stream(peer, methods.Cluster.RevokedTokens, [nothing], {
        signal: deadline.signal,
      });
      for await (const token of answers) {
        tokens.push(token);
        if (tokens.length >= tokensMax) break;
      }
    } catch {
      // It is asked again; what it has said counts.
    } finally {
      deadline.end();
    }
    return tokens;
  }

  async #add(tokens: readonly RevokedToken[]): Promise<void> {
    if (!tokens.every(({ hash }) => hashForm.test(hash))) {
      throw new OperatingError('cluster/bad-token', 'Cannot revoke a token: expected the SHA-256 of its text in hex');
    }
    const added = tokens.filter(({ hash }) => !this.#tokens.has(hash));
    if (added.length === 0 && this.#isSaved) return;
    const nowSeconds = Number(this.#deps.clock.wallNanos() / 1_000_000_000n);
    const kept = [...this.#tokens.values()].filter(
      ({ expires }) => expires === 0 || expires + keptSeconds > nowSeconds,
    );
    if (kept.length + added.length > tokensMax) {
      const text = `Cannot revoke a token: ${tokensMax} are revoked already; change the passwords that signed them`;
      throw new OperatingError('cluster/revocations-full', text);
    }
    const all = [...kept, ...added];
    this.#tokens = byHash(all);
    this.#isSaved = false;
    await this.#deps.revocationFile?.save(all);
    this.#isSaved = true;
  }
}

function byHash(tokens: readonly RevokedToken[]): ReadonlyMap<string, RevokedToken> {
  return new Map(tokens.map((token) => [token.hash, token]));
}
