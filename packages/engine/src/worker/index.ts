export { createNodeWorker } from './node-worker.ts'
export type { NodeWorkerOptions } from './node-worker.ts'
