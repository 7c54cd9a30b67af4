export { createMemoryChunkStore, type MemoryChunkStore, type MemoryChunkStoreOptions } from './memory-chunk-store.ts'
export { createMemoryRecordStore, type MemoryRecordStore } from './memory-record-store.ts'
