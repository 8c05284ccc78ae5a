/** `ipfs-cluster-service state cleanup`. Source: Go `cmd/ipfs-cluster-service/main.go`, `consensus/raft/data_helper.go`. */
import { confirm, type Terminal } from '../ask.ts';
import { attempt } from '../failure.ts';
import { type StateDeps, withLockedFolder } from './state-folder.ts';

/** Makes the data of Raft a backup, so that the peer starts anew. Does nothing when the user declines. Throws `Failure`. */
export async function cleanupState(
  { isForced }: { readonly isForced: boolean },
  deps: StateDeps & Terminal,
): Promise<void> {
  await withLockedFolder(deps, async ({ raftFolder }) => {
    const question = 'The pinset of this peer, and its membership, will be removed (a backup is kept). Continue?';
    if (!isForced && !(await confirm(question, deps))) return;
    const isThere = await raftFolder.hasData();
    await attempt('cleaning the state', () => raftFolder.moveAway());
    deps.tell(isThere ? `state cleaned: it is kept as ${raftFolder.path}.old.0` : 'there was no state to clean');
  });
}
