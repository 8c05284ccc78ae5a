/**
 * The connectivity of the cluster as a graph in the DOT language of Graphviz.
 * Source: Go `cmd/ipfs-cluster-ctl/graph.go`.
 */
import type { ConnectGraph, PeerId } from '../../../model/index.ts';

export interface GraphOptions {
  /** Show peers of the IPFS nodes that do not belong to the cluster. */
  readonly hasAllIpfsPeers: boolean;
}

interface Vertex {
  readonly id: string;
  readonly line: string;
}

/** The text, without an end of its last line. */
export function graphDot(graph: ConnectGraph, options: GraphOptions): string {
  const clusterLinks = graph.clusterLinks ?? {};
  const ipfsLinks = ipfsEdges(graph, options);
  const peers = clusterVertices(graph, Object.keys(clusterLinks).sort());
  const nodes = new Map(
    Object.keys(ipfsLinks)
      .sort()
      .map((id, index) => [id, ipfsVertex(index, 'IPFS', short(id), id, 'turquoise3')]),
  );
  const errored = new Map<PeerId, Vertex>();
  const ipfsOf = graph.clusterToIpfs ?? {};
  for (const peer of peers.keys()) {
    if (Object.hasOwn(ipfsOf, peer)) continue;
    errored.set(peer, ipfsVertex(nodes.size + errored.size, 'IPFS', 'Errored', peer, 'firebrick1'));
  }
  const lines = [
    'digraph cluster {',
    '/* The nodes of the connectivity graph */',
    '/* The cluster-service peers */',
    ...subgraph('min', peers.values()),
    '',
    '/* The ipfs peers */',
    ...subgraph('max', [...nodes.values(), ...errored.values()]),
    '',
    '/* Edges representing active connections in the cluster */',
    '/* The connections among cluster-service peers */',
    ...edges(peers, clusterLinks, peers),
    '',
    '/* The connections between cluster peers and their ipfs daemons */',
    ...daemonEdges(peers, nodes, errored, ipfsOf),
    '',
    '/* The swarm peer connections among ipfs daemons in the cluster */',
    ...edges(nodes, ipfsLinks, nodes),
    '}',
  ];
  return lines.join('\n');
}

/** Links between IPFS nodes; those to strangers only when asked for, and then the strangers are vertices too. */
function ipfsEdges(graph: ConnectGraph, options: GraphOptions): Readonly<Record<PeerId, readonly PeerId[]>> {
  const links = graph.ipfsLinks ?? {};
  const edges: Record<PeerId, readonly PeerId[]> = {};
  for (const [id, targets] of Object.entries(links)) {
    edges[id] = options.hasAllIpfsPeers ? targets : targets.filter((target) => Object.hasOwn(links, target));
  }
  if (options.hasAllIpfsPeers) for (const target of Object.values(links).flat()) edges[target] ??= [];
  return edges;
}

function clusterVertices(graph: ConnectGraph, ids: readonly PeerId[]): Map<PeerId, Vertex> {
  return new Map(
    ids.map((id, index) => {
      const isSelf = id === graph.clusterId;
      const isTrusted = graph.clusterTrustLinks?.[id] === true;
      const vertexId = `${!isSelf && isTrusted ? 'T' : 'C'}${index}`;
      const color = isSelf || isTrusted ? 'orange' : 'darkorange3';
      const label = labelOf(graph.idToPeername?.[id] ?? '', short(id));
      const extra = isSelf ? ' peripheries="2"' : '';
      return [id, { id: vertexId, line: `${vertexId} [${label} ${style(id, color, 'box3d')}${extra} ]` }];
    }),
  );
}

function ipfsVertex(index: number, name: string, below: string, group: string, color: string): Vertex {
  const id = `I${index}`;
  return { id, line: `${id} [${labelOf(name, below)} ${style(group, color, 'cylinder')} ]` };
}

function labelOf(name: string, below: string): string {
  return `label=< <B> ${name} </B> <BR/> <B> ${below} </B> >`;
}

function style(group: string, color: string, shape: string): string {
  return `group="${group}" color="${color}" style="filled" colorscheme="x11" fontcolor="black" fontname="Arial" shape="${shape}"`;
}

/** First two and last six letters. */
function short(id: PeerId): string {
  return `${id.slice(0, 2)}*${id.slice(-6)}`;
}

function subgraph(rank: string, vertices: Iterable<Vertex>): string[] {
  return ['subgraph  {', `rank="${rank}"`, ...[...vertices].map((vertex) => vertex.line), '}'];
}

function edges(
  from: ReadonlyMap<PeerId, Vertex>,
  links: Readonly<Record<PeerId, readonly PeerId[]>>,
  to: ReadonlyMap<PeerId, Vertex>,
): string[] {
  return [...from].flatMap(([id, vertex]) =>
    (links[id] ?? []).flatMap((target) => {
      const other = to.get(target);
      return other === undefined ? [] : [`${vertex.id} -> ${other.id}`];
    }),
  );
}

function daemonEdges(
  peers: ReadonlyMap<PeerId, Vertex>,
  nodes: ReadonlyMap<PeerId, Vertex>,
  errored: ReadonlyMap<PeerId, Vertex>,
  ipfsOf: Readonly<Record<PeerId, PeerId>>,
): string[] {
  return [...peers].flatMap(([id, vertex]) => {
    const failed = errored.get(id);
    if (failed !== undefined) return [`${vertex.id} -> ${failed.id} [ style="dotted" ]`];
    const node = nodes.get(ipfsOf[id] ?? '');
    return node === undefined ? [] : [`${vertex.id} -> ${node.id}`];
  });
}
