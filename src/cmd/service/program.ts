/** The command line of `ipfs-cluster-service`: flags and words, and what they lead to. */
import { Command, CommanderError, Option } from 'commander';
import { rewriteGoArguments, version } from '../../base/index.ts';

export interface GlobalOptions {
  readonly config?: string;
  readonly force?: boolean;
  readonly debug?: boolean;
  readonly loglevel?: string;
}

export interface InitFlags {
  readonly consensus: string;
  readonly datastore: string;
  readonly customSecret?: boolean;
  readonly peers: string;
  readonly force?: boolean;
  readonly randomports?: boolean;
  readonly embeddedIpfs?: boolean;
}

export interface DaemonFlags {
  readonly bootstrap: string;
  readonly leave?: boolean;
  readonly stats?: boolean;
  readonly tracing?: boolean;
  readonly endWithInput?: boolean;
}

export interface DemoFlags {
  readonly dir?: string;
  readonly tour?: boolean;
  readonly healing?: boolean;
}

export interface StateFlags {
  readonly wholeLog?: boolean;
}

export interface ExportFlags extends StateFlags {
  readonly file?: string;
}

export interface CleanupFlags {
  readonly force?: boolean;
  readonly yes?: boolean;
}

export interface ImportFlags extends CleanupFlags {
  readonly alone?: boolean;
  readonly replicationMin: string;
  readonly replicationMax: string;
  readonly allocations: string;
}

/** What each command does; all get the flags before the command as well. */
export interface Handlers {
  init(flags: InitFlags, global: GlobalOptions, source: string | undefined): Promise<void>;
  daemon(flags: DaemonFlags, global: GlobalOptions): Promise<void>;
  id(global: GlobalOptions): Promise<void>;
  demo(flags: DemoFlags): Promise<void>;
  stateExport(flags: ExportFlags, global: GlobalOptions): Promise<void>;
  stateImport(flags: ImportFlags, global: GlobalOptions, file: string | undefined): Promise<void>;
  stateCleanup(flags: CleanupFlags, global: GlobalOptions): Promise<void>;
  stateDigest(flags: StateFlags, global: GlobalOptions): Promise<void>;
  print(line: string): void;
}

/** Runs the command that the arguments name. Gives the exit code of usage errors and help; 0 otherwise. */
export async function runProgram(argv: readonly string[], handlers: Handlers): Promise<number> {
  const program = createProgram(handlers);
  try {
    await program.parseAsync(rewriteArguments(argv, program), { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
}

function createProgram(handlers: Handlers): Command {
  const program = new Command('ipfs-cluster-service')
    .description('Runs a peer of an IPFS cluster: peers agree on a pinset and keep it on their IPFS nodes.')
    .version(`ipfs-cluster-service version ${version}`, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .enablePositionalOptions()
    .exitOverride()
    .option(
      '-c, --config <FOLDER>',
      'folder of the peer: configuration, identity, data (default: ~/.ipfs-cluster) [$IPFS_CLUSTER_PATH]',
    )
    .option('-f, --force', 'do not ask before overwriting')
    .option('-d, --debug', 'log everything')
    .option(
      '-l, --loglevel <LEVELS>',
      'levels of the log, overall and by logger, as in "error,raft:debug" [$IPFS_CLUSTER_LOG_LEVEL]',
    );
  // Without a word: help and a failure, as in the Go program.
  program.action((_options, command: Command) => {
    const [unknown, ...words] = command.args;
    if (isHelpWord(unknown)) return helpOn(command, words);
    if (unknown !== undefined) process.stderr.write(`error: unknown command "${unknown}"\n`);
    command.outputHelp();
    throw new CommanderError(1, 'service.noCommand', 'no command');
  });
  program.allowExcessArguments();
  addInit(program, handlers);
  addDaemon(program, handlers);
  addState(program, handlers);
  program
    .command('id')
    .description('print the id of the peer')
    .action(() => handlers.id(program.opts()));
  program
    .command('version')
    .description('print the version')
    .action(() => handlers.print(version));
  program
    .command('demo')
    .description('run three peers with three IPFS nodes on this machine, and show what they do')
    .option('--dir <FOLDER>', 'keep everything in this folder (default: a temporary one)')
    .option('--tour', 'kill a peer, bring it back, prove that nothing is lost, and end')
    .addOption(
      new Option(
        '--healing',
        'lose one of five peers for good, drain another, prove that every pin is where it should be, and end',
      ).conflicts('tour'),
    )
    .action((flags: DemoFlags) => handlers.demo(flags));
  tellHelp(program, program.name());
  return program;
}

/** A wrong option is told with the place where the right ones are. */
function tellHelp(command: Command, name: string): void {
  command.showHelpAfterError(`For help: ${name} --help`);
  for (const child of command.commands) tellHelp(child, `${name} ${child.name()}`);
}

function isHelpWord(word: string | undefined): boolean {
  return word === 'help' || word === 'h';
}

/** `help init`, `state help export`: help of what the words name below the command. */
function helpOn(parent: Command, words: readonly string[]): void {
  let command = parent;
  for (const word of words) {
    const child = command.commands.find((candidate) => candidate.name() === word);
    if (child === undefined) {
      process.stderr.write(`No help topic for '${word}'\n`);
      throw new CommanderError(3, 'service.noTopic', 'no help topic');
    }
    command = child;
  }
  command.outputHelp();
}

function addInit(program: Command, handlers: Handlers): void {
  program
    .command('init')
    .description('make a configuration, an identity and a peerstore')
    .argument('[http-source-url]', 'place of a remote configuration (not available yet)')
    .option('--consensus <NAME>', 'raft; crdt is not available yet', 'raft')
    .addOption(
      new Option('--datastore <NAME>', 'where CRDT data is kept; Raft does not ask').default('pebble').hideHelp(),
    )
    .option('-s, --custom-secret', 'ask for the secret of the cluster instead of making one')
    .option('--peers <ADDRESSES>', 'members to start with, comma-separated, each with /p2p/<id>', '')
    .option('-f, --force', 'overwrite the configuration without asking')
    .option('--randomports', 'choose free ports instead of the usual ones')
    .option('--embedded-ipfs', 'run an IPFS node inside the peer instead of using one beside it')
    .action((source: string | undefined, flags: InitFlags) => handlers.init(flags, program.opts(), source));
}

function addDaemon(program: Command, handlers: Handlers): void {
  program
    .command('daemon')
    .description('run the peer')
    .option('-j, --bootstrap <ADDRESSES>', 'join a running cluster through these members, comma-separated', '')
    .addOption(new Option('-x, --leave', 'leave the cluster when the peer stops').hideHelp())
    .option('-u, --upgrade', 'accepted for old scripts; there is nothing to upgrade')
    .option('--stats', 'collect metrics for Prometheus')
    .option('--tracing', 'send traces')
    .option('--no-trust', 'accepted for CRDT; Raft trusts all members')
    .option('--end-with-input', 'stop also when the input ends, and so with the program that started the peer')
    .action((flags: DaemonFlags) => handlers.daemon(flags, program.opts()));
}

const wholeLog = 'take what is in the log although the cluster may not have agreed on it';

function addState(program: Command, handlers: Handlers): void {
  const state = program
    .command('state')
    .description('export, import, compare or remove the pinset of this peer')
    .allowExcessArguments();
  state.action((_options, command: Command) => {
    const [unknown] = command.args;
    if (unknown === undefined) return void command.outputHelp();
    if (isHelpWord(unknown)) return helpOn(command, command.args.slice(1));
    process.stderr.write(`error: unknown command "state ${unknown}"\n`);
    throw new CommanderError(3, 'service.noCommand', 'no command');
  });
  state
    .command('export')
    .description('write the pinset, one pin a line; a running peer is asked for it')
    .option('-f, --file <PATH>', 'write to a file instead of the output')
    .option('--whole-log', wholeLog)
    .action((flags: ExportFlags) => handlers.stateExport(flags, program.opts()));
  state
    .command('import')
    .description('begin with the pinset of an export; what was there is kept as a backup')
    .argument('[file]', 'the export; without it, the input')
    .option('-f, --force', 'do not ask')
    .option('-y, --yes', 'do not ask')
    .addOption(unlessGiven('--rmin, --replication-min <NUMBER>', 'at least so many peers keep each pin; -1: all', '0'))
    .addOption(unlessGiven('--rmax, --replication-max <NUMBER>', 'at most so many peers keep each pin; -1: all', '0'))
    .addOption(unlessGiven('--allocs, --allocations <PEERS>', 'these peers keep each pin, comma-separated', ''))
    .option('--alone', 'begin as the only member of the cluster; others join with --bootstrap')
    .action((file: string | undefined, flags: ImportFlags) => handlers.stateImport(flags, program.opts(), file));
  state
    .command('cleanup')
    .description('remove the pinset and the log of this peer; a backup is kept')
    .option('-f, --force', 'do not ask')
    .option('-y, --yes', 'do not ask')
    .action((flags: CleanupFlags) => handlers.stateCleanup(flags, program.opts()));
  state
    .command('digest')
    .description('print a digest of the pinset: it is the same on peers with the same pins')
    .option('--whole-log', wholeLog)
    .action((flags: StateFlags) => handlers.stateDigest(flags, program.opts()));
}

/** An option that changes something in every pin. */
function unlessGiven(flags: string, description: string, nothing: string): Option {
  return new Option(flags, description).default(nothing, 'as the pin says');
}

/** Go's forms of flags, and `-init`, which in 2017 was the command of that name. */
function rewriteArguments(argv: readonly string[], program: Command): string[] {
  const commands = program.commands.flatMap((command) => [command, ...command.commands]);
  const options = [program, ...commands].flatMap((command) => command.options);
  const rewritten = rewriteGoArguments(argv, (name) => {
    const form = name.length === 1 ? `-${name}` : `--${name}`;
    const option = options.find(({ long = '', short = '' }) => long === form || short === form);
    if (option === undefined) return undefined;
    return option.required ? 'value' : 'boolean';
  });
  const at = rewritten.indexOf('--init');
  if (at < 0) return rewritten;
  return [...rewritten.filter((_, index) => index !== at), 'init', '--consensus', 'raft'];
}
