/** What the system says of a process (Linux `/proc`, see proc(5)). */
import { readFile } from 'node:fs/promises';

/** Resident memory, in units of 1,048,576 bytes. */
export async function residentMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

/**
 * The same without the pages of mapped files: LevelDB maps its tables, so that a walk over all pins makes them resident for as
 * long as the system has no other use for the memory.
 */
export async function anonymousMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

/** User and system time so far; Linux counts in hundredths of a second. */
export async function cpuSeconds(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
