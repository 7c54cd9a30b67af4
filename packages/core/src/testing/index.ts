export { createMemoryChunkStore, type MemoryChunkStore, type MemoryChunkStoreOptions } from './memory-chunk-store.ts'
export { createMemoryRecordStore, type MemoryRecordStore } from './memory-record-store.ts'
export { describeChunkStore, type ChunkStoreUnderTest } from './describe-chunk-store.ts'
export { describeRecordStore, type RecordStoreUnderTest } from './describe-record-store.ts'
