/** The folder of a peer: its files, its lock, and what they say. */
export { cordonFileOf } from './cordon.ts';
export { defaultFolderPath, makeFolder, type PeerFolder, peerFolder } from './folder.ts';
export {
  createIdentity,
  type Identity,
  overrideIdentity,
  parseIdentity,
  readIdentity,
  writeIdentity,
} from './identity.ts';
export { makeTemporaryFolder } from './leftovers.ts';
export { type LoadedConfig, type LoadedPeer, type LoadOptions, loadConfig, loadPeer, writeConfig } from './load.ts';
export { type FolderLock, lockFolder, lockFolderToRead } from './lock.ts';
export { peerstoreOf, readPeerstore, writePeerstore } from './peerstore.ts';
export { revocationFileOf } from './revocations.ts';
export { readSecret, writeSecret } from './secret.ts';
