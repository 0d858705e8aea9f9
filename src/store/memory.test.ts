import { MemoryStore } from './memory.ts';
import { storeContract } from './testing/contract-suite.ts';

storeContract('memory', async () => new MemoryStore());
