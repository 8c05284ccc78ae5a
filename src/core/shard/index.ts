/** How content is cut into shards, and the blocks that list what is in one. */
export { type ListBlock, linkLists } from './link-lists.ts';
export { ShardContent } from './shard-content.ts';
