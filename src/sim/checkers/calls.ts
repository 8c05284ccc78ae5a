/**
 * Calls between peers: an answer is one that was given to the same question, and every call ends. What a peer asks itself never leaves
 * the process and is not looked at.
 */
import type { RpcNode } from '../../io/rpc/index.ts';
import type { PeerId, RpcMethod } from '../../model/index.ts';
import { expect } from '../finding.ts';
import { over } from '../over.ts';

type Guard = (act: () => void) => void;
type Unary = RpcMethod<unknown, unknown>;
type Handler = (argument: unknown, context: { readonly from: PeerId }) => unknown;

export class CallChecker {
  /** What was answered, by question: who asked whom what. */
  readonly #answers = new Map<string, Set<string>>();
  /** Calls of each peer's present life that have not ended. */
  readonly #open = new Map<PeerId, { count: number }>();

  /** For one life of a peer. `guard` runs what may fail. */
  watch(self: PeerId, rpc: RpcNode, guard: Guard): RpcNode {
    const open = { count: 0 };
    this.#open.set(self, open);
    return over(rpc, {
      call: async (to, method, argument, options) => {
        open.count++;
        try {
          const reply = await rpc.call(to, method, argument, options);
          if (to !== self) {
            // Proof of the casts: argument and reply are those of the row.
            const question = questionOf(self, to, method as Unary, argument);
            guard(() => this.#check(question, answerOf(method as Unary, reply)));
          }
          return reply;
        } finally {
          open.count--;
        }
      },
      register: (rows, handlers) => {
        const watched: Record<string, unknown> = {};
        for (const [name, row] of Object.entries(rows)) {
          // Proof of the casts: `HandlersOf` demands under each key the handler of the row under the same key.
          const handler = handlers[name as keyof typeof handlers] as Handler;
          const method = row as Unary;
          watched[name] = method.kind === 'unary' ? this.#watched(self, method, handler) : handler;
        }
        rpc.register(rows, watched as typeof handlers);
      },
    });
  }

  openCalls(peer: PeerId): number {
    return this.#open.get(peer)?.count ?? 0;
  }

  #watched(self: PeerId, method: Unary, handler: Handler): Handler {
    return (argument, context) => {
      const { from } = context;
      const question = from === self ? undefined : questionOf(from, self, method, argument);
      const note = (reply: unknown): unknown => {
        if (question !== undefined) this.#answersTo(question).add(answerOf(method, reply));
        return reply;
      };
      const reply = handler(argument, context);
      return reply instanceof Promise ? reply.then(note) : note(reply);
    };
  }

  #answersTo(question: string): Set<string> {
    const answers = this.#answers.get(question) ?? new Set();
    this.#answers.set(question, answers);
    return answers;
  }

  #check(question: string, answer: string): void {
    const isRight = this.#answers.get(question)?.has(answer) ?? false;
    expect(isRight, 'answers belong to calls', () => {
      const [from, to, name] = question.split(' ');
      return `${from} called ${name} of ${to} and has an answer that was not given to that call`;
    });
  }
}

function questionOf(from: PeerId, to: PeerId, method: Unary, argument: unknown): string {
  const bytes = Buffer.from(method.argument.encode(argument)).toString('latin1');
  return `${from} ${to} ${method.service}.${method.name} ${bytes}`;
}

function answerOf(method: Unary, reply: unknown): string {
  return Buffer.from(method.reply.encode(reply)).toString('latin1');
}
