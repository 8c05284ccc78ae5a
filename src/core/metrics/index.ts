export { MetricStore, type MetricStoreOptions } from './store.ts';
