/** Stores prepared once and copied for each round: what is measured begins from the same bytes every time. */
import path from 'node:path'
import { keyFile, openStore } from '@segue/storage'
import { startDevice, startPair } from './segue-pair.ts'

/** A pair that has nothing but each other; then `count` small documents are made on the laptop while the desk sleeps. */
export async function prepareUnsynced(directory: string, count: number): Promise<{ readonly createdInMs: number }> {
  await (await startPair(directory)).stop()
  const laptop = await startDevice('laptop', path.join(directory, 'laptop'))
  const createdInMs = await laptop.call.createInRepo(count)
  await laptop.stop()
  return { createdInMs }
}

export interface Holdings {
  readonly chunks: number
  readonly fragments: number
}

/** What lies in a device's store; the device must not run. */
export async function holdingsOf(directory: string): Promise<Holdings> {
  const store = await openStore({ directory, unlock: keyFile(`${directory}.key`) })
  try {
    let fragments = 0
    for await (const chunk of store.chunks.since(0)) if (chunk.class === 'fragment') fragments++
    return { chunks: store.chunks.size().chunks, fragments }
  } finally {
    await store.close()
  }
}
