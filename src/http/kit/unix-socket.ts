/** Unix sockets to listen on. */
import { once } from 'node:events';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { errorCode } from '../../base/index.ts';

/** Removes a socket file that nobody listens on, left from a peer that was killed. Other files are not touched. */
export async function removeStaleSocket(path: string): Promise<void> {
  if (!(await isSocket(path))) return;
  const probe = connect({ path });
  try {
    await once(probe, 'connect');
  } catch (error) {
    if (errorCode(error) === 'ECONNREFUSED') await unlink(path);
  } finally {
    probe.destroy();
  }
}

/** Keeps strangers of the machine away, whatever the file mode creation mask says. */
export async function protectSocket(path: string): Promise<void> {
  const { mode } = await lstat(path);
  await chmod(path, mode & 0o770);
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSocket();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
