/** What a handler works with. */
import type { ClusterApi } from '../../cluster/ports.ts';
import type { Time } from '../../model/index.ts';
import type { ApiCall } from '../kit/index.ts';
import type { SharedLists } from './shared-lists.ts';

/** What all handlers answer from. */
export interface ContextDeps {
  readonly cluster: ClusterApi;
  readonly now: () => Time;
  /** Of this API. */
  readonly lists: SharedLists;
}

/** A request with what it is answered from. */
export type Context = ApiCall & ContextDeps;

/** The call itself, which then has both. */
export function createContext(call: ApiCall, { cluster, now, lists }: ContextDeps): Context {
  return Object.assign(call, { cluster, now, lists });
}
