/** The Automerge layer: documents made of sealed chunks, and the index of those there are. */
export type { Documents, DocumentState, Genesis } from './documents-interface.ts'
export type { DocumentIndex, IndexedDocument, IndexedSession } from './index-document.ts'
