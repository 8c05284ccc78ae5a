export {
  createDiskInformer,
  createNumpinInformer,
  createPinQueueInformer,
  createTagsInformer,
  type InformerBase,
} from './informers.ts';
