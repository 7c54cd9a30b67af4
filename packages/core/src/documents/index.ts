/** The Automerge layer: documents made of sealed chunks, and the index of those there are. */
export { createDocuments } from './documents.ts'
export type { DocumentsComponents } from './context.ts'
export type { DocumentState, Documents } from './documents-interface.ts'
export { createDeviceInspector } from './device-inspector.ts'
export { buildFragments, readBundleContents } from './bundle.ts'
export { createInlineWorker } from './inline-worker.ts'
export { createIndex } from './index-document.ts'
export type { DocumentIndex, IndexedDocument, IndexedSession } from './index-document.ts'
