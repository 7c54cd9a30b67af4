export { createNodeWorker } from './node-worker.ts'
