/** `ipfs-cluster-service`: the entry. Commands are loaded when they are asked for. */
import { fileURLToPath } from 'node:url';
import { lineOf } from './failure.ts';
import { type CleanupFlags, type GlobalOptions, runProgram } from './program.ts';

const environment = process.env;
async function folderPathOf({ config }: GlobalOptions): Promise<string> {
  return config ?? (await import('../../io/config/index.ts')).defaultFolderPath(environment);
}
/** On a full disk as well, lines for the user end nothing. */
process.stderr.on('error', () => {});
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

/** A full disk, or a reader that is gone. */
let onOutputFailure = (error: Error): void => {
  tell(`error writing the output: ${error.message}`);
  process.exit(1);
};
process.stdout.on('error', (error) => onOutputFailure(error));

const isYes = ({ force, yes }: CleanupFlags, global: GlobalOptions): boolean =>
  (force ?? false) || (yes ?? false) || (global.force ?? false);
const stateDeps = async (global: GlobalOptions) => ({ folderPath: await folderPathOf(global), environment, tell });

try {
  const code = await runProgram(process.argv.slice(2), {
    async init(flags, global, source) {
      const { init } = await import('./init.ts');
      const { ask } = await import('./ask.ts');
      await init(
        {
          consensus: flags.consensus,
          datastore: flags.datastore,
          isSecretAsked: flags.customSecret ?? false,
          peers: flags.peers,
          isForced: (flags.force ?? false) || (global.force ?? false),
          hasRandomPorts: flags.randomports ?? false,
          hasEmbeddedIpfs: flags.embeddedIpfs ?? false,
          source,
        },
        { folderPath: await folderPathOf(global), environment, ask, tell },
      );
    },
    async daemon(flags, global) {
      const { daemon } = await import('./daemon.ts');
      const { createLogger } = await import('./logger.ts');
      const { parseLogLevels } = await import('./log-level.ts');
      const { attempt } = await import('./failure.ts');
      const text = global.loglevel ?? environment.IPFS_CLUSTER_LOG_LEVEL ?? '';
      const levels = await attempt('reading --loglevel', () => parseLogLevels(text, global.debug ?? false));
      const log = await createLogger({ levels, name: 'service', format: environment.GOLOG_LOG_FMT });
      const code = await daemon(
        {
          bootstrap: flags.bootstrap,
          leave: flags.leave ?? false,
          stats: flags.stats ?? false,
          tracing: flags.tracing ?? false,
        },
        {
          folderPath: await folderPathOf(global),
          environment,
          log,
          input: flags.endWithInput ? process.stdin : undefined,
          loadAssemble: async () => (await import('./assemble.ts')).assemble,
        },
      );
      // Whatever a library left open must not keep a stopped peer alive.
      process.exit(code);
    },
    async id(global) {
      const { peerFolder, readIdentity } = await import('../../io/config/index.ts');
      const { id } = await readIdentity(peerFolder(await folderPathOf(global)).identityFile, environment);
      console.log(id);
    },
    async demo(flags) {
      const stop = new AbortController();
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort());
      // Its peers stop in order, whoever reads.
      onOutputFailure = () => stop.abort();
      const options = {
        ...(flags.dir === undefined ? {} : { dir: flags.dir }),
        program: [process.argv[1] ?? fileURLToPath(import.meta.url)] as const,
        output: process.stdout,
        signal: stop.signal,
      };
      const code = flags.healing
        ? await (await import('./demo/healing.ts')).runHealing(options)
        : await (await import('./demo/demo.ts')).runDemo({ ...options, isTour: flags.tour ?? false });
      // An interrupted demo may still be waiting for peers that are gone.
      process.exit(code);
    },
    async stateExport({ file, wholeLog }, global) {
      const { exportState } = await import('./state/export.ts');
      const options = { file, isWholeLog: wholeLog ?? false };
      await exportState(options, { ...(await stateDeps(global)), output: process.stdout });
    },
    async stateImport(flags, global, file) {
      const { importState } = await import('./state/import.ts');
      const { ask, restOfInput } = await import('./ask.ts');
      const { replicationMin, replicationMax, allocations } = flags;
      const isForced = isYes(flags, global);
      const options = { file, isForced, isAlone: flags.alone ?? false, replicationMin, replicationMax, allocations };
      await importState(options, { ...(await stateDeps(global)), ask, input: restOfInput });
    },
    async stateCleanup(flags, global) {
      const { cleanupState } = await import('./state/cleanup.ts');
      const { ask } = await import('./ask.ts');
      await cleanupState({ isForced: isYes(flags, global) }, { ...(await stateDeps(global)), ask });
    },
    async stateDigest({ wholeLog }, global) {
      const { digestState } = await import('./state/digest.ts');
      const options = { isWholeLog: wholeLog ?? false };
      await digestState(options, { ...(await stateDeps(global)), print: (line) => console.log(line) });
    },
    print: (line) => console.log(line),
  });
  if (code !== 0) process.exitCode = code;
} catch (error) {
  tell(lineOf(error));
  process.exitCode = 1;
}
