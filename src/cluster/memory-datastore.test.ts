import { datastoreConformance } from '../../test/conformance/datastore.ts';
import { createMemoryDatastore } from './memory-datastore.ts';

datastoreConformance('memory', async () => createMemoryDatastore());
