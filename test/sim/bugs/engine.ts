/** Bugs around the engine: it is lied to, or what it says is changed. */
import type { Input, LogIndex, Output, Raft, Result, Term } from '../../../src/core/raft/index.ts';
import { over } from '../../../src/sim/over.ts';

/** Changes what comes in and what goes out. */
function between(raft: Raft, incoming: (input: Input) => Input, outgoing: (output: Output) => Output): Raft {
  return over(raft, { step: (input) => raft.step(incoming(input)), take: () => outgoing(raft.take()) });
}

/** What was proposed, where it went, and what the engine has said of it since. */
class Proposals {
  readonly at = new Map<number, { readonly index: LogIndex; readonly term: Term }>();

  /** Steps the engine, and notes which proposals it has taken. */
  step(raft: Raft, input: Input): void {
    const before = raft.status();
    raft.step(input);
    const { lastIndex } = raft.status();
    if (input.type !== 'propose' || lastIndex === before.lastIndex) return;
    let index = lastIndex - Math.min(lastIndex - before.lastIndex, input.proposals.length);
    for (const { id } of input.proposals) if (index < lastIndex) this.at.set(id, { index: ++index, term: before.term });
  }

  /** Refuses some; what the engine says of them later is dropped. */
  refuse(output: Output, isRefused: (index: LogIndex) => boolean): Output {
    const refused: Result[] = [];
    const known = output.results.filter(({ id }) => !this.#gone.has(id));
    for (const { id } of known) this.at.delete(id);
    for (const [id, { index }] of this.at) {
      if (!isRefused(index)) continue;
      this.at.delete(id);
      this.#gone.add(id);
      refused.push({ id, outcome: 'refused', reason: 'superseded', leader: undefined });
    }
    return { ...output, results: [...known, ...refused] };
  }

  readonly #gone = new Set<number>();
}

export function refusesWhatWasCut(raft: Raft): Raft {
  const proposals = new Proposals();
  return over(raft, {
    step: (input) => proposals.step(raft, input),
    take: () => {
      const output = raft.take();
      const cuts = output.write?.flatMap((op) => (op.type === 'cut' ? [op.from] : [])) ?? [];
      return proposals.refuse(output, (index) => cuts.some((from) => index >= from));
    },
  });
}

export function refusesWhenSteppingDown(raft: Raft): Raft {
  const proposals = new Proposals();
  let wasLeader = false;
  return over(raft, {
    step: (input) => proposals.step(raft, input),
    take: () => {
      const output = raft.take();
      const isLeader = raft.status().role === 'leader';
      const hasLeft = wasLeader && !isLeader;
      wasLeader = isLeader;
      return proposals.refuse(output, () => hasLeft);
    },
  });
}

export function ignoresTermOfWaiters(raft: Raft): Raft {
  const proposals = new Proposals();
  return over(raft, {
    step: (input) => proposals.step(raft, input),
    take: () => {
      const output = raft.take();
      const results = output.results.map((result): Result => {
        const placed = proposals.at.get(result.id);
        if (placed === undefined || result.outcome !== 'refused' || result.reason !== 'superseded') return result;
        return { id: result.id, outcome: 'applied', ...placed };
      });
      return { ...output, results };
    },
  });
}

/** Whoever takes a snapshot goes on with the members it knew. */
export function keepsOwnConfiguration(raft: Raft): Raft {
  const incoming = (input: Input): Input => {
    if (input.type !== 'request' || input.request.type !== 'snapshot') return input;
    const { configuration, configurationIndex } = raft.status();
    const base = { ...input.request.base, configuration, configurationIndex };
    if (configurationIndex > base.index) return input;
    return { ...input, request: { ...input.request, base } };
  };
  return between(raft, incoming, (output) => output);
}

/** A snapshot says who the members are now, not as of its index. */
export function snapshotsWithLatestMembers(raft: Raft): Raft {
  return over(raft, {
    baseAt: (index) => {
      const { configuration, configurationIndex } = raft.status();
      return { ...raft.baseAt(index), configuration, configurationIndex: Math.min(index, configurationIndex) };
    },
  });
}

export function heartbeatsCarryCommit(raft: Raft): Raft {
  return between(
    raft,
    (input) => input,
    (output) => ({
      ...output,
      calls: output.calls.map((call) => {
        const { request } = call;
        if (request.type !== 'append' || request.prevIndex > 0 || request.entries.length > 0) return call;
        return { ...call, request: { ...request, commit: raft.status().commit } };
      }),
    }),
  );
}

export function ignoresHigherTerms(raft: Raft): Raft {
  const incoming = (input: Input): Input => {
    // Pre-votes answer with the term that was asked for.
    if (input.type !== 'response' || !('term' in input.response) || input.response.type === 'preVote') return input;
    const term = Math.min(input.response.term, raft.status().term);
    return { ...input, response: { ...input.response, term } };
  };
  return between(raft, incoming, (output) => output);
}

export function votesThoughLeaderIsHeard(raft: Raft): Raft {
  const incoming = (input: Input): Input => {
    if (input.type !== 'request' || input.request.type !== 'vote') return input;
    return { ...input, request: { ...input.request, leadershipTransfer: true } };
  };
  return between(raft, incoming, (output) => output);
}

/** Whoever looks for what waits to be applied finds nothing. */
export function hidesUnapplied(raft: Raft): Raft {
  return over(raft, { entry: (index) => (index > raft.status().applied ? undefined : raft.entry(index)) });
}
