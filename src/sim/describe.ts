/** Messages in a few words, for traces. */
import type { Request, Response } from '../core/raft/index.ts';

/** Whether one wants to see it before all others: votes that were given, entries and snapshots that were sent. */
export function isOutstanding(message: Request | Response): boolean {
  if (message.type === 'snapshot') return true;
  if (message.type === 'vote') return 'granted' in message && message.granted;
  return message.type === 'append' && 'entries' in message && message.entries.length > 0;
}

export function describeRequest(request: Request): string {
  switch (request.type) {
    case 'append': {
      const { prevIndex, prevTerm, entries, commit, term } = request;
      return `append of term ${term} after ${prevIndex}/${prevTerm}: ${entries.length} entries, commit ${commit}`;
    }
    case 'vote':
    case 'preVote':
      return `${request.type} of term ${request.term}, last ${request.lastIndex}/${request.lastTerm}`;
    case 'snapshot':
      return `snapshot of term ${request.term} up to ${request.base.index}/${request.base.term}`;
    case 'timeoutNow':
      return request.type;
  }
}

export function describeResponse(response: Response): string {
  if (response.type === 'timeoutNow') return response.type;
  const isYes = 'success' in response ? response.success : response.granted;
  return `${response.type} ${isYes ? 'yes' : 'no'} in term ${response.term}`;
}
