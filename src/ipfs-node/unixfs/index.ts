/** Files and folders as IPLD: adding, reading, listing, paths. */
export { type CatOptions, type Content, catFile } from './cat.ts';
export { type UnixfsErrorCode, unixfsError } from './errors.ts';
export { decodeObject, decodePb, linksOf, type NamedLink } from './links.ts';
export { type ListedLink, type ListOptions, listNode, type NodeInfo, nodeInfo } from './list.ts';
export { type IpfsPath, parsePath, quote } from './path.ts';
export { childValue, type Resolved, resolvePath } from './resolve.ts';
export { readBlock } from './storage.ts';
export { tarOf } from './tar.ts';
