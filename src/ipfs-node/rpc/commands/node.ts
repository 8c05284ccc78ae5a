/** `id`, `version`, `swarm/…`, `bitswap/…`, `config…`, `repo/…`: the node itself. */
import { arch, platform } from 'node:os';
import { errorMessage, version } from '../../../base/index.ts';
import type { ConfigValue } from '../../ports.ts';
import { argument, type Call, type Command } from '../command.ts';
import { rpcError } from '../errors.ts';

/** Commands about the node itself. */
export const nodeCommands: readonly Command[] = [
  { path: 'id', run: id },
  { path: 'version', run: showVersion },
  { path: 'swarm/connect', args: ['address'], run: connect },
  { path: 'swarm/disconnect', args: ['address'], run: disconnect },
  { path: 'swarm/peers', run: peers },
  { path: 'swarm/addrs/local', run: localAddresses },
  { path: 'bitswap/stat', run: bitswapStat },
  { path: 'bitswap/wantlist', run: wantlist },
  { path: 'config', args: ['key'], run: config },
  { path: 'config/show', run: showConfig },
  { path: 'repo/stat', run: repoStat },
  { path: 'stats/repo', run: repoStat },
  { path: 'repo/version', run: repoVersion },
  { path: 'repo/gc', run: gc },
];

async function id({ node, query, answer }: Call): Promise<void> {
  const { swarm } = node;
  const asked = query.args[0];
  if (asked !== undefined && asked !== swarm.peerId) {
    throw rpcError('ipfs-rpc/bad-option', `cannot look up peer "${asked}": this node tells its own id only`);
  }
  await answer.json({
    ID: swarm.peerId,
    PublicKey: Buffer.from(swarm.publicKey).toString('base64'),
    Addresses: swarm.addresses(),
    AgentVersion: swarm.agentVersion,
    Protocols: [...swarm.protocols()].sort(),
  });
}

async function showVersion({ node, answer }: Call): Promise<void> {
  await answer.json({
    Version: version,
    Commit: '',
    Repo: repoNumber(node.repoStat().version),
    System: `${goArch[arch()] ?? arch()}/${platform()}`,
    Golang: `node${process.versions.node}`,
  });
}

/** Go's names of what Node calls otherwise. */
const goArch: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** `fs-repo@18` → `18`. */
function repoNumber(text: string): string {
  return text.slice(text.indexOf('@') + 1);
}

async function connect({ node, query, answer, signal }: Call): Promise<void> {
  const results: string[] = [];
  for (const address of query.args) {
    const peerId = await node.swarm.connect(address, { signal });
    results.push(`connect ${peerId} success`);
  }
  await answer.json({ Strings: results });
}

async function disconnect({ node, query, answer }: Call): Promise<void> {
  const results: string[] = [];
  for (const address of query.args) {
    const peerId = address.slice(address.lastIndexOf('/') + 1);
    const failure = await node.swarm.disconnect(address).then(
      () => '',
      (error: unknown) => errorMessage(error),
    );
    results.push(`disconnect ${peerId} ${failure === '' ? 'success' : `failure: ${failure}`}`);
  }
  await answer.json({ Strings: results });
}

async function peers({ node, answer }: Call): Promise<void> {
  const connected = [...node.swarm.peers()].sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
  const lines = connected.map((peer) => ({
    Addr: peer.address,
    Peer: peer.peerId,
    Latency: '',
    Muxer: '',
    Direction: peer.direction === 'inbound' ? 1 : 2,
    Streams: null,
    Identify: { ID: '', PublicKey: '', Addresses: null, AgentVersion: '', Protocols: null },
  }));
  await answer.json({ Peers: lines.length === 0 ? null : lines });
}

async function localAddresses({ node, answer }: Call): Promise<void> {
  await answer.json({ Strings: node.swarm.addresses().map((address) => address.replace(/\/p2p\/[^/]*$/, '')) });
}

async function bitswapStat({ node, answer }: Call): Promise<void> {
  const stat = node.bitswapStat();
  await answer.json({
    Wantlist: stat.wantlist.map((cid) => ({ '/': cid.toString() })),
    Peers: stat.peers,
    BlocksReceived: stat.blocksReceived,
    DataReceived: stat.dataReceivedBytes,
    DupBlksReceived: stat.dupBlocksReceived,
    DupDataReceived: stat.dupDataReceivedBytes,
    MessagesReceived: stat.messagesReceived,
    BlocksSent: stat.blocksSent,
    DataSent: stat.dataSentBytes,
  });
}

async function wantlist({ node, answer }: Call): Promise<void> {
  await answer.json({ Keys: node.bitswapStat().wantlist.map((cid) => ({ '/': cid.toString() })) });
}

async function config(call: Call): Promise<void> {
  const { node, query, answer } = call;
  const key = argument(call);
  if (/^identity\.privkey$/i.test(key)) {
    throw rpcError('ipfs-rpc/bad-option', 'cannot show or change private key through API');
  }
  if (query.args.length > 1) await node.config.set(key, newValue(call));
  await answer.json({ Key: key, Value: node.config.get(key) });
}

function newValue(call: Call): ConfigValue {
  const { query } = call;
  const text = argument(call, 1);
  if (query.boolean('bool', false)) return text === 'true';
  if (!query.boolean('json', false)) return text;
  try {
    return JSON.parse(text) as ConfigValue;
  } catch (error) {
    throw rpcError('ipfs-rpc/bad-option', `failed to unmarshal json. ${errorMessage(error)}`, error);
  }
}

async function showConfig({ node, answer }: Call): Promise<void> {
  await answer.json(node.config.show());
}

async function repoStat({ node, query, answer }: Call): Promise<void> {
  const sizeOnly = query.boolean('size-only', false);
  const stat = node.repoStat();
  await answer.json({
    RepoSize: stat.repoSizeBytes,
    StorageMax: stat.storageMaxBytes,
    NumObjects: sizeOnly ? 0 : stat.blockCount,
    RepoPath: sizeOnly ? '' : stat.path,
    Version: sizeOnly ? '' : stat.version,
  });
}

async function repoVersion({ node, answer }: Call): Promise<void> {
  await answer.json({ Version: repoNumber(node.repoStat().version) });
}

async function gc({ node, query, answer, signal }: Call): Promise<void> {
  const silent = query.boolean('silent', false);
  for await (const page of node.gc.run({ signal })) {
    if (silent) continue;
    for (const cid of page) await answer.line({ Key: { '/': cid.toString() } });
  }
}
